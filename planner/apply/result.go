package apply

import (
	"fmt"
	"math"
	"time"

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
	Pending StepOutcome = "pending" // the run ended before it
)

// Succeeded reports whether what the step is for is so.
func (o StepOutcome) Succeeded() bool { return o == Done || o == Skipped }

// Outcome is how a run ended.
type Outcome string

// The outcomes of a run. The command line maps them to exit codes: 0, 3, 1, 4, 130.
const (
	Complete    Outcome = "complete"    // every step is done or was already so
	Partial     Outcome = "partial"     // some steps ran and were proved, others were not
	Nothing     Outcome = "nothing"     // no step ran and was proved; one that failed may have changed something
	Stale       Outcome = "stale"       // nothing was changed: whatever was to be done had its ground moved
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

// progress is what the steps so far mean for those to come.
type progress struct {
	outcomes map[string]StepOutcome
	// ended holds, for each serial group that ended early, the step that ended it.
	ended map[string]string
}

func newProgress() *progress {
	return &progress{outcomes: map[string]StepOutcome{}, ended: map[string]string{}}
}

func (p *progress) record(step providers.Step, r StepResult) {
	p.outcomes[step.ID] = r.Outcome
	if step.SerialGroup != "" && !r.Outcome.Succeeded() && p.ended[step.SerialGroup] == "" {
		p.ended[step.SerialGroup] = step.ID
	}
}

// blocks says why a step must not start; empty: nothing blocks it.
func (p *progress) blocks(step providers.Step) string {
	if by := p.ended[step.SerialGroup]; step.SerialGroup != "" && by != "" {
		return fmt.Sprintf("serial group %q ended at step %s, which was %s", step.SerialGroup, by, p.outcomes[by])
	}
	for _, id := range step.After {
		if outcome := p.outcomes[id]; !outcome.Succeeded() {
			return fmt.Sprintf("it must come after step %s, which was %s", id, outcome)
		}
	}
	return ""
}
