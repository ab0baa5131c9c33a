package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/planner/report"
	"upkeep/providers"
	"upkeep/state/seen"
)

// recordSeen writes down which findings and which plan were seen now, faults of GPUs and free space of disks, and
// returns what is known of findings and of the steps that wait. What cannot be written is a warning: the command goes on
// without. A plan from recorded facts has seen nothing. Where everything was planned and seen, a step that is not in the
// plan waits no longer.
func recordSeen(ctx context.Context, env environment, w workspace, plan planner.Plan) seen.Seen {
	if plan.Request.Recorded {
		return seen.Seen{}
	}
	everything := plan.Complete && len(plan.Request.Targets)+len(plan.Request.Exclude) == 0
	due := map[string]bool{}
	for _, step := range plan.Steps {
		due[step.ID] = true
	}
	var findings []seen.Finding
	for _, f := range plan.Findings {
		findings = append(findings, seen.FindingOf(f.ID, f.Address, f.Object))
	}
	known, err := updateSeen(ctx, w, func(s seen.Seen) seen.Seen {
		s = s.WithFindings(plan.Request.Now, findings...).WithPlan(plan.Request.Now, plan.Digest, plan.Digests)
		s = withSightings(s, plan)
		if everything {
			s = s.OnlyWaitsOf(plan.Request.Now, func(step string) bool { return due[step] })
		}
		return s
	})
	if err != nil && !unreadable(err) {
		fmt.Fprintf(env.stderr, "Warning: upkeep could not record when it first saw these findings: %v\n", err)
	}
	if err != nil {
		return seen.Seen{}
	}
	return known
}

// firstSeen says since when a finding is known.
func firstSeen(known seen.Seen) report.FirstSeen {
	return func(f providers.Finding) time.Time {
		first, _ := known.First(f.ID, f.Address, f.Object)
		return first
	}
}

// readSeen returns what was seen. What cannot be read is a warning, but for a record that earlier has refused where
// the plan was made just now.
func readSeen(ctx context.Context, env environment, w workspace, planned bool) seen.Seen {
	backend, err := stateBackend(w)
	if err == nil {
		var known seen.Seen
		if known, err = backend.Seen(ctx); err == nil {
			return known
		}
	}
	if !planned || !unreadable(err) {
		fmt.Fprintf(env.stderr, "Warning: upkeep does not know since when steps wait: %v\n", err)
	}
	return seen.Seen{}
}

// unreadable reports whether an error is that of a record which is damaged or a newer upkeep's: earlier has said so.
func unreadable(err error) bool {
	var refused *seen.Error
	return errors.As(err, &refused)
}

// recordWaits writes down which steps a run left waiting, and since when. It is called when the run has given its locks back.
func recordWaits(ctx context.Context, env environment, w workspace, result apply.Result) {
	looked, waits := apply.StillWaiting(result)
	if len(looked) == 0 {
		return
	}
	_, err := updateSeen(context.WithoutCancel(ctx), w, func(s seen.Seen) seen.Seen { return s.WithWaits(result.EndedAt, looked, waits) })
	if err != nil {
		fmt.Fprintf(env.stderr, "Warning: upkeep could not record since when steps wait: %v\n", err)
	}
}

// explainReview adds to the error of a plan that is not the reviewed one what the reviewed one was made of, where a command
// with access to this state has shown it.
func explainReview(ctx context.Context, w workspace, err error) error {
	var differs *planner.ExpectationError
	if !errors.As(err, &differs) || differs.Reviewed == "" {
		return err
	}
	backend, failed := stateBackend(w)
	if failed != nil {
		return err
	}
	known, failed := backend.Seen(ctx)
	if failed != nil {
		return err // without it the error still says which digests to compare
	}
	return differs.Against(known.Plans[differs.Reviewed].Resources)
}

func updateSeen(ctx context.Context, w workspace, change func(seen.Seen) seen.Seen) (seen.Seen, error) {
	backend, err := stateBackend(w)
	if err != nil {
		return seen.Seen{}, err
	}
	return backend.UpdateSeen(ctx, change)
}
