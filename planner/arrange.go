package planner

import (
	"slices"

	"upkeep/providers"
)

// arrange puts the steps of the brackets among the due steps: before the first step that needs them. The steps that end
// a guard stand there, too: they run as soon as the last guarded step has ended.
func arrange(due []providers.Step, brackets []*bracket) placement {
	if len(brackets) == 0 {
		return placement{steps: due}
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
	waits := ownFirst(due, brackets)
	out := placement{steps: all}
	for i := range all {
		all[i].After = union(all[i].After, waits[all[i].ID])
		if guard[all[i].ID] {
			out.placed = append(out.placed, all[i])
		}
	}
	return out
}

// ownFirst lets whoever provides a guard do its own work before its guard begins: a provider that is stopped for
// somebody else's work cannot be upgraded meanwhile. Where that work waits for what is guarded, it stays where it is.
// It returns what steps wait for.
func ownFirst(due []providers.Step, brackets []*bracket) map[string][]string {
	var around []*bracket // those within which something runs
	for _, b := range brackets {
		if len(b.before) > 0 && len(b.after) > 0 {
			around = append(around, b)
		}
	}
	waits := map[string][]string{}
	if len(around) == 0 {
		return waits
	}
	byResource := map[providers.Address][]providers.Step{}
	for _, step := range due {
		byResource[step.Address.Resource()] = append(byResource[step.Address.Resource()], step)
	}
	edges := edgesOf(due, brackets)
	for _, b := range around {
		within := map[string]bool{}
		for _, step := range slices.Concat(b.guarded, b.after) {
			within[step.ID] = true
		}
		for _, begin := range b.before {
			for _, step := range byResource[begin.Address.Resource()] {
				before := reached(edges, step.ID)
				if step.ID == begin.ID || within[step.ID] || before[begin.ID] || slices.ContainsFunc(b.guarded, func(g providers.Step) bool { return before[g.ID] }) {
					continue
				}
				waits[begin.ID] = append(waits[begin.ID], step.ID)
				edges[begin.ID] = append(edges[begin.ID], step.ID)
			}
		}
	}
	return waits
}

// edgesOf says for each step what it waits for: by After, and by the brackets.
func edgesOf(due []providers.Step, brackets []*bracket) map[string][]string {
	edges := map[string][]string{}
	add := func(steps []providers.Step) {
		for _, step := range steps {
			edges[step.ID] = append(edges[step.ID], step.After...)
		}
	}
	add(due)
	for _, b := range brackets {
		add(b.before)
		add(b.after)
		before, within := idsOf(b.before), b.within()
		for _, id := range within {
			edges[id] = append(edges[id], before...)
		}
		for _, end := range b.after {
			edges[end.ID] = append(append(edges[end.ID], before...), within...)
		}
	}
	return edges
}

// reached are the steps that a step waits for, directly or not.
func reached(edges map[string][]string, from string) map[string]bool {
	seen := map[string]bool{}
	open := []string{from}
	for len(open) > 0 {
		id := open[len(open)-1]
		open = open[:len(open)-1]
		for _, before := range edges[id] {
			if !seen[before] {
				seen[before] = true
				open = append(open, before)
			}
		}
	}
	return seen
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
