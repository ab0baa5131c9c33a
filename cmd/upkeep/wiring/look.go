package wiring

import (
	"context"
	"fmt"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// Observer observes what resources need, or what one question does: *observe.Observer.
type Observer interface {
	Resources(ctx context.Context, desired config.Desired, resources []providers.Resource) (facts.World, error)
	For(ctx context.Context, desired config.Desired, known providers.Input, needs func(providers.Input) providers.Needs) (facts.World, error)
}

// Looker looks at the world for the steps of one run. What a look discovers is what operations resolve names in from then
// on.
type Looker struct {
	Nodes    *Nodes
	Observer Observer
	Desired  config.Desired
	// Effects say what a step needs, by operation; Request is what its plan was made from.
	Effects map[string]providers.Effect
	Request planner.Request
	// Memory returns what the run remembers now.
	Memory func() facts.Memory
}

// Step observes what a step needs (planner.Needs).
func (l Looker) Step(ctx context.Context, step providers.Step) (providers.Input, error) {
	return l.Steps(ctx, step)
}

// Steps observes what steps of one resource need, all of it in one observation.
func (l Looker) Steps(ctx context.Context, steps ...providers.Step) (providers.Input, error) {
	known := l.Request.Input(providers.Declared[providers.Resource](l.Desired))
	for _, step := range steps {
		if known.Resources[step.Address.Resource()] == nil {
			return providers.Input{}, fmt.Errorf("step %s belongs to %s, which the plan does not declare", step.ID, step.Address.Resource())
		}
	}
	world, err := l.Observer.For(ctx, l.Desired, known, func(in providers.Input) (needs providers.Needs) {
		for _, step := range steps {
			needs = needs.And(planner.Needs(l.Effects[step.Operation], in, step))
		}
		return needs
	})
	if err != nil {
		return providers.Input{}, err
	}
	return providers.Input{World: world, Memory: l.Memory(), Now: world.ObservedAt, Replace: l.Request.Replace, Inventory: l.learn(world)}, nil
}

// Identity observes which cluster this is, through all that is declared.
func (l Looker) Identity(ctx context.Context) (planner.Identity, error) {
	world, err := l.Observer.Resources(ctx, l.Desired, providers.Declared[providers.Resource](l.Desired))
	if err != nil {
		return planner.Identity{}, err
	}
	l.learn(world)
	return planner.Request{World: world}.Identity(), nil
}

// learn makes the nodes of a world known to operations.
func (l Looker) learn(world facts.World) providers.Inventory {
	inventory := providers.NewInventory(l.Desired, world)
	l.Nodes.Know(inventory)
	return inventory
}
