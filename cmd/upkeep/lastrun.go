package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/planner/report/text"
	"upkeep/providers"
	"upkeep/providers/strictjson"
	"upkeep/state"
	"upkeep/state/journal"
)

// runFlag asks status for a run instead of the cluster.
func runFlag() cli.Flag {
	return &cli.StringFlag{Name: "run", Usage: "say what a run did, step by step: `last`, or a plan's id (`upkeep state show` lists them)"}
}

// showRun says what the runs of a plan have done. It reads the journal and the plan's copy alone, and asks no node: it
// works when nothing else does.
func showRun(ctx context.Context, env environment, cmd *cli.Command, which string) error {
	w, err := open(env, cmd)
	if err != nil {
		return err
	}
	backend, err := stateBackend(w)
	if err != nil {
		return err
	}
	remembered, err := backend.Read(ctx)
	if err != nil && which == latestRun {
		return err
	}
	plan := which
	if which == latestRun {
		if len(remembered.Runs) == 0 {
			return fmt.Errorf("the state %s knows of no run yet", backend.Describe())
		}
		plan = remembered.Runs[len(remembered.Runs)-1].PlanID
	}
	history, err := backend.History(ctx, plan)
	if err != nil {
		return err
	}
	record, known := remembered.Run(plan)
	if !history.Started() && !known {
		return fmt.Errorf("the state %[2]s has no journal of plan %[1]s; `upkeep state show` lists the last runs", plan, backend.Describe())
	}
	steps, err := stepsOf(ctx, backend, plan)
	if err != nil {
		return err
	}
	recalled := apply.Recall(plan, steps, history)
	if !history.Started() { // it died before its first record
		recalled.Digest, recalled.Who, recalled.StartedAt, recalled.Overrides = record.Digest, record.Who, record.StartedAt, record.Overrides
	}
	if cmd.Bool("json") {
		return printJSON(env.stdout, recalled)
	}
	_, err = io.WriteString(env.stdout, runLines(recalled, holderOf(ctx, backend)))
	return err
}

// holderOf returns who holds the state's lock now; nil when nobody does (a run that is dead holds nothing), or that cannot be told.
func holderOf(ctx context.Context, backend state.Backend) *state.LockInfo {
	info, held, err := backend.Holder(ctx)
	if err != nil || !held || info.Stale != "" {
		return nil
	}
	return &info
}

// stepsOf reads the steps of a plan's copy, for their names alone: nothing is done with them. No copy, no steps.
func stepsOf(ctx context.Context, backend state.Backend, id string) ([]providers.Step, error) {
	data, err := backend.Document(ctx, id, state.SavedPlan)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if data, err = planner.Unpack(data, maxFile); err != nil {
		return nil, fmt.Errorf("the saved copy of plan %s: %w", id, err)
	}
	var plan struct {
		Steps []providers.Step `json:"steps"`
	}
	if err := strictjson.Decode(data, &plan); err != nil {
		return nil, fmt.Errorf("the saved copy of plan %s is damaged: %w", id, err)
	}
	return plan.Steps, nil
}

// runLines is a recollection for people.
func runLines(r apply.JournalSummary, holder *state.LockInfo) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("plan     %s", r.Plan)
	if r.Digest != "" {
		line("digest   %s", text.Clean(r.Digest))
	}
	times := ""
	if r.Starts > 1 {
		times = fmt.Sprintf(", applied %d times", r.Starts)
	}
	line("started  %s by %s%s", r.StartedAt.UTC().Format(time.RFC3339), text.Clean(r.Who), times)
	switch {
	case r.Outcome != "":
		line("ended    %s: %s", r.EndedAt.UTC().Format(time.RFC3339), text.Clean(r.Outcome))
	case holder != nil:
		line("ended    not yet: %s, process %d, holds the state's lock", text.Clean(holder.Who), holder.PID)
	default:
		line("ended    it did not say: it was killed, or lost its machine")
	}
	for _, override := range r.Overrides {
		line("OVERRIDE %s", text.Clean(override))
	}
	line("")
	width := 0
	for _, step := range r.Steps {
		width = max(width, len(step.Step))
	}
	for i, step := range r.Steps {
		summary := step.Summary
		if summary == "" {
			summary = step.Operation
		}
		line("%4d  %-9s  %-*s  %s", i+1, step.Status, width, text.Clean(step.Step), text.Clean(summary))
		switch {
		case step.Status == apply.StatusHalfDone && step.Last == journal.StepStarted:
			line("      begun %s and neither proved nor ended: look before you act; `upkeep plan` looks", step.At.UTC().Format(time.RFC3339))
			if step.Undo != "" {
				line("      undo: %s", text.Clean(step.Undo))
			}
		case step.Last != "" && step.Last != journal.StepDone && step.Why != "":
			line("      %s: %s", strings.TrimPrefix(string(step.Last), "step_"), text.Clean(step.Why))
		}
	}
	if len(r.Steps) > 0 {
		line("")
	}
	line("%d done, %d half-done, %d untouched.", r.Done, r.HalfDone, r.Untouched)
	if !r.Complete {
		line("The copy of the plan is not there: steps that were never begun are not listed.")
	}
	return b.String()
}
