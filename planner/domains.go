package planner

import (
	"fmt"

	"upkeep/providers"
)

// domains is what types and resources bring to a plan: the meaning of operations, and guards in declared order.
type domains struct {
	effects map[string]providers.Effect
	guards  map[string][]providers.Guard
	// general are the ids of findings that yield to others of the same cause.
	general map[string]bool
	// marks are what blocks say of all their steps.
	marks metas
}

func register(types []providers.Type, resources []providers.Resource, marks metas) (domains, error) {
	d := domains{effects: map[string]providers.Effect{}, guards: map[string][]providers.Guard{}, general: map[string]bool{}, marks: marks}
	for _, t := range types {
		for _, doc := range t.Findings {
			if doc.General {
				d.general[doc.ID] = true
			}
		}
		for operation, effect := range t.Effects {
			if _, twice := d.effects[operation]; twice {
				return d, fmt.Errorf("two block types give the operation %s a meaning, one of them %s", operation, t.Name)
			}
			d.effects[operation] = effect
		}
	}
	for _, resource := range resources {
		if guardian, ok := resource.(providers.Guardian); ok {
			for name, guard := range guardian.Guards() {
				d.guards[name] = append(d.guards[name], guard)
			}
		}
	}
	return d, nil
}

// effect returns the meaning of a step's operation.
func (d domains) effect(step providers.Step) (providers.Effect, error) {
	effect, ok := d.effects[step.Operation]
	if !ok {
		return nil, fmt.Errorf("step %s: this upkeep does not know the operation %q", step.ID, step.Operation)
	}
	return effect, nil
}

// fold walks the steps over one copy of the world, records in each step what it relies on just before it runs, and
// returns the input as the last step leaves it. Each step costs what its own prediction costs, however large the world.
func (d domains) fold(in providers.Input, steps []providers.Step) (providers.Input, error) {
	in.World = in.World.Clone()
	for i := range steps {
		effect, err := d.effect(steps[i])
		if err != nil {
			return in, err
		}
		steps[i].Expects = effect.Expects(in, steps[i])
		in.Apply(effect.Predict(in, steps[i]))
	}
	return in, nil
}
