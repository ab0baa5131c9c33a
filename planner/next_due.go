package planner

import (
	"slices"
	"time"

	"upkeep/providers"
)

// NextDue is what will be found or be due next in a world in which nothing happens.
type NextDue struct {
	At time.Time `json:"at"`
	// Findings and Steps are those that are there then, and are not now.
	Findings []providers.Finding `json:"findings,omitempty"`
	Steps    []string            `json:"steps,omitempty"` // their summaries, each once
}

// mostJumps is how many times an outcome is looked at until something new is in it.
const mostJumps = 50

// NextDue says what time alone brings next; nil: nothing, or nothing that is new soon.
func (p Plan) NextDue(types []providers.Type) (*NextDue, error) {
	w, err := newWalk(p.Request, types, longestWalk, Look{})
	if err != nil {
		return nil, err
	}
	if err := w.review(); err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, s := range w.allSteps() {
		known[s.ID] = true
	}
	before := len(w.course.Found)
	for range mostJumps {
		next := w.next()
		if !next.Before(w.course.Until) {
			return nil, nil
		}
		w.in.Now = next
		if err := w.review(); err != nil {
			return nil, err
		}
		due := NextDue{At: next}
		for _, f := range w.course.Found[before:] {
			if !f.Finding.ByItself {
				due.Findings = append(due.Findings, f.Finding)
			}
		}
		for _, s := range w.allSteps() {
			if !known[s.ID] && !slices.Contains(due.Steps, s.Summary) {
				due.Steps = append(due.Steps, s.Summary)
			}
		}
		if len(due.Findings)+len(due.Steps) > 0 {
			return &due, nil
		}
		before = len(w.course.Found)
	}
	return nil, nil
}

// longestWalk is how far ahead NextDue looks.
const longestWalk = 10 * 365 * 24 * time.Hour

func (w *walk) allSteps() (out []providers.Step) {
	for i := range w.outcomes {
		out = append(out, w.outcomes[i].Steps...)
	}
	return out
}
