package apply

import (
	"context"
	"fmt"
	"strings"

	"upkeep/planner/schedule"
	"upkeep/providers"
	"upkeep/state/journal"
)

// lostGuard is a guard that was begun and does not hold any more.
type lostGuard struct {
	guard string
	step  string // which step of the plan began it
	seen  string // what is not as that step left it
}

func (l lostGuard) String() string {
	return fmt.Sprintf("the guard %q, which step %s began, no longer holds: %s", l.guard, l.step, l.seen)
}

// undone refuses a step whose guard began again and does not hold all the same: whoever undoes it is still at it.
func (l lostGuard) undone() string {
	return fmt.Sprintf("%s; upkeep began it again, and it was undone again: find out who does that and stop it, then apply again", l)
}

// lostGuard lets the guard begin again that a step goes within, or refuses the step where that was done before.
func (r *run) lostGuard(step providers.Step, l lostGuard) {
	begins := false
	r.report(func(book *schedule.Schedule) (err error) {
		r.lostGuards[l.step] = l.String()
		begins, err = book.GuardLost(step.ID, l.step)
		return err
	})
	if !begins {
		result := resultOf(step, Refused, l.undone())
		result.Moved = true
		r.end(step, result, journal.StepRefused)
	}
}

// guardsNow looks once at the guards that a step goes within, where each of them began: what was done there must still
// be so. A guard that does not hold is found.lost where it can begin again; else the step cannot run.
func (r *run) guardsNow(ctx context.Context, step providers.Step, found *ground) {
	for _, b := range r.guards.within(step.ID) {
		begin := r.plan.Steps[b.step]
		now := r.groundNow(ctx, begin)
		switch now.State {
		case providers.Done:
			continue
		case providers.Holds:
			found.lost = &lostGuard{guard: b.guard, step: begin.ID, seen: r.unlike(now, begin)}
			return
		case providers.Moved:
			found.Readiness = now.Readiness
			found.Why = fmt.Sprintf("the guard %q, which step %s began, no longer holds and cannot begin again: %s; find the cause, then make a new plan", b.guard, begin.ID, now.Why)
		default:
			found.Readiness = now.Readiness
			found.Why = fmt.Sprintf("whether the guard %q, which step %s began, still holds cannot be told: %s; apply again when it can be seen", b.guard, begin.ID, now.Why)
		}
		return
	}
	for _, i := range r.guards.index.Guarded[step.ID] {
		b := r.plan.Brackets[i]
		if !b.Condition && !b.Dormant() {
			continue
		}
		if !r.asksNow(ctx, i, step, found) {
			return
		}
	}
}

// asksNow asks the provider of a guard once about a step: whether its condition holds, and, where the guard was not
// needed when the plan was made, whether it is by now. It reports whether the step can run; else found says why not.
func (r *run) asksNow(ctx context.Context, bracket int, step providers.Step, found *ground) bool {
	b, guard := r.plan.Brackets[bracket], r.guards.by[bracket]
	input, err := r.observe(ctx, providers.Step{ID: step.ID, Address: b.Of})
	if err != nil {
		found.Readiness = providers.Readiness{State: providers.Unknown, Why: err.Error()}
		return false
	}
	if b.Condition {
		switch ready := r.holdsNow(guard, input, step); ready.State {
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
	for _, begin := range guard.Begin(input, r.guards.left(bracket, step.ID)) {
		// Where its first step could not run, or cannot be looked at, the guard stays as it was planned.
		if effect := r.Effects[begin.Operation]; effect == nil || effect.Ready(input, begin).State != providers.Holds {
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
func (r *run) holdsNow(guard providers.Guard, input providers.Input, step providers.Step) providers.Readiness {
	if guard.Holds == nil {
		return providers.Readiness{State: providers.Unknown, Final: true, Why: "no block of the plan can be asked for it; make a new plan"}
	}
	return guard.Holds(input, step)
}

// unlike says what is not as a step left it.
func (r *run) unlike(now ground, step providers.Step) string {
	if err := r.Effects[step.Operation].Proved(now.input, now.input, step); err != nil {
		return err.Error()
	}
	return now.Why
}
