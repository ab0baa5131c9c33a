package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v3"

	"upkeep/planner"
	"upkeep/planner/window"
	"upkeep/providers/plain"
)

const waitForWindow = "wait-for-window"

func waitForWindowFlag() cli.Flag {
	return &cli.BoolFlag{Name: waitForWindow, Usage: "wait until a maintenance window opens, and lock nothing until then; without a plan file it needs -auto-approve or -expect"}
}

// waitFor waits until one of some calendars opens that are shut at some time; where there is none, nothing is waited for. Nothing is
// locked and nothing is asked meanwhile. It ends with the context.
func waitFor(ctx context.Context, env environment, cmd *cli.Command, calendars []window.Calendar) error {
	calendars = slices.DeleteFunc(calendars, func(c window.Calendar) bool { return !c.Bound() })
	if len(calendars) == 0 {
		return nil
	}
	told := ""
	for {
		now := env.now()
		next, opens := soonest(calendars, now)
		switch {
		case next == nil:
			return fmt.Errorf("-%s: no window of this configuration opens in the next ten years", waitForWindow)
		case !opens.After(now):
			return nil
		}
		if text := plain.Line(next.At(now).Why); text != told && (told == "" || terminalOf(env, env.stderr, cmd.Bool("no-color")).Live) {
			fmt.Fprintf(env.stderr, "Waiting for a maintenance window: %s. Nothing is locked.\n", text)
			told = text
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(opens.Sub(now), time.Minute)):
		}
	}
}

// soonest returns the calendar that opens first, and when: now or earlier where it is open; nil where none ever opens.
func soonest(calendars []window.Calendar, now time.Time) (first *window.Calendar, opens time.Time) {
	for i, c := range calendars {
		if next := c.Next(now, 1); len(next) > 0 && (first == nil || next[0].From.Before(opens)) {
			first, opens = &calendars[i], next[0].From
		}
	}
	return first, opens
}

// waitToPlan waits for the windows of the configuration, before there is a plan.
func waitToPlan(ctx context.Context, env environment, cmd *cli.Command) error {
	if !cmd.Bool("auto-approve") && len(cmd.StringSlice("expect")) == 0 {
		return usage(cmd, "-%s without a plan file makes a plan when the window opens, which nobody has read then: give -auto-approve or -expect=DIGEST, or a plan file", waitForWindow)
	}
	directory, err := directoryOf(cmd)
	if err != nil {
		return err
	}
	read, err := load(env, cmd, directory, domains())
	if err != nil {
		return err
	}
	if err := read.print(env, cmd); err != nil {
		return err
	}
	var calendars []window.Calendar
	for _, block := range planner.Calendars(read.desired) {
		calendars = append(calendars, block.Calendar)
	}
	return waitFor(ctx, env, cmd, calendars)
}
