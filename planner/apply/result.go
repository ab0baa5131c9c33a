package apply

import (
	"math"
	"slices"
	"time"

	"upkeep/planner"
	"upkeep/providers"
)

// StepOutcome is how a step ended.
type StepOutcome string

// The outcomes of a step.
const (
	Done    StepOutcome = "done"    // it ran and was proved
	Skipped StepOutcome = "skipped" // what it would do was already so
	Refused StepOutcome = "refused" // its ground had moved or was unknown; it did not run
	Failed  StepOutcome = "failed"  // it ran, and failed or was not proved
	Blocked StepOutcome = "blocked" // something that it waits for did not succeed; it did not run
	Waiting StepOutcome = "waiting" // it waits for something that passes by itself; apply again when it has
	Pending StepOutcome = "pending" // the run ended before it
)

// Succeeded reports whether what the step is for is so.
func (o StepOutcome) Succeeded() bool { return o == Done || o == Skipped }

// Outcome is how a run ended.
type Outcome string

// The outcomes of a run. The command line maps them to exit codes: 0, 3, 1, 3 (5: OnlyWindows), 4, 130.
const (
	Complete    Outcome = "complete"    // every step is done or was already so
	Partial     Outcome = "partial"     // some steps ran and were proved, others were not
	Nothing     Outcome = "nothing"     // no step ran and was proved; one that failed may have changed something
	Waits       Outcome = "waiting"     // what could be done is done, and the rest waits for something that passes by itself
	Stale       Outcome = "stale"       // nothing was changed: what the step had to do had its ground moved
	Interrupted Outcome = "interrupted" // told to stop before the last step
)

// Result is what a run did.
type Result struct {
	Plan      string    `json:"plan"`
	Digest    string    `json:"digest"`
	Outcome   Outcome   `json:"outcome"`
	Resumed   bool      `json:"resumed,omitempty"`
	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at"`
	// Cluster is the cluster that the run found before it began; empty when it did not start.
	Cluster planner.Identity `json:"cluster,omitzero"`
	// Steps are in the plan's order, one for each of its steps; empty when the run did not start.
	Steps []StepResult `json:"steps"`
}

// StepResult is how one step ended.
type StepResult struct {
	Step      string      `json:"step"`
	Node      string      `json:"node,omitempty"`
	Operation string      `json:"operation"`
	Outcome   StepOutcome `json:"outcome"`
	// Why is what was proved, or why the step was skipped, refused or blocked, or the error.
	Why string `json:"why,omitempty"`
	// Moved: it was refused because its ground had moved, not because it was unknown.
	Moved bool `json:"moved,omitempty"`
	// StartedAt and Seconds are those of the act and its proof together; zero for a step that did not run.
	StartedAt time.Time `json:"started_at,omitzero"`
	Seconds   float64   `json:"seconds,omitempty"`
	// Slept: it took longer than it may, so the machine slept or its clock jumped, and Seconds says nothing of the step.
	Slept bool `json:"-"`
	// Since is when a step that waits began to wait, For what it waits for in words, and Window the window that this is,
	// if it is one. They are zero where it waits for another step.
	Since  time.Time `json:"since,omitzero"`
	For    string    `json:"for,omitempty"`
	Window string    `json:"window,omitempty"`
}

// OnlyWindows reports whether the run did nothing, and all that is left waits for a maintenance window.
func (r Result) OnlyWindows() bool {
	if r.Outcome != Waits || r.Count(Done) > 0 {
		return false
	}
	return !slices.ContainsFunc(r.Steps, func(s StepResult) bool { return s.For != "" && s.Window == "" })
}

// Count returns how many steps ended so.
func (r Result) Count(outcome StepOutcome) int {
	n := 0
	for _, s := range r.Steps {
		if s.Outcome == outcome {
			n++
		}
	}
	return n
}

func resultOf(step providers.Step, outcome StepOutcome, why string) StepResult {
	return StepResult{Step: step.ID, Node: step.Node, Operation: step.Operation, Outcome: outcome, Why: why}
}

func outcomeOf(steps []StepResult) Outcome {
	r := Result{Steps: steps}
	moved := 0
	for _, s := range steps {
		if s.Moved {
			moved++
		}
	}
	switch {
	case r.Count(Pending) > 0:
		return Interrupted
	case r.Count(Done)+r.Count(Skipped) == len(steps):
		return Complete
	case r.Count(Waiting) > 0 && r.Count(Done)+r.Count(Skipped)+r.Count(Waiting) == len(steps):
		return Waits
	case r.Count(Done) > 0:
		return Partial
	case moved > 0 && moved == r.Count(Refused) && r.Count(Failed) == 0:
		return Stale
	default:
		return Nothing
	}
}

// seconds rounds to milliseconds: more is noise in a file that people read.
func seconds(d time.Duration) float64 { return math.Round(d.Seconds()*1000) / 1000 }
