package backup

import (
	"fmt"

	"upkeep/providers"
)

// guard is what a block provides for the disruptive steps of any domain: a proved bundle younger than max_age.
type guard struct{ spec Spec }

// Guards provides the guard "backup".
func (s Spec) Guards() map[string]providers.Guard {
	return map[string]providers.Guard{Guard: {Before: guard{s}.before, Target: s.Store.String()}} // it has no end: a bundle stays
}

// before returns the step that takes a bundle, even where one is young enough now: a plan may be applied later, and the
// step is skipped when there is one then.
func (g guard) before(in providers.Input, guarded []providers.Step) []providers.Step {
	r := g.spec.review(in)
	step := r.takeStep()
	what := "steps"
	if len(guarded) == 1 {
		what = "step"
	}
	step.Why = append(step.Why, fmt.Sprintf("%d %s of this plan must not begin without one", len(guarded), what))
	return []providers.Step{step}
}
