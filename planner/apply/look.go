package apply

import (
	"context"
	"fmt"
	"slices"
	"time"

	"upkeep/planner"
	"upkeep/providers"
	"upkeep/state/journal"
)

// ground looks at the world and says whether the step can run. What cannot be told is looked at again for a while,
// since one dropped connection must not end a maintenance window; it is never run.
func (e *Executor) ground(ctx context.Context, plan planner.Plan, step providers.Step) (providers.Input, providers.Readiness) {
	end := e.now().Add(e.Limits.withDefaults().Ground)
	for pause := time.Second; ; pause = min(2*pause, 10*time.Second) {
		input, ready := e.groundNow(ctx, plan, step)
		switch ready.State {
		case providers.Holds, providers.Done, providers.Moved:
			return input, ready
		}
		ready.State = providers.Unknown
		if ready.Final || e.now().Add(pause).After(end) || e.stopping(ctx) || e.sleep(ctx, pause) != nil {
			return input, ready
		}
	}
}

func (e *Executor) groundNow(ctx context.Context, plan planner.Plan, step providers.Step) (providers.Input, providers.Readiness) {
	input, err := e.look(ctx, step)
	if err != nil {
		return input, providers.Readiness{State: providers.Unknown, Why: err.Error()}
	}
	if err := sameCluster(plan.Request.Identity(), identityOf(input)); err != nil {
		return input, providers.Readiness{State: providers.Moved, Why: err.Error()}
	}
	if why := planner.Stranger(input.World, step.Node); why != "" {
		return input, providers.Readiness{State: providers.Moved, Why: why}
	}
	ready := e.Effects[step.Operation].Ready(input, step)
	if before, ok := e.History.Done(step.ID); ok && ready.State == providers.Holds && !e.mayRepeat(plan, step, before) {
		return input, providers.Readiness{State: providers.Moved, Why: fmt.Sprintf(
			"this plan did it and proved it at %s, and now it is as before: something undid it; find out what, then make a new plan", before.At.UTC().Format(time.RFC3339))}
	}
	return input, ready
}

// mayRepeat reports whether a step that was done may be done once more: one that begins a guard which was ended after
// that, so that this plan itself undid it and what is left must be guarded again; and one that ends a guard.
func (e *Executor) mayRepeat(plan planner.Plan, step providers.Step, done journal.Record) bool {
	if step.Ends != "" {
		return true
	}
	for _, end := range plan.Steps {
		if end.Ends == "" || !slices.Contains(planner.Beginnings(plan.Steps, end), step.ID) {
			continue
		}
		if last, ok := e.History.Done(end.ID); ok && last.Seq > done.Seq {
			return true
		}
	}
	return false
}

// look observes what the step needs, in bounded time.
func (e *Executor) look(ctx context.Context, step providers.Step) (providers.Input, error) {
	limit := e.Limits.withDefaults().Look
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer in %s", limit))
	defer cancel()
	input, err := e.Observe(ctx, step)
	if err != nil {
		return input, fmt.Errorf("look at the ground of step %s: %w", step.ID, err)
	}
	return input, nil
}

// prove looks until what was predicted is so, or the time to settle is over.
func (e *Executor) prove(ctx context.Context, plan planner.Plan, before providers.Input, step providers.Step, report providers.Progress) error {
	settle := e.Limits.withDefaults().Settle
	end := e.now().Add(settle)
	told := ""
	for pause := 250 * time.Millisecond; ; pause = min(2*pause, 10*time.Second) {
		err := e.proveNow(ctx, plan, before, step)
		if err == nil {
			return nil
		}
		if e.now().Add(pause).After(end) {
			return fmt.Errorf("it ran, and its effect was not proved within %s: %w", settle, err)
		}
		if text := err.Error(); text != told {
			report("not proved yet: " + text)
			told = text
		}
		if e.sleep(ctx, pause) != nil {
			return fmt.Errorf("it ran, and was not proved before the end: %w", err)
		}
	}
}

func (e *Executor) proveNow(ctx context.Context, plan planner.Plan, before providers.Input, step providers.Step) error {
	after, err := e.look(ctx, step)
	if err != nil {
		return err
	}
	if err := sameCluster(plan.Request.Identity(), identityOf(after)); err != nil {
		return err
	}
	return e.Effects[step.Operation].Proved(before, after, step)
}
