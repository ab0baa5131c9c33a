package apply

import (
	"context"
	"fmt"
	"strings"
	"time"

	"upkeep/planner"
	"upkeep/providers"
)

// RefusedError says why a plan was not begun. Nothing was changed.
type RefusedError struct {
	Plan    string
	Reasons []string
	// Stale: the plan was made for another world than this one, and a new plan is the answer (exit code 4).
	Stale bool
}

// Error implements error.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("plan %s was not begun and nothing was changed: %s", e.Plan, strings.Join(e.Reasons, "; "))
}

// accept says whether the plan may be begun at all. It judges the plan alone, not the world.
func (e *Executor) accept(plan planner.Plan) error {
	refuse := func(reasons ...string) error { return &RefusedError{Plan: plan.ID, Reasons: reasons} }
	switch {
	case len(plan.Refusals) > 0:
		return refuse(plan.Refusals...)
	case plan.Request.Recorded:
		return refuse("it was made from recorded facts; make one from the cluster: upkeep plan -out=FILE")
	case len(plan.Steps) == 0:
		return nil
	case !plan.Applyable:
		return refuse("it says that it is not applyable; make a new one: upkeep plan -out=FILE")
	}
	if e.History.Started() {
		if first := e.History.First(); first.Plan != plan.ID || first.Digest != plan.Digest {
			return refuse(fmt.Sprintf("its journal belongs to plan %s with digest %s, and this is plan %s with digest %s: the plan file was changed after it was started; make a new one",
				first.Plan, first.Digest, plan.ID, plan.Digest))
		}
	}
	var begun time.Time
	if e.History.Started() {
		begun = e.History.First().At
	}
	if e.MaxAge > 0 {
		if err := plan.Expired(begun, e.now(), e.MaxAge); err != nil {
			return &RefusedError{Plan: plan.ID, Reasons: []string{err.Error()}, Stale: true}
		}
	}
	if reasons := e.flaws(plan); len(reasons) > 0 {
		return refuse(reasons...)
	}
	return nil
}

// flaws are the reasons why the steps of a plan cannot be run as they stand. Plan files come from disk.
func (e *Executor) flaws(plan planner.Plan) (reasons []string) {
	flaw := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }
	at := map[string]int{}
	for i, step := range plan.Steps {
		_, twice := at[step.ID]
		switch {
		case step.ID == "":
			flaw("a step of %s has no id", step.Address)
		case twice:
			flaw("step %s is there twice", step.ID)
		}
		at[step.ID] = i
		if e.Effects[step.Operation] == nil || e.Operations[step.Operation] == nil {
			flaw("step %s asks for operation %q, which this upkeep does not have", step.ID, step.Operation)
		}
		for _, id := range step.After {
			if _, before := at[id]; !before || id == step.ID {
				flaw("step %s must come after %s, which is not before it in the plan", step.ID, id)
			}
		}
	}
	for _, b := range plan.Brackets {
		reasons = append(reasons, unordered(b, at)...)
	}
	return reasons
}

// unordered finds what is wrong with the order of a bracket's steps in the plan: begin, guarded, end.
func unordered(b providers.Bracket, at map[string]int) (reasons []string) {
	last, latest := -1, ""
	for _, ids := range [][]string{b.Begin, b.Guarded, b.End} {
		next, nextLatest := last, latest
		for _, id := range ids {
			switch i, known := at[id]; {
			case !known:
				reasons = append(reasons, fmt.Sprintf("the guard %q of %s names step %s, which is not in the plan", b.Guard, b.Of, id))
			case i <= last:
				reasons = append(reasons, fmt.Sprintf("step %s must come after %s, by the guard %q of %s", id, latest, b.Guard, b.Of))
			case i > next:
				next, nextLatest = i, id
			}
		}
		last, latest = next, nextLatest
	}
	return reasons
}

// rightCluster compares the cluster that is there with the one that the plan was made for and the one that the state
// belongs to, and returns it.
func (e *Executor) rightCluster(ctx context.Context, plan planner.Plan) (planner.Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, e.Limits.withDefaults().Look)
	defer cancel()
	found, err := e.Identify(ctx)
	if err != nil {
		return found, fmt.Errorf("plan %s was not begun: find out which cluster this is: %w", plan.ID, err)
	}
	if err := sameCluster(plan.Request.Identity(), found); err != nil {
		return found, &RefusedError{Plan: plan.ID, Reasons: []string{err.Error()}, Stale: true}
	}
	if reasons := planner.NotRemembered(e.Remembered, found); len(reasons) > 0 {
		return found, &RefusedError{Plan: plan.ID, Reasons: reasons}
	}
	return found, nil
}

func identityOf(input providers.Input) planner.Identity {
	return planner.Request{World: input.World}.Identity()
}

// sameCluster compares the parts of two identities that both know.
func sameCluster(planned, found planner.Identity) error {
	for _, d := range planned.Differences(found) {
		return fmt.Errorf("this is another cluster than the plan's: the %s is %s, and was %s; check the kubeconfig and the nodes' addresses",
			d.What, d.There, d.Here)
	}
	return nil
}
