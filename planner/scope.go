package planner

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"

	"upkeep/providers"
)

// scope is the part of the desired state that a plan is asked for: with -target, only what a target names; with
// -exclude, not what an exclusion names.
type scope struct {
	targets, exclude []providers.Address
}

// newScope checks that every address of the request names something that is declared or was found.
func newScope(r Request, resources []providers.Resource, found providers.Outcome, inventory providers.Inventory) (scope, error) {
	s := scope{targets: r.Targets, exclude: r.Exclude}
	if len(r.Targets)+len(r.Exclude)+len(r.Replace) == 0 {
		return s, nil
	}
	var names []providers.Address
	for _, resource := range resources {
		address := resource.Address()
		names = append(names, address)
		for _, need := range resource.Needs().Nodes {
			nodes, _ := inventory.Select(need.Nodes)
			for _, node := range nodes {
				names = append(names, address.On(node.Name))
			}
		}
	}
	for _, step := range found.Steps {
		names = append(names, step.Address)
	}
	for _, object := range found.Objects {
		names = append(names, object.Address)
	}
	for _, finding := range found.Findings {
		names = append(names, finding.Address)
	}
	for _, flag := range []struct {
		name      string
		addresses []providers.Address
	}{{"-target", r.Targets}, {"-exclude", r.Exclude}, {"-replace", r.Replace}} {
		for _, address := range flag.addresses {
			if o, out := inventory.Out(address.Node); out {
				if flag.name == "-exclude" {
					continue // it is left out already
				}
				return s, fmt.Errorf("%s=%s: node %s is out until %s (%q, owner %s), and nothing is planned for a node that is out", flag.name, address, o.Node, o.Until, o.Reason, o.Owner)
			}
			if !slices.ContainsFunc(names, address.Covers) {
				return s, fmt.Errorf("%s=%s names nothing in this configuration%s", flag.name, address, closest(address.String(), names))
			}
		}
	}
	return s, nil
}

// closest returns "; did you mean X?" for the nearest of some addresses, or lists them where none is near.
func closest(word string, names []providers.Address) string {
	best, distance := "", 0
	for _, name := range names {
		if d := levenshtein.Distance(word, name.String(), nil); best == "" || d < distance {
			best, distance = name.String(), d
		}
	}
	if best != "" && distance <= max(2, len(word)/3) {
		return "; did you mean " + best + "?"
	}
	var resources []string
	for _, name := range names {
		if s := name.Resource().String(); !slices.Contains(resources, s) && len(resources) < 10 {
			resources = append(resources, s)
		}
	}
	if len(resources) == 0 {
		return "; it declares no resource"
	}
	return "; it has " + strings.Join(resources, ", ")
}

// everything reports whether nothing was left out on request.
func (s scope) everything() bool { return len(s.targets)+len(s.exclude) == 0 }

// has reports whether something at an address was asked for.
func (s scope) has(address providers.Address) bool {
	covers := func(a providers.Address) bool { return a.Covers(address) }
	return (len(s.targets) == 0 || slices.ContainsFunc(s.targets, covers)) && !slices.ContainsFunc(s.exclude, covers)
}

// touches reports whether anything of a resource was asked for.
func (s scope) touches(resource providers.Address) bool {
	return (len(s.targets) == 0 || slices.ContainsFunc(s.targets, func(a providers.Address) bool { return a.Resource().Covers(resource) })) &&
		!slices.ContainsFunc(s.exclude, func(a providers.Address) bool { return a.Covers(resource) })
}

// limit returns the steps that were asked for and can run without those that were not. A step that waits for one left
// out is left out too, and a warning says so.
func (s scope) limit(steps []providers.Step) (kept []providers.Step, warnings []string, err error) {
	if s.everything() {
		return steps, nil, nil
	}
	index := make(map[string]int, len(steps))
	for i, step := range steps {
		index[step.ID] = i
	}
	dependants := make([][]int, len(steps))
	for i, step := range steps {
		for _, id := range step.After {
			before, ok := index[id]
			if !ok {
				return nil, nil, fmt.Errorf("step %s waits for %q, which is not in the plan", step.ID, id)
			}
			dependants[before] = append(dependants[before], i)
		}
	}
	out := make([]bool, len(steps))
	var queue []int
	for i, step := range steps {
		if !s.has(step.Address) {
			out[i] = true
			queue = append(queue, i)
		}
	}
	type loss struct {
		steps       int
		first, wait string
	}
	losses := map[providers.Address]*loss{}
	var order []providers.Address
	for len(queue) > 0 {
		before := queue[0]
		queue = queue[1:]
		for _, i := range dependants[before] {
			if out[i] {
				continue
			}
			out[i] = true
			queue = append(queue, i)
			resource := steps[i].Address.Resource()
			l := losses[resource]
			if l == nil {
				l = &loss{first: steps[i].ID, wait: steps[before].ID}
				losses[resource] = l
				order = append(order, resource)
			}
			l.steps++
		}
	}
	for _, resource := range order {
		l := losses[resource]
		warnings = append(warnings, fmt.Sprintf("%s of %s left out: %s waits for %s, which -target or -exclude leaves out",
			count(l.steps, "more step"), resource, l.first, l.wait))
	}
	kept = []providers.Step{}
	for i, step := range steps {
		if !out[i] {
			kept = append(kept, step)
		}
	}
	return kept, warnings, nil
}

// overruled warns of steps that were excluded and are there all the same, since they guard others.
func (s scope) overruled(guards []providers.Step) (warnings []string) {
	for _, step := range guards {
		for _, address := range s.exclude {
			if address.Covers(step.Address) {
				warnings = append(warnings, fmt.Sprintf("-exclude=%s does not leave out %s: other steps need it as their guard", address, step.ID))
				break
			}
		}
	}
	return warnings
}

// flag names the flag that left something out.
func (s scope) flag() string {
	if len(s.targets) > 0 {
		return "-target"
	}
	return "-exclude"
}

// split divides findings into those about what was asked for and those about what was left out. A finding of a resource
// as such belongs to what was asked for as soon as any part of the resource does; one that belongs to no resource does
// so unless it is about a node that was left out.
func (s scope) split(findings []providers.Finding, resources []providers.Resource, inventory providers.Inventory) (in, out []providers.Finding) {
	if s.everything() {
		return findings, nil
	}
	declared := map[providers.Address]bool{}
	for _, resource := range resources {
		declared[resource.Address()] = true
	}
	asked := s.asks(resources, inventory)
	in = []providers.Finding{}
	for _, f := range findings {
		mine := f.Address.Node == "" || asked(f.Address.Node)
		if declared[f.Address.Resource()] {
			mine = s.has(f.Address) || f.Address.Node == "" && s.touches(f.Address)
		}
		if mine {
			in = append(in, f)
		} else {
			out = append(out, f)
		}
	}
	return in, out
}
