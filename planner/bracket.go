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
