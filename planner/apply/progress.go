package apply

import (
	"fmt"
	"slices"

	"upkeep/planner"
	"upkeep/providers"
	"upkeep/state/journal"
)

// progress is what the steps so far mean for those to come.
type progress struct {
	steps   []providers.Step
	history journal.History
	// results are the latest of each step: one that began a guard may have run again.
	results map[string]StepResult
	// ended holds, for each serial group that ended early, the step that ended it.
	ended map[string]string
}

func newProgress(steps []providers.Step, history journal.History) *progress {
	return &progress{steps: steps, history: history, results: map[string]StepResult{}, ended: map[string]string{}}
}

func (p *progress) record(step providers.Step, r StepResult) {
	p.results[step.ID] = r
	if step.SerialGroup != "" && !r.Outcome.Succeeded() && p.ended[step.SerialGroup] == "" {
		p.ended[step.SerialGroup] = step.ID
	}
}

// blocks says why a step must not start; empty: nothing blocks it.
func (p *progress) blocks(step providers.Step) string {
	if step.Ends != "" {
		if !p.mustEnd(step) {
			return fmt.Sprintf("the guard %q, which it ends, never began", step.Ends)
		}
		return ""
	}
	if why := p.lost(step); why != "" {
		return why
	}
	for _, id := range step.After {
		if _, ran := p.results[id]; !ran {
			return fmt.Sprintf("it must come after step %s, which has not run", id)
		}
	}
	return p.needless(step)
}

// lost says what that has happened keeps a step from running, whatever else comes before it; empty: nothing so far.
func (p *progress) lost(step providers.Step) string {
	if by := p.ended[step.SerialGroup]; step.SerialGroup != "" && by != "" {
		return fmt.Sprintf("serial group %q ended at step %s, which was %s", step.SerialGroup, by, p.results[by].Outcome)
	}
	for _, id := range step.After {
		if r, ran := p.results[id]; ran && !r.Outcome.Succeeded() {
			return fmt.Sprintf("it must come after step %s, which was %s", id, r.Outcome)
		}
	}
	return ""
}

// needless says why a step that begins a guard need not begin it: nothing that it guards can run any more, and a guard such
// as "leases" interrupts something itself. Empty where it begins none, or where something can still run.
func (p *progress) needless(step providers.Step) string {
	for _, end := range p.steps {
		if end.Ends == "" || planner.Guarded(step, end) || !slices.Contains(planner.Beginnings(p.steps, end), step.ID) {
			continue
		}
		why := ""
		for _, guarded := range p.steps {
			if !planner.Guarded(guarded, end) {
				continue
			}
			if why = p.lost(guarded); why == "" {
				return ""
			}
		}
		if why != "" {
			return fmt.Sprintf("nothing is left for the guard %q, which it begins: %s", end.Ends, why)
		}
	}
	return ""
}

// mustEnd reports whether a step ends a guard that was begun: it then runs once all that it waits for has ended, however
// it ended. A beginning that ran and was not proved may have taken effect, so it counts; one of an earlier run of this plan
// counts where that run did not come to the end.
func (p *progress) mustEnd(step providers.Step) bool {
	if step.Ends == "" {
		return false
	}
	for _, id := range planner.Beginnings(p.steps, step) {
		switch p.results[id].Outcome {
		case Done, Skipped, Failed:
			return true
		}
		if p.history.Open(id, step.ID) { // an earlier run of the plan began it and did not end it
			return true
		}
	}
	return false
}
