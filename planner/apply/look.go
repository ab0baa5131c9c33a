package apply

import (
	"context"
	"fmt"
	"time"

	"upkeep/planner"
	"upkeep/planner/schedule"
	"upkeep/providers"
	"upkeep/state/journal"
)

// ground is what a look at the world says of a step.
type ground struct {
	providers.Readiness
	input providers.Input
	// guardLost is a guard that the step goes within and that does not hold any more, though it can begin again; nil:
	// none.
	lost *lostGuard
}

// together returns the looks among decisions, those of one resource in one list: one observation serves them.
func together(decisions []schedule.Decision, steps []providers.Step) [][]providers.Step {
	var out [][]providers.Step
	at := map[providers.Address]int{}
	for _, d := range decisions {
		if d.Kind != schedule.Look {
			continue
		}
		step := steps[d.Index]
		i, known := at[step.Address.Resource()]
		if !known {
			i = len(out)
			at[step.Address.Resource()] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], step)
	}
	return out
}

// look says of steps that are not started yet whether they are ready. Nothing begins for one that is not.
func (r *run) look(ctx context.Context, steps []providers.Step) {
	defer r.left()
	found := r.grounds(ctx, steps, func(step providers.Step, input providers.Input) ground { return r.judge(step, input) })
	for i, step := range steps {
		switch now := found[i]; {
		case r.halted(ctx, step):
			r.release(step)
		case now.State == providers.Holds:
			r.report(func(book *schedule.Schedule) error { return book.Ready(step.ID, r.now()) })
		default:
			r.not(step, now)
		}
	}
}

// not ends a step that cannot start, or puts it back where it waits.
func (r *run) not(step providers.Step, found ground) {
	switch found.State {
	case providers.Waits:
		wait := schedule.Wait{For: found.For, Since: r.since(step, found.Since), Again: found.Again}
		if late := r.late(wait.Since, found.AtMost); late != "" {
			r.end(step, resultOf(step, Refused, late+": "+found.For), journal.StepRefused)
			return
		}
		r.report(func(book *schedule.Schedule) error { return book.Waits(step.ID, wait, r.now()) })
	case providers.Done:
		r.end(step, resultOf(step, Skipped, found.Why), journal.StepSkipped)
	default:
		result := resultOf(step, Refused, found.Why)
		result.Moved = found.State == providers.Moved
		r.end(step, result, journal.StepRefused)
	}
}

// ground looks at the world and says whether a step can run, and its guards hold.
func (r *run) ground(ctx context.Context, step providers.Step) ground {
	return r.grounds(ctx, []providers.Step{step}, func(step providers.Step, input providers.Input) ground {
		found := r.judge(step, input)
		if found.State == providers.Holds {
			// Its guards are looked at last: what holds is to be as fresh as can be.
			r.guardsNow(ctx, step, &found)
		}
		return found
	})[0]
}

// grounds looks at the world for steps of one resource until each can be told. What cannot be told is looked at again
// for a while, since one dropped connection must not end a maintenance window; it is never run.
func (r *run) grounds(ctx context.Context, steps []providers.Step, judge func(providers.Step, providers.Input) ground) []ground {
	limit := r.within(r.Limits.withDefaults().Ground)
	out := make([]ground, len(steps))
	open := make([]int, len(steps))
	for i := range steps {
		open[i] = i
	}
	for pause := time.Second; ; pause = min(2*pause, 10*time.Second) {
		asked := make([]providers.Step, len(open))
		for k, i := range open {
			asked[k] = steps[i]
		}
		input, err := r.observe(ctx, asked...)
		var unknown []int
		for _, i := range open {
			if out[i] = (ground{input: input}); err != nil {
				out[i].State, out[i].Why = providers.Unknown, err.Error()
			} else {
				out[i] = judge(steps[i], input)
			}
			switch out[i].State {
			case providers.Holds, providers.Done, providers.Moved, providers.Waits:
				continue
			}
			out[i].State = providers.Unknown
			if !out[i].Final && !r.halted(ctx, steps[i]) {
				unknown = append(unknown, i)
			}
		}
		if open = unknown; len(open) == 0 || limit.ends(pause) || r.tasks.Sleep(ctx, pause) != nil {
			return out
		}
	}
}

// judge says of one look what it means for a step, its guards apart.
func (r *run) judge(step providers.Step, input providers.Input) ground {
	stands := func(state providers.ReadyState, why string) ground {
		return ground{providers.Readiness{State: state, Why: why}, input, nil}
	}
	if err := sameCluster(r.plan.Request.Identity(), identityOf(input)); err != nil {
		return stands(providers.Moved, err.Error())
	}
	if why := planner.OtherCluster(input.World, step.Node); why != "" {
		return stands(providers.Moved, why)
	}
	ready := r.Effects[step.Operation].Ready(input, step)
	if before, ok := r.History.Done(step.ID); ok && ready.State == providers.Holds && !r.guards.mayRepeat(step.ID) {
		return stands(providers.Moved, fmt.Sprintf(
			"this plan did it and proved it at %s, and now it is as before: something undid it; find out what, then make a new plan", before.At.UTC().Format(time.RFC3339)))
	}
	return ground{ready, input, nil}
}

// groundNow looks once, at one step's own ground alone.
func (r *run) groundNow(ctx context.Context, step providers.Step) ground {
	input, err := r.observe(ctx, step)
	if err != nil {
		return ground{providers.Readiness{State: providers.Unknown, Why: err.Error()}, input, nil}
	}
	return r.judge(step, input)
}

// observe looks at what steps of one resource need, in bounded time.
func (r *run) observe(ctx context.Context, steps ...providers.Step) (providers.Input, error) {
	limit := r.Limits.withDefaults().Look
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer in %s", limit))
	defer cancel()
	input, err := r.Observe(ctx, steps...)
	if err != nil {
		return input, fmt.Errorf("look at the ground of step %s: %w", steps[0].ID, err)
	}
	r.places(input)
	return input, nil
}

// places tells the book which nodes take room in the lanes of the plan, where the look saw the cluster's nodes.
func (r *run) places(input providers.Input) {
	if taken, seen := planner.Taken(r.plan.Lanes, input); seen {
		r.report(func(book *schedule.Schedule) error {
			book.Taken(taken)
			return nil
		})
	}
}
