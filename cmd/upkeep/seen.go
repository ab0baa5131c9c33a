package main

import (
	"context"
	"fmt"
	"time"

	"upkeep/planner"
	"upkeep/planner/report"
	"upkeep/providers"
	"upkeep/state/seen"
)

// recordSeen writes down which findings were seen now, and returns since when each is known. What cannot be written is a
// warning: the command goes on without. A plan from recorded facts has seen nothing.
func recordSeen(ctx context.Context, env environment, w workspace, plan planner.Plan) report.FirstSeen {
	unknown := func(providers.Finding) time.Time { return time.Time{} }
	if plan.Request.Recorded {
		return unknown
	}
	var findings []seen.Finding
	for _, f := range plan.Findings {
		findings = append(findings, seen.FindingOf(f.ID, f.Address, f.Object))
	}
	known, err := updateSeen(ctx, w, func(s seen.Seen) seen.Seen { return s.WithFindings(plan.Request.Now, findings...) })
	if err != nil {
		fmt.Fprintf(env.stderr, "Warning: upkeep could not record when it first saw these findings: %v\n", err)
		return unknown
	}
	return func(f providers.Finding) time.Time {
		first, _ := known.First(f.ID, f.Address, f.Object)
		return first
	}
}

func updateSeen(ctx context.Context, w workspace, change func(seen.Seen) seen.Seen) (seen.Seen, error) {
	backend, err := stateBackend(w)
	if err != nil {
		return seen.Seen{}, err
	}
	return backend.UpdateSeen(ctx, change)
}
