package wiring

import (
	"context"
	"fmt"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// Observer observes what resources need: *observe.Observer.
type Observer interface {
	Resources(ctx context.Context, desired config.Desired, resources []providers.Resource) (facts.World, error)
}

// Looker looks at the world for the steps of one run. What a look discovers is what operations resolve names in from then
// on.
type Looker struct {
	Nodes    *Nodes
	Observer Observer
	Desired  config.Desired
	// Memory returns what the run remembers now.
	Memory func() facts.Memory
	// Replace are the addresses that the plan was asked to renew.
	Replace []providers.Address
}

// Step observes what a step needs.
func (l Looker) Step(ctx context.Context, step providers.Step) (providers.Input, error) {
	resource, ok := l.resource(step.Address.Resource())
	if !ok {
		return providers.Input{}, fmt.Errorf("step %s belongs to %s, which the plan does not declare", step.ID, step.Address.Resource())
	}
	world, inventory, err := l.look(ctx, []providers.Resource{resource})
	if err != nil {
		return providers.Input{}, err
	}
	return providers.Input{World: world, Memory: l.Memory(), Now: world.ObservedAt, Replace: l.Replace, Inventory: inventory}, nil
}

// Identity observes which cluster this is, through all that is declared.
func (l Looker) Identity(ctx context.Context) (planner.Identity, error) {
	world, _, err := l.look(ctx, providers.Declared[providers.Resource](l.Desired))
	if err != nil {
		return planner.Identity{}, err
	}
	return planner.Request{World: world}.Identity(), nil
}

func (l Looker) look(ctx context.Context, resources []providers.Resource) (facts.World, providers.Inventory, error) {
	world, err := l.Observer.Resources(ctx, l.Desired, resources)
	if err != nil {
		return facts.World{}, providers.Inventory{}, err
	}
	inventory := providers.NewInventory(l.Desired, world)
	l.Nodes.Know(inventory)
	return world, inventory, nil
}

func (l Looker) resource(address providers.Address) (providers.Resource, bool) {
	for _, resource := range providers.Declared[providers.Resource](l.Desired) {
		if resource.Address() == address {
			return resource, true
		}
	}
	return nil, false
}
