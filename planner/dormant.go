package planner

import (
	"slices"

	"upkeep/providers"
)

// Dormant is a guard that a block provides and that was not needed around a step when the plan was made.
type Dormant struct {
	Guard string
	// Of is the block that provides it: what that block needs must be observed to ask again.
	Of providers.Address

	provides providers.Guard
	guarded  []providers.Step
}

// Dormant returns the guards that a step of the plan names and that are provided, but whose providers put nothing before it.
func (p Plan) Dormant(step providers.Step) []Dormant {
	names := needs(step)
	if len(names) == 0 {
		return nil
	}
	resources, err := resourcesOf(p.Request.Desired)
	if err != nil {
		return nil // of such a configuration no plan was made
	}
	var out []Dormant
	for _, resource := range resources {
		guardian, ok := resource.(providers.Guardian)
		if !ok {
			continue
		}
		guards := guardian.Guards()
		for _, name := range names {
			if guards[name] == nil {
				continue
			}
			d := Dormant{Guard: name, Of: resource.Address(), provides: guards[name]}
			left := false // the step itself and those after it
			var all []providers.Step
			for _, other := range p.Steps {
				left = left || other.ID == step.ID
				if !slices.Contains(needs(other), name) {
					continue
				}
				all = append(all, other)
				if left {
					d.guarded = append(d.guarded, other)
				}
			}
			if len(d.provides.Before(p.Request.input(), all)) == 0 {
				out = append(out, d)
			}
		}
	}
	return out
}

// Begin returns the steps with which the guard would begin around what is left of the plan, in the world as it is now. None:
// it is still not needed.
func (d Dormant) Begin(in providers.Input) []providers.Step { return d.provides.Before(in, d.guarded) }
