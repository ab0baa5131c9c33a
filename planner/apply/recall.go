package apply

import (
	"time"

	"upkeep/providers"
	"upkeep/state/journal"
)

// Blocker is what a run has left a step as.
type StepStatus string

// The standings of a step.
const (
	StatusDone      StepStatus = "done"      // it was proved, or was so already
	StatusHalfDone  StepStatus = "half-done" // it was begun and not proved since: look at the world before anything else
	StatusUntouched StepStatus = "untouched" // it was never begun
)

// JournalSummary is what the journal of a plan says of its runs.
type JournalSummary struct {
	Plan      string    `json:"plan"`
	Digest    string    `json:"digest,omitempty"`
	Who       string    `json:"who,omitempty"`
	Starts    int       `json:"starts"` // how often the plan was applied
	StartedAt time.Time `json:"started_at,omitzero"`
	// EndedAt and Outcome are the last run's; empty where it goes on, or was killed.
	EndedAt   time.Time `json:"ended_at,omitzero"`
	Outcome   string    `json:"outcome,omitempty"`
	Overrides []string  `json:"overrides,omitempty"`
	// Complete: the plan is known, so that steps which were never begun are listed.
	Complete  bool          `json:"complete"`
	Done      int           `json:"done"`
	HalfDone  int           `json:"half_done"`
	Untouched int           `json:"untouched"`
	Steps     []StepSummary `json:"steps"`
}

// StepSummary is what the journal says of one step.
type StepSummary struct {
	Step      string     `json:"step"`
	Node      string     `json:"node,omitempty"`
	Operation string     `json:"operation,omitempty"`
	Summary   string     `json:"summary,omitempty"`
	Status    StepStatus `json:"status"`
	// Last is the kind of the last record about it, and Why what that says.
	Last    journal.Kind `json:"last,omitempty"`
	Why     string       `json:"why,omitempty"`
	At      time.Time    `json:"at,omitzero"`
	Seconds float64      `json:"seconds,omitempty"`
	// Undo is how the step is undone, as the plan says.
	Undo string `json:"undo,omitempty"`
}

// Recall says what the runs of a plan have done, step by step: in the plan's order where its steps are known, else in the
// order in which the journal names them. Pure.
func Recall(plan string, steps []providers.Step, history journal.History) JournalSummary {
	r := JournalSummary{Plan: plan, Complete: len(steps) > 0, Steps: []StepSummary{}}
	index := map[string]int{}
	for _, step := range steps {
		index[step.ID] = len(r.Steps)
		r.Steps = append(r.Steps, StepSummary{
			Step: step.ID, Node: step.Node, Operation: step.Operation, Summary: step.Summary, Status: StatusUntouched, Undo: step.Undo,
		})
	}
	for _, record := range history.Records() {
		switch record.Kind {
		case journal.RunStarted:
			if r.Starts == 0 {
				r.StartedAt = record.At
			}
			r.Starts++
			r.Digest, r.Who, r.Overrides = record.Digest, record.Who, record.Overrides
			r.EndedAt, r.Outcome = time.Time{}, ""
			continue
		case journal.RunEnded:
			r.EndedAt, r.Outcome = record.At, record.Outcome
			continue
		}
		i, known := index[record.Step]
		if !known {
			i = len(r.Steps)
			index[record.Step] = i
			r.Steps = append(r.Steps, StepSummary{Step: record.Step, Node: record.Node, Operation: record.Operation, Status: StatusUntouched})
		}
		step := &r.Steps[i]
		step.Last, step.Why, step.At, step.Seconds = record.Kind, record.Text, record.At, record.Seconds
		switch record.Kind {
		case journal.StepDone, journal.StepSkipped:
			step.Status = StatusDone
		case journal.StepStarted, journal.StepFailed:
			step.Status = StatusHalfDone
		}
		// A refusal says that nothing was done this time; what an earlier run began is still what it was.
	}
	for _, step := range r.Steps {
		switch step.Status {
		case StatusDone:
			r.Done++
		case StatusHalfDone:
			r.HalfDone++
		default:
			r.Untouched++
		}
	}
	return r
}
