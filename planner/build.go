package planner

import (
	"fmt"
	"slices"

	"upkeep/config"
	"upkeep/providers"
)

// Build makes the plan of a request. It is pure and deterministic, and near-linear in the number of steps.
//
// Build leaves ID and UpkeepVersion empty: the command that keeps the plan gives them. CreatedAt is the request's
// clock. An error means that there is no plan: a target that names nothing, steps that wait for one another in a cycle,
// or a domain that breaks the contract. What a person can put right without changing the request's meaning is not an
// error but a refusal inside the plan.
func Build(r Request, types []providers.Type) (Plan, error) {
	if err := CheckOuts(r.Desired, r.Now); err != nil {
		return Plan{}, err
	}
	r.World = unsettled(r.World)
	resources, err := resourcesOf(r.Desired)
	if err != nil {
		return Plan{}, err
	}
	known, err := register(types, resources, r.metas())
	if err != nil {
		return Plan{}, err
	}
	in := r.input()
	in.Declared = resources
	if in.Owners, err = owners(resources); err != nil {
		return Plan{}, err
	}

	starts := startsOf(known.marks)
	all, err := diff(resources, in, starts)
	if err != nil {
		return Plan{}, err
	}
	known.marks.mark(all.Steps)
	sizes, err := fleetSizes(r)
	if err != nil {
		return Plan{}, err
	}
	ended, err := endedIgnores(r)
	if err != nil {
		return Plan{}, err
	}
	grounds, watched, err := floors(r, providers.NewInventory(r.Desired, r.World))
	if err != nil {
		return Plan{}, err
	}
	all.Objects = append(all.Objects, watched...)
	sizes, lasting := joined(sizes, ended), insecureKubeconfig(r, all.Findings)
	all.Findings = joined(joined(joined(sizes, grounds), lasting), all.Findings)
	scope, err := newScope(r, resources, all, in.Inventory)
	if err != nil {
		return Plan{}, err
	}
	due, leftOut, err := scope.limit(all.Steps)
	if err != nil {
		return Plan{}, err
	}
	asks := scope.asks(resources, in.Inventory)
	wrong, notThis := rightCluster(r, in, asks)
	guarded, err := known.placeGuards(in, due, r.Overrides)
	if err != nil {
		return Plan{}, err
	}
	lanes := setLanes(guarded.steps, in)
	steps, err := order(guarded.steps, guarded.brackets, in.Inventory, in.World)
	if err != nil {
		return Plan{}, err
	}
	working, mustWait := stillRunning(in, resources, steps, asks)
	wrong, notThis = append(wrong, working...), append(notThis, mustWait...)
	predicted, foreseen, err := known.fold(in, steps, guarded.brackets)
	if err != nil {
		return Plan{}, err
	}
	if kept := unlocked(steps, r.Desired, in); len(kept) > 0 && !r.Recorded { // a recorded one is for review, and is not applied
		foreseen = kept // each of them, for this reason before any other
	}
	predicted.Replace = nil // what was asked for once is done by then
	predicted.NoObjects = true
	after, err := diff(resources, predicted, starts)
	if err != nil {
		return Plan{}, err
	}

	if len(steps) > 0 { // a reboot changes what a node stands on
		later := r
		later.World = predicted.World
		if grounds, _, err = floors(later, providers.NewInventory(r.Desired, r.World)); err != nil {
			return Plan{}, err
		}
	}

	p := Plan{
		FormatVersion:    FormatVersion,
		CreatedAt:        r.Now,
		Request:          r,
		Findings:         joined(wrong, all.Findings),
		Steps:            steps,
		Brackets:         guarded.brackets,
		Lanes:            lanes,
		Objects:          all.Objects,
		Remaining:        joined(joined(joined(joined(wrong, sizes), grounds), lasting), after.Findings),
		Refusals:         slices.Concat(sameMachine(in), notThis, guarded.refusals),
		ExpectedRefusals: foreseen,
	}
	overrides, unknown := known.overriding(r, in, guarded.lifted)
	p.Refusals = append(p.Refusals, unknown...)
	p.Outage = all.Outage
	p.Warnings = append(p.Warnings, holdWarning(r.Memory, r.Now)...)
	p.Warnings = append(p.Warnings, overrides...) // first: a person must read them before saying yes
	p.Warnings = append(p.Warnings, known.marks.warnings(resources, scope)...)
	p.Warnings = append(append(p.Warnings, p.tooShort()...), known.marks.labelWarnings()...)
	p.Warnings = append(p.Warnings, strangeOuts(r, in.Inventory)...)
	p.Warnings = append(p.Warnings, all.Warnings...)
	p.Warnings = append(p.Warnings, leftOut...)
	p.Warnings = append(p.Warnings, scope.overruled(guarded.placed)...)
	if scope.everything() && len(after.Steps) > 0 && len(p.Refusals) == 0 {
		p.Warnings = append(p.Warnings, fmt.Sprintf("this plan does not settle: after it %s would be due again, first %s (%s)",
			count(len(after.Steps), "step"), after.Steps[0].ID, after.Steps[0].Summary))
	}
	p.Applyable = len(p.Steps) > 0 && len(p.Refusals) == 0 && !r.Recorded
	found, left := scope.split(p.Findings, resources, in.Inventory)
	if len(left) > 0 {
		p.LeftOut = known.onePerCause(left)
	}
	p.Findings, p.Ignored = ignoring(r, known.onePerCause(found))
	remains, _ := scope.split(p.Remaining, resources, in.Inventory)
	p.Remaining, _ = ignoring(r, known.onePerCause(remains))
	p.Complete = !p.uncertain()
	stale, err := known.staleApprovals(p)
	if err != nil {
		return Plan{}, err
	}
	p.Findings = append(p.Findings, stale...)
	digests, err := known.digest(r, p.Steps, p.Brackets)
	if err != nil {
		return Plan{}, err
	}
	p.Digest, p.Digests = digests.plan, digests.resources
	return p, nil
}

// joined returns both lists as one that is never null in JSON.
func joined(a, b []providers.Finding) []providers.Finding {
	return append(append(make([]providers.Finding, 0, len(a)+len(b)), a...), b...)
}

// input is what the pure decisions of a request depend on.
func (r Request) input() providers.Input {
	return providers.Input{
		World: r.World, Memory: r.Memory, Now: r.Now, Replace: r.Replace,
		Inventory: withoutReplaced(providers.NewInventory(r.Desired, r.World), r.World, r.Memory),
	}
}

// resourcesOf returns the declared resources in declared order.
func resourcesOf(desired config.Desired) ([]providers.Resource, error) {
	resources := make([]providers.Resource, 0, len(desired.Resources))
	declared := make(map[providers.Address]string, len(desired.Resources))
	for _, d := range desired.Resources {
		resource, ok := d.Value.(providers.Resource)
		if !ok {
			continue
		}
		address := providers.Address{Type: d.Type, Name: d.Name, Key: d.Key}
		if got := resource.Address(); got != address {
			return nil, fmt.Errorf("the block %s (%s) calls itself %s", address, d.Position, got)
		}
		if first, twice := declared[address]; twice {
			return nil, fmt.Errorf("%s is declared twice: %s and %s; rename one of them", address, first, d.Position)
		}
		declared[address] = d.Position.String()
		resources = append(resources, resource)
	}
	return resources, nil
}

// diff collects the outcomes of all resources, in their order. What a resource leaves without an address is its own.
func diff(resources []providers.Resource, in providers.Input, starts *starts) (providers.Outcome, error) {
	all := providers.Outcome{Findings: []providers.Finding{}, Steps: []providers.Step{}, Objects: []providers.Object{}}
	planned := map[string]providers.Address{}
	var orders []providers.Order
	for _, resource := range resources {
		address := resource.Address()
		in.Start = starts.of(address, in.Now)
		outcome := providers.Review(resource, in)
		all.Findings = slices.Grow(all.Findings, len(outcome.Findings))
		all.Steps = slices.Grow(all.Steps, len(outcome.Steps))
		for _, finding := range outcome.Findings {
			if finding.Address == (providers.Address{}) {
				finding.Address = address
			}
			all.Findings = append(all.Findings, finding)
		}
		if !in.NoObjects {
			all.Objects = withObjects(all.Objects, outcome.Objects, address)
		}
		for _, step := range outcome.Steps {
			if step.Address == (providers.Address{}) {
				step.Address = address
			}
			if owner, twice := planned[step.ID]; twice || step.ID == "" {
				return all, fmt.Errorf("%s plans a step with the id %q, which %s has already planned", address, step.ID, owner)
			}
			planned[step.ID] = address
			all.Steps = append(all.Steps, step)
		}
		all.Warnings = append(all.Warnings, outcome.Warnings...)
		if outcome.Outage != "" {
			all.Outage = outcome.Outage
		}
		orders = append(orders, outcome.Orders...)
	}
	applyOrders(all.Steps, orders)
	return all, nil
}

// withObjects puts the objects of a resource behind others. The first list is taken as it is: a fleet has many objects.
func withObjects(all, more []providers.Object, owner providers.Address) []providers.Object {
	for i := range more {
		if more[i].Address == (providers.Address{}) {
			more[i].Address = owner
		}
	}
	if len(all) == 0 && len(more) > 0 {
		return more
	}
	return append(all, more...)
}

// applyOrders makes steps wait for one another as orders between resources say.
func applyOrders(steps []providers.Step, orders []providers.Order) {
	for _, o := range orders {
		for i := range steps {
			resource := steps[i].Address.Resource()
			switch {
			case steps[i].ID == o.Step && o.After != (providers.Address{}):
				for _, other := range steps {
					if other.Address.Resource() == o.After {
						steps[i].After = union(steps[i].After, []string{other.ID})
					}
				}
			case steps[i].ID != o.Step && resource == o.Before:
				if slices.ContainsFunc(steps, func(s providers.Step) bool { return s.ID == o.Step }) {
					steps[i].After = union(steps[i].After, []string{o.Step})
				}
			}
		}
	}
}

// owners says which resource each thing belongs to. That two blocks are for one thing is found while the configuration
// is read; here it is an error.
func owners(resources []providers.Resource) (map[string]providers.Address, error) {
	out := map[string]providers.Address{}
	for _, resource := range resources {
		owner, ok := resource.(providers.Owner)
		if !ok {
			continue
		}
		for _, thing := range owner.Owns() {
			if first, twice := out[thing]; twice {
				return nil, fmt.Errorf("%s and %s are both for %s; remove one of the blocks", first, resource.Address(), thing)
			}
			out[thing] = resource.Address()
		}
	}
	return out, nil
}

// count spells a number of things: "1 step", "2 steps".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
