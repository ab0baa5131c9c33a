package planner

import (
	"fmt"
	"slices"
	"strings"

	"upkeep/providers"
)

// placement is what came of placing guards.
type placement struct {
	// steps are the steps with their guards, in the order in which they should run where nothing else decides.
	steps    []providers.Step
	placed   []providers.Step // those of steps that are there as guards
	refusals []string
	warnings []string
	lifted   []Override // those that something was held back without
}

// bracket is one guard with the steps it brings.
type bracket struct {
	name          string
	guarded       []providers.Step
	before, after []providers.Step
	ids           []string // of guarded, to see whether another round changed anything
}

// placeGuards puts the steps of each needed guard around the steps that name it: those that come before are waited for
// by every guarded step, those that end the guard wait for every guarded step. It knows no guard: who provides one is
// registered, and what a guard does is the provider's. A guard's own steps may need other guards. A step that the plan
// has anyway, under the same id, serves as the guard's.
func (d domains) placeGuards(in providers.Input, due []providers.Step, overrides []Override) (placement, error) {
	due = d.preferring(due)
	brackets, err := d.brackets(in, due)
	if err != nil {
		return placement{}, err
	}
	out := placement{}
	out.refusals, out.warnings, out.lifted = d.unguarded(due, brackets, overrides)
	out.steps, out.placed = arrange(due, brackets)
	return out, nil
}

// needs returns the guards that go around a step: those that it must have, unless the operator gave a reason for going
// without, and those that it prefers to have.
func needs(step providers.Step) []string {
	required := step.Guards
	if step.GuardNone != "" {
		required = slices.DeleteFunc(slices.Clone(required), step.Waives)
	}
	return slices.Concat(required, step.Prefers)
}

// preferring returns steps that prefer only guards which somebody provides; the given ones are not written into.
func (d domains) preferring(due []providers.Step) []providers.Step {
	var out []providers.Step
	for i, step := range due {
		if len(step.Prefers) == 0 {
			continue
		}
		if out == nil {
			out = slices.Clone(due)
		}
		out[i].Prefers = slices.DeleteFunc(slices.Clone(step.Prefers), func(name string) bool { return d.guards[name] == nil })
		if len(out[i].Prefers) == 0 {
			out[i].Prefers = nil
		}
	}
	if out == nil {
		return due
	}
	return out
}

// brackets asks the needed guards for their steps, again until the steps of guards need no guard that was not asked.
func (d domains) brackets(in providers.Input, due []providers.Step) ([]*bracket, error) {
	var brackets []*bracket
	for range len(d.guards) + 1 {
		next := d.needed(due, brackets)
		if slices.EqualFunc(brackets, next, func(a, b *bracket) bool { return a.name == b.name && slices.Equal(a.ids, b.ids) }) {
			return brackets, nil
		}
		for _, b := range next {
			for _, guard := range d.guards[b.name] {
				b.before = append(b.before, guard.Before(in, b.guarded)...)
				b.after = append(b.after, guard.After(in, b.guarded)...)
			}
			d.marks.mark(b.before)
			d.marks.mark(b.after)
			for i := range b.after {
				b.after[i].Ends = b.name
			}
		}
		brackets = next
	}
	var names []string
	for _, b := range brackets {
		names = append(names, b.name)
	}
	return nil, fmt.Errorf("the guards %s need one another in a circle", strings.Join(names, ", "))
}

// needed lists the provided guards that the due steps, and the steps of the brackets so far, need.
func (d domains) needed(due []providers.Step, brackets []*bracket) []*bracket {
	var out []*bracket
	byName := map[string]*bracket{}
	type pair struct{ guard, step string }
	seen := map[pair]bool{}
	add := func(step providers.Step, owner string) {
		for _, name := range needs(step) {
			if name == owner || d.guards[name] == nil || seen[pair{name, step.ID}] {
				continue
			}
			seen[pair{name, step.ID}] = true
			b := byName[name]
			if b == nil {
				b = &bracket{name: name}
				byName[name] = b
				out = append(out, b)
			}
			b.guarded = append(b.guarded, step)
			b.ids = append(b.ids, step.ID)
		}
	}
	for _, step := range due {
		add(step, "")
	}
	for _, b := range brackets {
		for _, step := range slices.Concat(b.before, b.after) {
			add(step, b.name)
		}
	}
	return out
}

// unguarded says which needed guards nobody provides, and which are done without: by the configuration, or by an override
// of this run. An override does not keep a guard away that is provided.
func (d domains) unguarded(due []providers.Step, brackets []*bracket, overrides []Override) (refusals, warnings []string, lifted []Override) {
	type need struct {
		resource        providers.Address
		guard, position string
		reason          string
	}
	var order []need
	steps := map[need]int{}
	seen := map[string]bool{}
	note := func(step providers.Step) {
		if seen[step.ID] {
			return
		}
		seen[step.ID] = true
		for _, guard := range step.Guards {
			waived := step.Waives(guard)
			if !waived && d.guards[guard] != nil {
				continue
			}
			if o, ok := lifts(overrides, guard, step); ok && !waived && slices.Contains(guardRules, guard) {
				if !slices.Contains(lifted, o) {
					lifted = append(lifted, o)
				}
				continue
			}
			n := need{resource: step.Address.Resource(), guard: guard, position: step.Position}
			if waived {
				n.reason = step.GuardNone
			}
			if steps[n] == 0 {
				order = append(order, n)
			}
			steps[n]++
		}
	}
	for _, step := range due {
		note(step)
	}
	for _, b := range brackets {
		for _, step := range slices.Concat(b.before, b.after) {
			note(step)
		}
	}
	for _, n := range order {
		place := ""
		if n.position != "" {
			place = " (" + n.position + ")"
		}
		if n.reason != "" {
			warnings = append(warnings, fmt.Sprintf("%s goes without the guard %q, guard_none = %q%s", n.resource, n.guard, n.reason, place))
			continue
		}
		if demands, ok := consent(n.guard); ok {
			refusals = append(refusals, fmt.Sprintf("%s of %s would break the rule %q (%s); apply with -override='%s=REASON', or change what the block of %s allows%s",
				count(steps[n], "step"), n.resource, n.guard, demands, n.guard, n.resource, place))
			continue
		}
		verb := "need"
		if steps[n] == 1 {
			verb = "needs"
		}
		refusals = append(refusals, fmt.Sprintf(
			"%s of %s %s the guard %q, and nothing provides it; declare what does, or write guard_none = \"reason\" in the block of %s%s",
			count(steps[n], "step"), n.resource, verb, n.guard, n.resource, place))
	}
	return refusals, warnings, lifted
}

// arrange puts the steps of the brackets among the due steps: before the first step that needs them. The steps that end
// a guard stand there, too: they wait for all guarded steps and so run as soon as the last one has ended.
func arrange(due []providers.Step, brackets []*bracket) (steps, placed []providers.Step) {
	if len(brackets) == 0 {
		return due, nil
	}
	at := make(map[string]int, len(due)) // where a step stands, as the index of the due step it precedes or is
	own := make(map[string]bool, len(due))
	for i, step := range due {
		at[step.ID], own[step.ID] = i, true
	}
	guard := map[string]bool{} // ids of steps that are there as guards
	// Where the guarded steps of one guard are another guard's steps, the other one's place must be known first.
	for range brackets {
		for _, b := range brackets {
			first := len(due)
			for _, step := range b.guarded {
				if i, ok := at[step.ID]; ok {
					first = min(first, i)
				}
			}
			for _, step := range slices.Concat(b.before, b.after) {
				if i, ok := at[step.ID]; !ok || first < i {
					at[step.ID] = first
				}
				guard[step.ID] = true
			}
		}
	}

	waits := map[string][]string{} // what the guards add to After
	for _, b := range brackets {
		mine := map[string]bool{}
		var before []string
		for _, step := range b.before {
			before = append(before, step.ID)
			mine[step.ID] = true
		}
		for _, step := range b.after {
			mine[step.ID] = true
		}
		var all []string
		for _, step := range b.guarded {
			if mine[step.ID] {
				continue // a step does not wait for the guard that it is itself
			}
			waits[step.ID] = append(waits[step.ID], before...)
			all = append(all, step.ID)
		}
		for _, step := range b.after {
			waits[step.ID] = append(append(waits[step.ID], before...), all...)
		}
	}

	ownFirst(due, brackets, waits)
	all := slices.Clone(due)
	for _, b := range brackets {
		for _, step := range slices.Concat(b.before, b.after) {
			if !own[step.ID] {
				own[step.ID] = true
				all = append(all, step)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b providers.Step) int {
		if d := at[a.ID] - at[b.ID]; d != 0 {
			return d
		}
		switch {
		case guard[a.ID] == guard[b.ID]:
			return 0
		case guard[a.ID]:
			return -1
		default:
			return 1
		}
	})
	for i := range all {
		all[i].After = union(all[i].After, waits[all[i].ID])
		if guard[all[i].ID] {
			placed = append(placed, all[i])
		}
	}
	return all, placed
}

// ownFirst lets whoever provides a guard do its own work before its guard begins: a provider that is stopped for somebody
// else's work cannot be upgraded meanwhile. Where that work waits for what is guarded, it stays where it is.
func ownFirst(due []providers.Step, brackets []*bracket, waits map[string][]string) {
	if !slices.ContainsFunc(brackets, func(b *bracket) bool { return len(b.before)*len(b.after) > 0 }) {
		return
	}
	after := map[string][]string{} // by step, what it waits for
	for _, step := range due {
		after[step.ID] = append(after[step.ID], step.After...)
	}
	for _, b := range brackets {
		for _, step := range slices.Concat(b.before, b.after) {
			after[step.ID] = append(after[step.ID], step.After...)
		}
	}
	for id, more := range waits {
		after[id] = append(after[id], more...)
	}
	for _, b := range brackets {
		if len(b.after) == 0 {
			continue // it has no end, so nothing runs inside of it
		}
		for _, begin := range b.before {
			for _, step := range due {
				if step.ID == begin.ID || step.Address.Resource() != begin.Address.Resource() || reaches(after, step.ID, begin.ID) ||
					slices.ContainsFunc(b.after, func(end providers.Step) bool { return end.ID == step.ID }) ||
					slices.ContainsFunc(b.guarded, func(g providers.Step) bool { return g.ID == step.ID || reaches(after, step.ID, g.ID) }) {
					continue
				}
				waits[begin.ID] = append(waits[begin.ID], step.ID)
				after[begin.ID] = append(after[begin.ID], step.ID)
			}
		}
	}
}

// reaches reports whether a step waits for another one, directly or not.
func reaches(after map[string][]string, from, to string) bool {
	seen := map[string]bool{from: true}
	open := []string{from}
	for len(open) > 0 {
		id := open[len(open)-1]
		open = open[:len(open)-1]
		for _, before := range after[id] {
			if before == to {
				return true
			}
			if !seen[before] {
				seen[before] = true
				open = append(open, before)
			}
		}
	}
	return false
}

// union returns a and the values of b that it lacks, in order, without writing into a.
func union(a, b []string) []string {
	if len(b) == 0 {
		return a
	}
	seen := make(map[string]bool, len(a)+len(b))
	out := make([]string, 0, len(a)+len(b))
	for _, s := range slices.Concat(a, b) {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}
