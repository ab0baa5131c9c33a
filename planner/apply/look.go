package apply

import (
	"context"
	"fmt"
	"time"

	"upkeep/planner"
	"upkeep/providers"
)

// ground is what a look at the world says of a step.
type ground struct {
	providers.Readiness
	input providers.Input
	// lapsed is a guard that the step goes within and that does not hold any more, though it can begin again; nil: none.
	lapsed *lapse
}

// ground looks at the world and says whether the step can run, and its guards hold. What cannot be told is looked at again
// for a while, since one dropped connection must not end a maintenance window; it is never run.
func (e *Executor) ground(ctx context.Context, p *progress, step providers.Step) ground {
	end := e.now().Add(e.Limits.withDefaults().Ground)
	for pause := time.Second; ; pause = min(2*pause, 10*time.Second) {
		found := e.groundNow(ctx, p, step)
		if found.State == providers.Holds {
			// Its guards are looked at last: what holds is to be as fresh as can be.
			e.guardsNow(ctx, p, step, &found)
		}
		switch found.State {
		case providers.Holds, providers.Done, providers.Moved:
			return found
		}
		found.State = providers.Unknown
		if found.Final || e.now().Add(pause).After(end) || e.stopping(ctx) || e.sleep(ctx, pause) != nil {
			return found
		}
	}
}

// groundNow looks once, at the step's own ground alone.
func (e *Executor) groundNow(ctx context.Context, p *progress, step providers.Step) ground {
	input, err := e.look(ctx, step)
	stands := func(state providers.ReadyState, why string) ground {
		return ground{providers.Readiness{State: state, Why: why}, input, nil}
	}
	if err != nil {
		return stands(providers.Unknown, err.Error())
	}
	if err := sameCluster(p.plan.Request.Identity(), identityOf(input)); err != nil {
		return stands(providers.Moved, err.Error())
	}
	if why := planner.Stranger(input.World, step.Node); why != "" {
		return stands(providers.Moved, why)
	}
	ready := e.Effects[step.Operation].Ready(input, step)
	if before, ok := e.History.Done(step.ID); ok && ready.State == providers.Holds && !p.mayRepeat(step) {
		return stands(providers.Moved, fmt.Sprintf(
			"this plan did it and proved it at %s, and now it is as before: something undid it; find out what, then make a new plan", before.At.UTC().Format(time.RFC3339)))
	}
	return ground{ready, input, nil}
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
func (e *Executor) prove(ctx context.Context, p *progress, before providers.Input, step providers.Step, report providers.Progress) error {
	settle := max(e.Limits.withDefaults().Settle, step.SettleDuration())
	end := e.now().Add(settle)
	told := ""
	for pause := 250 * time.Millisecond; ; pause = min(2*pause, 10*time.Second) {
		err := e.proveNow(ctx, p, before, step)
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

func (e *Executor) proveNow(ctx context.Context, p *progress, before providers.Input, step providers.Step) error {
	after, err := e.look(ctx, step)
	if err != nil {
		return err
	}
	if err := sameCluster(p.plan.Request.Identity(), identityOf(after)); err != nil {
		return err
	}
	return e.Effects[step.Operation].Proved(before, after, step)
}
