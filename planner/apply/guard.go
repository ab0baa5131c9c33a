package apply

import (
	"context"
	"fmt"
	"strings"

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
func (e *Executor) guardsNow(ctx context.Context, p *progress, step providers.Step, found *ground) {
	for _, b := range p.within(step) {
		begin := p.plan.Steps[b.step]
		now := e.groundNow(ctx, p, begin)
		switch now.State {
		case providers.Done:
			continue
		case providers.Holds:
			found.lapsed = &lapse{guard: b.guard, begin: b.step, step: begin.ID, seen: e.unlike(now, begin), input: now.input}
			return
		case providers.Moved:
			found.Readiness = now.Readiness
			found.Why = fmt.Sprintf("the guard %q, which step %s began, does not hold any more and cannot begin again: %s; look into that, then make a new plan", b.guard, begin.ID, now.Why)
		default:
			found.Readiness = now.Readiness
			found.Why = fmt.Sprintf("whether the guard %q, which step %s began, still holds cannot be told: %s; apply again when it can be seen", b.guard, begin.ID, now.Why)
		}
		return
	}
	for _, i := range p.index.Guarded[step.ID] {
		b := p.plan.Brackets[i]
		if !b.Condition && !b.Dormant() {
			continue
		}
		if !e.asksNow(ctx, p, i, step, found) {
			return
		}
	}
}

// asksNow asks the provider of a guard once about a step: whether its condition holds, and, where the guard was not needed
// when the plan was made, whether it is by now. It reports whether the step can run; else found says why not.
func (e *Executor) asksNow(ctx context.Context, p *progress, bracket int, step providers.Step, found *ground) bool {
	b, guard := p.plan.Brackets[bracket], p.guards[bracket]
	input, err := e.look(ctx, providers.Step{ID: step.ID, Address: b.Of})
	if err != nil {
		found.Readiness = providers.Readiness{State: providers.Unknown, Why: err.Error()}
		return false
	}
	if b.Condition {
		switch ready := e.holdsNow(guard, input, step); ready.State {
		case providers.Holds, providers.Done:
		default:
			found.Readiness = ready
			found.Why = fmt.Sprintf("the guard %q of %s does not hold: %s", b.Guard, b.Of, ready.Why)
			return false
		}
	}
	if !b.Dormant() {
		return true
	}
	for _, begin := range guard.Begin(input, p.left(bracket, step)) {
		// Where its first step could not run, or cannot be looked at, the guard stays as it was planned.
		if effect := e.Effects[begin.Operation]; effect == nil || effect.Ready(input, begin).State != providers.Holds {
			continue
		}
		// It may pass, like a provider that is just being restarted.
		found.Readiness = providers.Readiness{State: providers.Unknown, Why: fmt.Sprintf(
			"the guard %q of %s was not needed when the plan was made, and is needed now: %s; make a new plan", b.Guard, b.Of, strings.Join(begin.Why, "; "))}
		return false
	}
	return true
}

// holdsNow asks a condition. A guard that this upkeep does not know as one cannot be asked.
func (e *Executor) holdsNow(guard providers.Guard, input providers.Input, step providers.Step) providers.Readiness {
	if guard.Holds == nil {
		return providers.Readiness{State: providers.Unknown, Final: true, Why: "no block of the plan can be asked for it; make a new plan"}
	}
	return guard.Holds(input, step)
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
func (e *Executor) beginAgain(ctx context.Context, p *progress, l lapse) error {
	begin := p.plan.Steps[l.begin]
	result, err := e.act(ctx, p, l.begin, ground{providers.Readiness{State: providers.Holds, Why: l.String()}, l.input, &l})
	if result.Outcome == Pending {
		return err
	}
	p.record(begin, result)
	e.tell(StepEnded{At: e.now(), Number: l.begin + 1, Of: len(p.plan.Steps), Step: begin, Result: result})
	return err
}
