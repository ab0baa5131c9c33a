package apply

import (
	"context"
	"fmt"
	"strings"

	"upkeep/planner"
	"upkeep/providers"
)

// lapse is a guard that was begun and does not hold any more.
type lapse struct {
	guard string
	begin int    // which of the plan's steps began it
	step  string // that step's id
	seen  string // what is not as that step left it
	// input is the look that saw it, at which the step's ground held: it can run again.
	input providers.Input
}

func (l lapse) String() string {
	return fmt.Sprintf("the guard %q, which step %s began, does not hold any more: %s", l.guard, l.step, l.seen)
}

// undone refuses a step whose guard began again and does not hold all the same: whoever undoes it is still at it.
func (l lapse) undone() providers.Readiness {
	return providers.Readiness{State: providers.Moved, Why: fmt.Sprintf(
		"%s; upkeep began it again, and it was undone again: find out who does that and stop it, then apply again", l)}
}

// guardsNow looks once at the guards that a step goes within, where each of them began: what was done there must still be
// so. A guard that does not hold is found.lapsed where it can begin again; else the step cannot run.
func (e *Executor) guardsNow(ctx context.Context, plan planner.Plan, step providers.Step, found *ground) {
	for _, b := range planner.Within(plan.Steps, step) {
		begin := plan.Steps[b.Step]
		now := e.groundNow(ctx, plan, begin)
		switch now.State {
		case providers.Done:
			continue
		case providers.Holds:
			found.lapsed = &lapse{guard: b.Guard, begin: b.Step, step: begin.ID, seen: e.unlike(now, begin), input: now.input}
			return
		case providers.Moved:
			found.Readiness = now.Readiness
			found.Why = fmt.Sprintf("the guard %q, which step %s began, does not hold any more and cannot begin again: %s; look into that, then make a new plan", b.Guard, begin.ID, now.Why)
		default:
			found.Readiness = now.Readiness
			found.Why = fmt.Sprintf("whether the guard %q, which step %s began, still holds cannot be told: %s; apply again when it can be seen", b.Guard, begin.ID, now.Why)
		}
		return
	}
	e.dormantNow(ctx, plan, step, found)
}

// dormantNow looks once whether a guard is needed by now that was not when the plan was made: a provider that lost patience
// with its tenants' leases since. Where its first step could not run, or cannot be looked at, it stays as it was planned.
func (e *Executor) dormantNow(ctx context.Context, plan planner.Plan, step providers.Step, found *ground) {
	for _, d := range plan.Dormant(step) {
		input, err := e.look(ctx, providers.Step{ID: step.ID, Address: d.Of})
		if err != nil {
			found.Readiness = providers.Readiness{State: providers.Unknown, Why: err.Error()}
			return
		}
		for _, begin := range d.Begin(input) {
			if effect := e.Effects[begin.Operation]; effect == nil || effect.Ready(input, begin).State != providers.Holds {
				continue
			}
			// It may pass, like a provider that is just being restarted.
			found.Readiness = providers.Readiness{State: providers.Unknown, Why: fmt.Sprintf(
				"the guard %q of %s was not needed when the plan was made, and is needed now: %s; make a new plan", d.Guard, d.Of, strings.Join(begin.Why, "; "))}
			return
		}
	}
}

// unlike says what is not as a step left it.
func (e *Executor) unlike(now ground, step providers.Step) string {
	if err := e.Effects[step.Operation].Proved(now.input, now.input, step); err != nil {
		return err.Error()
	}
	return now.Why
}

// beginAgain runs the step that began a guard once more, proves it, and tells and records it like every other act. Its end
// is still to come, so what it does is undone like the first time. An error means that it was not started.
func (e *Executor) beginAgain(ctx context.Context, plan planner.Plan, l lapse, progress *progress) error {
	begin := plan.Steps[l.begin]
	result, err := e.act(ctx, plan, l.begin, ground{providers.Readiness{State: providers.Holds, Why: l.String()}, l.input, &l})
	if result.Outcome == Pending {
		return err
	}
	progress.record(begin, result)
	e.tell(StepEnded{At: e.now(), Number: l.begin + 1, Of: len(plan.Steps), Step: begin, Result: result})
	return err
}
