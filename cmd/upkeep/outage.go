package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/urfave/cli/v3"

	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/planner/report/text"
)

// Of a cluster that comes back not everything answers at once: the kubelet waits up to five minutes before it starts a
// container again that ended often (k8s.io/kubernetes pkg/kubelet, MaxContainerBackOff).
const (
	looksAfterOutage = 60
	pauseAfterOutage = 5 * time.Second
	stillSilent      = "Not everything answers yet. upkeep looks again for up to 5 minutes, and nothing is locked."
)

// afterOutage judges a run that brought a cluster back. While it was down hardly anything could be checked, so what there
// is now is looked at: only what is known then is no longer left.
func afterOutage(ctx context.Context, env environment, cmd *cli.Command, result apply.Result) error {
	again, err := looksUntilUp(ctx, env.stderr, time.After, func() (planner.Plan, error) {
		plan, _, err := makePlan(ctx, env, cmd)
		return plan, err
	})
	if err != nil {
		return err
	}
	if again.Outage != "" {
		return stillDown(env.stderr, again)
	}
	return leftOver(env, cmd, again, result)
}

// stillDown is the end of a run whose steps are done and whose cluster is known to be down all the same.
func stillDown(w io.Writer, again planner.Plan) error {
	fmt.Fprintln(w, text.Clean(again.Outage)+" To go on: upkeep apply")
	return exit{code: exitPartial}
}

// looksUntilUp looks until nothing is unknown and nothing is down, or the looks are used up, and returns the last look.
// What is not so is told on w, each place once in a row.
func looksUntilUp(
	ctx context.Context, w io.Writer, after func(time.Duration) <-chan time.Time, look func() (planner.Plan, error),
) (again planner.Plan, err error) {
	told := ""
	for range looksAfterOutage {
		if again, err = look(); err != nil {
			return again, fmt.Errorf("the steps are done, and what they left could not be looked at: %w", err)
		}
		left := counted(again)
		if len(left) == 0 && again.Outage == "" {
			return again, nil
		}
		if told == "" {
			fmt.Fprintln(w, stillSilent)
		}
		now, why := "control plane", again.Outage
		if len(left) > 0 {
			now, why = text.Place(left[0]), left[0].Why
		}
		if now != told {
			fmt.Fprintf(w, "  UNKNOWN  %s: %s\n", now, text.Clean(why))
			told = now
		}
		select {
		case <-ctx.Done():
			return again, ctx.Err()
		case <-after(pauseAfterOutage):
		}
	}
	return again, nil
}
