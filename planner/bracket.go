package planner

import (
	"slices"

	"upkeep/providers"
)

// Beginnings returns the ids of the steps that begin the guard which a step ends: of those that it waits for, the ones
// that are not guarded by it. A guard that has no beginning of its own begins with the first step that it guards: all of
// them are returned. Nothing for a step that ends no guard.
func Beginnings(steps []providers.Step, end providers.Step) []string {
	if end.Ends == "" {
		return nil
	}
	var begin, guarded []string
	for _, step := range steps {
		switch {
		case step.ID == end.ID || !slices.Contains(end.After, step.ID):
		case Guarded(step, end):
			guarded = append(guarded, step.ID)
		default:
			begin = append(begin, step.ID)
		}
	}
	if len(begin) == 0 {
		return guarded
	}
	return begin
}

// Guarded reports whether a step goes within the guard that another step ends.
func Guarded(step, end providers.Step) bool {
	return slices.Contains(end.After, step.ID) && (slices.Contains(step.Guards, end.Ends) || slices.Contains(step.Prefers, end.Ends))
}

// Beginning is a step that begins a guard which another step ends.
type Beginning struct {
	Guard string
	Step  int // its index among the plan's steps
}

// Within returns the beginnings of the guards that a step goes within, in the plan's order. Guards without an end (a backup
// that was taken stays taken) are not among them, nor are those without a beginning of their own.
func Within(steps []providers.Step, step providers.Step) []Beginning {
	var out []Beginning
	for _, end := range steps {
		if end.Ends == "" || !Guarded(step, end) {
			continue
		}
		waits := make(map[string]bool, len(end.After))
		for _, id := range end.After {
			waits[id] = true
		}
		for i, other := range steps {
			if b := (Beginning{Guard: end.Ends, Step: i}); waits[other.ID] && other.ID != end.ID && !Guarded(other, end) && !slices.Contains(out, b) {
				out = append(out, b)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Beginning) int { return a.Step - b.Step })
	return out
}

// Begins reports whether a step begins a guard that another step ends.
func Begins(steps []providers.Step, step providers.Step) bool {
	for _, end := range steps {
		if end.Ends != "" && end.ID != step.ID && slices.Contains(end.After, step.ID) && !Guarded(step, end) {
			return true
		}
	}
	return false
}
