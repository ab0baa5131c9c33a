package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v3"

	"upkeep/planner"
	"upkeep/planner/window"
)

const waitForWindow = "wait-for-window"

func waitForWindowFlag() cli.Flag {
	return &cli.BoolFlag{
		Name:  waitForWindow,
		Usage: "wait until a maintenance window opens, and lock nothing until then; without a plan file it needs -auto-approve or -expect",
	}
}

// waitUntil waits until a time that is asked for once a minute, since clocks can be set. Nothing is locked and
// nothing is asked of the cluster. It ends with the context.
func waitUntil(ctx context.Context, env environment, cmd *cli.Command, next func(now time.Time) (time.Time, bool)) error {
	live, told := terminalOf(env, env.stderr, cmd.Bool("no-color")).Live, false
	for {
		now := env.now()
		opens, ok := next(now)
		switch {
		case !ok:
			return fmt.Errorf("-%s: there is no opening that is long enough; `upkeep window list` shows what opens", waitForWindow)
		case !opens.After(now):
			return nil
		}
		if live || !told {
			fmt.Fprintf(env.stderr, "Waiting for a maintenance window until %s, for %s. Nothing is locked.\n",
				opens.UTC().Format("Mon 2006-01-02 15:04 UTC"), max(opens.Sub(now).Round(time.Minute), time.Minute))
			told = true
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(opens.Sub(now), time.Minute)):
		}
	}
}

// waitToPlan waits for the first window of the configuration, before there is a plan.
func waitToPlan(ctx context.Context, env environment, cmd *cli.Command) error {
	if !cmd.Bool("auto-approve") && len(cmd.StringSlice("expect")) == 0 {
		return usage(cmd, "-%s without a plan file makes a plan when the window opens, which nobody has read then: "+
			"give -auto-approve or -expect=DIGEST, or a plan file", waitForWindow)
	}
	read, err := readConfiguration(env, cmd)
	if err != nil {
		return err
	}
	var calendars []window.Calendar
	for _, block := range planner.Calendars(read.desired) {
		if block.Bound() {
			calendars = append(calendars, block.Calendar)
		}
	}
	return waitUntil(ctx, env, cmd, func(now time.Time) (time.Time, bool) { return soonest(calendars, now) })
}

// soonest is when the first of some calendars opens, or the time itself where one is open, or there is none.
func soonest(calendars []window.Calendar, now time.Time) (time.Time, bool) {
	var opens []time.Time
	for _, c := range calendars {
		if next := c.Next(now, 1); len(next) > 0 {
			opens = append(opens, next[0].From)
		}
	}
	if len(opens) == 0 {
		return now, len(calendars) == 0
	}
	return slices.MinFunc(opens, time.Time.Compare), true
}

// planInOpening waits for an opening and plans in it. Where too little of it is left for what is due, it waits for the next
// one and plans again.
func planInOpening(ctx context.Context, env environment, cmd *cli.Command) (planner.Plan, workspace, error) {
	fail := func(err error) (planner.Plan, workspace, error) { return planner.Plan{}, workspace{}, err }
	if err := waitToPlan(ctx, env, cmd); err != nil {
		return fail(err)
	}
	for {
		plan, w, err := makePlan(ctx, env, cmd)
		if err != nil {
			return fail(err)
		}
		now := env.now()
		if opens, fits := plan.Start(now); fits && !opens.After(now) {
			return plan, w, nil
		}
		if err := waitUntil(ctx, env, cmd, plan.Start); err != nil {
			return fail(err)
		}
	}
}
