package apply

import (
	"fmt"
	"slices"

	"upkeep/planner"
	"upkeep/providers"
	"upkeep/state/journal"
)

// progress is what the steps so far mean for those to come. What it says of a step takes as long as the step has brackets,
// lanes and edges, however many steps the plan has.
type progress struct {
	plan  planner.Plan
	at    map[string]int // the steps' indices by id
	index providers.BracketIndex
	// guards and guarded are those of the brackets; guarded in the plan's order, with each one's place in it, and of dormant
	// brackets alone.
	guards  []providers.Guard
	guarded map[int][]providers.Step
	place   map[int]map[string]int
	// leftOpen are the steps that end a guard which an earlier run began and did not end.
	leftOpen map[string]bool
	// results are the latest of each step: one that began a guard may have run again.
	results map[string]StepResult
	// begun are the brackets whose beginning ran in this run. One that ran and was not proved may have taken effect.
	begun map[int]bool
	// closed holds, for each lane that is closed, the step that closed it; changed the series that changed something, and
	// failed the nodes of each lane that failed after that.
	closed  map[string]string
	changed map[providers.Address]bool
	failed  map[string]map[string]bool
}

func newProgress(plan planner.Plan, history journal.History) (*progress, error) {
	guards, err := plan.Guards()
	if err != nil {
		return nil, err // of such a configuration no plan was made
	}
	p := &progress{
		plan: plan, at: make(map[string]int, len(plan.Steps)), index: providers.IndexBrackets(plan.Brackets), guards: guards,
		guarded: map[int][]providers.Step{}, place: map[int]map[string]int{}, leftOpen: map[string]bool{},
		results: map[string]StepResult{}, begun: map[int]bool{},
		closed: map[string]string{}, changed: map[providers.Address]bool{}, failed: map[string]map[string]bool{},
	}
	for i, step := range plan.Steps {
		p.at[step.ID] = i
		for _, b := range p.index.Guarded[step.ID] {
			if !plan.Brackets[b].Dormant() {
				continue
			}
			if p.place[b] == nil {
				p.place[b] = map[string]int{}
			}
			p.place[b][step.ID] = len(p.guarded[b])
			p.guarded[b] = append(p.guarded[b], step)
		}
	}
	for _, r := range history.Records() {
		switch r.Kind {
		case journal.StepStarted:
			for _, b := range p.begins(r.Step) {
				for _, end := range plan.Brackets[b].End {
					p.leftOpen[end] = true
				}
			}
		case journal.StepDone, journal.StepSkipped:
			delete(p.leftOpen, r.Step)
		}
	}
	return p, nil
}

// begins are the brackets that a step begins: those it stands in front of, and those without a beginning of their own that
// guard it.
func (p *progress) begins(step string) []int {
	out := p.index.Begins[step]
	for _, b := range p.index.Guarded[step] {
		if len(p.plan.Brackets[b].Begin) == 0 {
			out = append(slices.Clip(out), b)
		}
	}
	return out
}

// record keeps how a step ended.
func (p *progress) record(step providers.Step, r StepResult) {
	p.results[step.ID] = r
	switch r.Outcome {
	case Done, Skipped, Failed:
		for _, b := range p.begins(step.ID) {
			p.begun[b] = true
		}
	}
	if r.Outcome == Done || r.Outcome == Failed {
		p.changed[step.Series()] = true
	}
	if r.Outcome.Succeeded() {
		return
	}
	for _, lane := range step.Lanes {
		if p.closed[lane.Name] == "" && (lane.Strict || p.fails(lane, step)) {
			p.closed[lane.Name] = step.ID
		}
	}
}

// fails counts a node that failed after its first change, and reports whether those are too many by now for the lane.
func (p *progress) fails(lane providers.Lane, step providers.Step) bool {
	if lane.Failures == providers.NeverCloses || !p.changed[step.Series()] {
		return false
	}
	if p.failed[lane.Name] == nil {
		p.failed[lane.Name] = map[string]bool{}
	}
	p.failed[lane.Name][step.Node] = true
	return len(p.failed[lane.Name]) > lane.Failures
}

// blocks says why a step must not start; empty: nothing blocks it.
func (p *progress) blocks(step providers.Step) string {
	if ends := p.index.Ends[step.ID]; len(ends) > 0 {
		if !p.mustEnd(step) {
			return fmt.Sprintf("the guard %q, which it ends, never began", p.plan.Brackets[ends[0]].Guard)
		}
		return ""
	}
	if why := p.lost(step); why != "" {
		return why
	}
	for _, id := range p.after(step) {
		if _, ran := p.results[id]; !ran {
			return fmt.Sprintf("it must come after step %s, which has not run", id)
		}
	}
	return p.needless(step)
}

// after are the steps that must have succeeded first: those that the step itself names, and the beginnings of its guards.
func (p *progress) after(step providers.Step) []string {
	out := step.After
	for _, b := range p.index.Guarded[step.ID] {
		out = append(slices.Clip(out), p.plan.Brackets[b].Begin...)
	}
	return out
}

// lost says what that has happened keeps a step from running, whatever else comes before it; empty: nothing so far.
func (p *progress) lost(step providers.Step) string {
	for _, lane := range step.Lanes {
		by := p.closed[lane.Name]
		if by == "" || !lane.Strict && p.changed[step.Series()] {
			continue // a node that is under way goes on
		}
		return fmt.Sprintf("lane %q was closed by step %s, which was %s", lane.Name, by, p.results[by].Outcome)
	}
	for _, id := range p.after(step) {
		if r, ran := p.results[id]; ran && !r.Outcome.Succeeded() {
			return fmt.Sprintf("it must come after step %s, which was %s", id, r.Outcome)
		}
	}
	return ""
}

// needless says why a step that begins a guard need not begin it: nothing that it guards can run any more, and a guard such
// as "leases" interrupts something itself. Empty where it begins none, or where something can still run.
func (p *progress) needless(step providers.Step) string {
	for _, i := range p.index.Begins[step.ID] {
		b := p.plan.Brackets[i]
		if len(b.End) == 0 {
			continue
		}
		why := ""
		for _, id := range b.Guarded {
			if why = p.lost(p.plan.Steps[p.at[id]]); why == "" {
				return ""
			}
		}
		if why != "" {
			return fmt.Sprintf("nothing is left for the guard %q, which it begins: %s", b.Guard, why)
		}
	}
	return ""
}

// mustEnd reports whether a step ends a guard that was begun: it then runs once all that it surrounds has ended, however it
// ended. A beginning of an earlier run of this plan counts where that run did not come to the end.
func (p *progress) mustEnd(step providers.Step) bool {
	return p.leftOpen[step.ID] || slices.ContainsFunc(p.index.Ends[step.ID], func(b int) bool { return p.begun[b] })
}

// mayRepeat reports whether a step that was done may be done once more: one that begins a guard, since this plan itself ends
// it and what is left must be guarded, whoever undid it; and one that ends a guard.
func (p *progress) mayRepeat(step providers.Step) bool {
	return len(p.index.Ends[step.ID]) > 0 ||
		slices.ContainsFunc(p.index.Begins[step.ID], func(b int) bool { return len(p.plan.Brackets[b].End) > 0 })
}

// beginning is a step that begins a guard which another step ends.
type beginning struct {
	guard string
	step  int // its index among the plan's steps
}

// within are the beginnings of the guards that a step goes within, in the plan's order. Guards without an end (a backup that
// was taken stays taken) are not among them, nor are those without a beginning of their own.
func (p *progress) within(step providers.Step) []beginning {
	var out []beginning
	for _, i := range p.index.Guarded[step.ID] {
		b := p.plan.Brackets[i]
		if len(b.End) == 0 {
			continue
		}
		for _, id := range b.Begin {
			if found := (beginning{b.Guard, p.at[id]}); !slices.Contains(out, found) {
				out = append(out, found)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b beginning) int { return a.step - b.step })
	return out
}

// left are the steps that a dormant bracket guards, from a step on.
func (p *progress) left(bracket int, step providers.Step) []providers.Step {
	return p.guarded[bracket][p.place[bracket][step.ID]:]
}
