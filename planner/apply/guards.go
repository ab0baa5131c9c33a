package apply

import (
	"slices"

	"upkeep/planner"
	"upkeep/providers"
)

// guards is what the plan's brackets say of each step.
type guards struct {
	plan  planner.Plan
	at    map[string]int // where a step stands in the plan
	index providers.BracketIndex
	by    []providers.Guard // of each bracket, what provides it
	// asked are the steps of each dormant bracket, in the plan's order, and place where a step stands among them.
	asked map[int][]providers.Step
	place map[int]map[string]int
}

func newGuards(plan planner.Plan) (guards, error) {
	by, err := plan.Guards()
	if err != nil {
		return guards{}, err // of such a configuration no plan was made
	}
	g := guards{
		plan: plan, at: make(map[string]int, len(plan.Steps)), index: providers.IndexBrackets(plan.Brackets), by: by,
		asked: map[int][]providers.Step{}, place: map[int]map[string]int{},
	}
	for i, step := range plan.Steps {
		g.at[step.ID] = i
		for _, b := range g.index.Guarded[step.ID] {
			if !plan.Brackets[b].Dormant() {
				continue
			}
			if g.place[b] == nil {
				g.place[b] = map[string]int{}
			}
			g.place[b][step.ID] = len(g.asked[b])
			g.asked[b] = append(g.asked[b], step)
		}
	}
	return g, nil
}

// ends reports whether a step ends a bracket.
func (g guards) ends(step string) bool { return len(g.index.Ends[step]) > 0 }

// mayRepeat reports whether a step that was done may be done once more: one that begins a guard, since this plan itself
// ends it and what is left must be guarded, whoever undid it; and one that ends a guard.
func (g guards) mayRepeat(step string) bool {
	return g.ends(step) || slices.ContainsFunc(g.index.Begins[step], func(b int) bool { return len(g.plan.Brackets[b].End) > 0 })
}

// beginning is a step that begins a guard which another step ends.
type beginning struct {
	guard string
	step  int // its index among the plan's steps
}

// within are the beginnings of the guards that a step goes within, in the plan's order. Guards without an end (a backup
// that was taken stays taken) are not among them, nor are those without a beginning of their own.
func (g guards) within(step string) []beginning {
	var out []beginning
	for _, i := range g.index.Guarded[step] {
		b := g.plan.Brackets[i]
		if len(b.End) == 0 {
			continue
		}
		for _, id := range b.Begin {
			if found := (beginning{b.Guard, g.at[id]}); !slices.Contains(out, found) {
				out = append(out, found)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b beginning) int { return a.step - b.step })
	return out
}

// left are the steps that a dormant bracket was asked for, from a step on.
func (g guards) left(bracket int, step string) []providers.Step {
	return g.asked[bracket][g.place[bracket][step]:]
}
