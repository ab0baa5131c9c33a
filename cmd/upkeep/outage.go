package main

import (
	"context"
	"fmt"
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
	var again planner.Plan
	told := ""
	for range looksAfterOutage {
		var err error
		if again, _, err = makePlan(ctx, env, cmd); err != nil {
			return fmt.Errorf("the steps are done, and what they left could not be looked at: %w", err)
		}
		left := counted(again)
		if len(left) == 0 && again.Outage == "" {
			break
		}
		if told == "" {
			fmt.Fprintln(env.stderr, stillSilent)
		}
		now, why := "control plane", again.Outage
		if len(left) > 0 {
			now, why = text.Place(left[0]), left[0].Why
		}
		if now != told {
			fmt.Fprintf(env.stderr, "  UNKNOWN  %s: %s\n", now, text.Clean(why))
			told = now
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pauseAfterOutage):
		}
	}
	if again.Outage != "" { // known, and still down
		fmt.Fprintln(env.stderr, text.Clean(again.Outage)+" To go on: upkeep apply")
		return exit{code: exitPartial}
	}
	return leftOver(env, cmd, again, result)
}
