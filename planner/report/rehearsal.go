package report

import "upkeep/planner"

// RehearsalJSON is what came of a rehearsal.
type RehearsalJSON struct {
	// Status is "error" where a step did not end well, else the plan's.
	Status Verdict `json:"status"`
	planner.Rehearsal
}

// Rehearsal judges the rehearsal of a plan.
func Rehearsal(p planner.Plan, r planner.Rehearsal) RehearsalJSON {
	out := RehearsalJSON{Status: VerdictOf(p), Rehearsal: r}
	if r.Left() > 0 {
		out.Status = Failed
	}
	return out
}
