package report

import (
	"time"

	"upkeep/planner"
	"upkeep/providers"
	"upkeep/state/seen"
)

// Wait is a step that an earlier apply left waiting for something that passes by itself, and that is still due.
type Wait struct {
	Step    string            `json:"step"`
	Address providers.Address `json:"address"` // with its node
	For     string            `json:"for"`     // as the last apply that came to it saw it
	Since   time.Time         `json:"since"`
	// LastSeen is when an apply last saw it wait.
	LastSeen time.Time `json:"last_seen"`
}

// Waits returns the steps of a plan that are known to wait, in the plan's order. A plan from recorded facts knows none.
func Waits(p planner.Plan, known seen.Seen) (out []Wait) {
	for _, step := range p.Steps {
		if w, waits := known.Waits[step.ID]; waits && !p.Request.Recorded {
			out = append(out, Wait{Step: step.ID, Address: step.Address, For: w.For, Since: w.First, LastSeen: w.Last})
		}
	}
	return out
}

// WithWaits returns the plan with the steps that are known to wait.
func (p PlanJSON) WithWaits(waits []Wait) PlanJSON {
	p.Upkeep.Waits = waits
	return p
}

// WithWaits returns the status with the steps that are known to wait.
func (s StatusJSON) WithWaits(waits []Wait) StatusJSON {
	s.Waits = waits
	return s
}
