package apply_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/planner/apply"
	"upkeep/state"
	"upkeep/state/journal"
)

func TestFirstInterruptFinishesTheNode(t *testing.T) {
	c := newCluster("cp1", "cp2")
	plan := planFor(c, []string{"cp1", "cp2"}, nil)
	c.break_(map[string]fault{"cp1/restart": slow})
	stop := make(chan struct{}, 2)
	j := &memoryJournal{dies: -1}
	e := c.executor(j, journal.History{})
	e.Stop = stop
	e.Events = func(event apply.Event) {
		if started, ok := event.(apply.StepStarted); ok && started.Number == 2 {
			stop <- struct{}{}
		}
	}
	result, err := onTasks(e).Run(t.Context(), plan)
	if err != nil || result.Outcome != apply.Interrupted {
		t.Errorf("%s, %v", result.Outcome, err)
	}
	if diff := cmp.Diff([]string{"cp1/renew done", "cp1/restart done", "cp2/renew pending", "cp2/restart pending"}, outcomes(result)); diff != "" {
		t.Error(diff)
	}
	if last := j.records[len(j.records)-1]; last.Kind != journal.RunEnded || last.Outcome != "interrupted" {
		t.Errorf("the journal ends with %+v", last)
	}
	// The next apply of the plan does the rest, and nothing twice.
	result, err = onTasks(c.executor(&memoryJournal{dies: -1}, journal.HistoryOf(j.records...))).Run(t.Context(), plan)
	if err != nil || result.Outcome != apply.Complete || !result.Resumed || result.Count(apply.Skipped) != 2 || result.Count(apply.Done) != 2 {
		t.Errorf("resumed: %+v, %v", result, err)
	}
}

func TestACancelledRunStopsAtOnce(t *testing.T) {
	lost := &state.LostError{Why: "test"}
	for name, cause := range map[string]error{"Ctrl-C": nil, "the lock was lost": lost} {
		t.Run(name, func(t *testing.T) {
			c := newCluster("cp1", "w1")
			plan := planFor(c, []string{"cp1"}, []string{"w1"})
			c.break_(map[string]fault{"cp1/restart": hangs})
			ctx, cancel := context.WithCancelCause(t.Context())
			j := &memoryJournal{dies: -1}
			e := c.executor(j, journal.History{})
			e.Events = func(event apply.Event) {
				if progress, ok := event.(apply.StepProgress); ok && strings.HasSuffix(progress.Step.ID, "cp1/restart") {
					cancel(cause)
				}
			}
			result, err := onTasks(e).Run(ctx, plan)
			if result.Outcome != apply.Interrupted || cause == nil && err != nil || cause != nil && !errors.Is(err, cause) {
				t.Errorf("%s, %v", result.Outcome, err)
			}
			if diff := cmp.Diff([]string{"cp1/renew done", "cp1/restart failed", "w1/label done"}, outcomes(result)); diff != "" || !strings.Contains(result.Steps[1].Why, "cancelled") {
				t.Errorf("%s\n%+v", diff, result.Steps)
			}
			c.faults = nil
			result, err = onTasks(c.executor(&memoryJournal{dies: -1}, journal.HistoryOf(j.records...))).Run(t.Context(), plan)
			if err != nil || result.Outcome != apply.Complete {
				t.Errorf("resumed: %+v, %v", result, err)
			}
		})
	}
}
