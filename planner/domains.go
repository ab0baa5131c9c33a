package planner

import (
	"encoding/json"
	"fmt"

	"upkeep/providers"
)

// domains is what types and resources bring to a plan: the meaning of operations, and guards in declared order.
type domains struct {
	effects map[string]providers.Effect
	guards  map[string][]provided
	// rules are what a person can lift for one run, by name, with what each demands.
	rules map[string]string
	// resources are the declared ones, and argsOf says what of a step's arguments its digest covers, by operation.
	resources map[providers.Address]providers.Resource
	argsOf    map[string]func(providers.Resource, providers.Step) (json.RawMessage, error)
	// general are the ids of findings that yield to others of the same cause.
	general map[string]bool
	// marks are what blocks say of all their steps.
	marks metas
}

func register(types []providers.Type, resources []providers.Resource, marks metas) (domains, error) {
	d := domains{effects: map[string]providers.Effect{}, guards: map[string][]provided{}, rules: map[string]string{}, marks: marks,
		resources: map[providers.Address]providers.Resource{}, argsOf: map[string]func(providers.Resource, providers.Step) (json.RawMessage, error){}, general: map[string]bool{}}
	for _, rule := range Rules(types) {
		d.rules[rule.Rule] = rule.Demands
	}
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
			d.argsOf[operation] = t.DigestArgs
		}
	}
	for _, resource := range resources {
		d.resources[resource.Address()] = resource
		if guardian, ok := resource.(providers.GuardProvider); ok {
			for name, guard := range guardian.Guards() {
				d.guards[name] = append(d.guards[name], provided{resource.Address(), guard})
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
// returns the input as the last step leaves it, and the steps that apply is known to refuse. Each step costs what its
// own prediction costs, however large the world.
func (d domains) fold(in providers.Input, steps []providers.Step, brackets []providers.Bracket) (providers.Input, []ExpectedRefusal, error) {
	in, _ = in.Walk()
	guarded := providers.IndexBrackets(brackets).Guarded
	var refused []ExpectedRefusal
	for i := range steps {
		effect, err := d.effect(steps[i])
		if err != nil {
			return in, nil, err
		}
		if steps[i], err = steps[i].WithGround(effect.Ground(in, steps[i])); err != nil {
			return in, nil, err
		}
		ready := effect.Ready(in, steps[i])
		if ready.State == providers.Holds {
			ready = d.conditions(in, brackets, guarded[steps[i].ID], steps[i])
		}
		if ready.State == providers.Moved || ready.State == providers.Unknown {
			refused = append(refused, ExpectedRefusal{Step: steps[i].ID, Why: ready.Why})
		}
		in.Apply(effect.Predict(in, steps[i]))
	}
	return in, refused, nil
}

// guard returns the guard that a bracket is made of; the zero guard where no block provides it.
func (d domains) guard(b providers.Bracket) providers.Guard {
	for _, p := range d.guards[b.Guard] {
		if p.of == b.Of {
			return p.guard
		}
	}
	return providers.Guard{}
}

// Guards returns the guards of a plan's brackets, in their order, from the configuration that the plan embeds.
func (p Plan) Guards() ([]providers.Guard, error) {
	resources, err := resourcesOf(p.Request.Desired)
	if err != nil {
		return nil, err
	}
	known, err := register(nil, resources, p.Request.metas())
	if err != nil {
		return nil, err
	}
	out := make([]providers.Guard, 0, len(p.Brackets))
	for _, b := range p.Brackets {
		out = append(out, known.guard(b))
	}
	return out, nil
}
