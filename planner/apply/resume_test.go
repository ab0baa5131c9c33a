package apply_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/providers/facts"
	"upkeep/state/journal"
)

func names(prefix string, n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprint(prefix, i+1))
	}
	return list
}

// checkOnce says whether every step's change was made exactly once. Their order is the schedule's to say.
func checkOnce(t interface{ Errorf(string, ...any) }, plan planner.Plan, acts []string) {
	var want []string
	for _, s := range plan.Steps {
		want = append(want, s.ID)
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(acts))); diff != "" {
		t.Errorf("changes made (-want +got):\n%s", diff)
	}
}

// Whatever record the machine dies at, the next apply finishes the work, and no step's change is made twice.
func TestEveryJournalPrefixResumes(t *testing.T) {
	whole := &memoryJournal{dies: -1}
	c := newCluster("cp1", "cp2", "w1")
	if _, err := onTasks(c.executor(whole, journal.History{})).Run(t.Context(), planFor(c, []string{"cp1", "cp2"}, []string{"w1"})); err != nil {
		t.Fatal(err)
	}
	for dies := range whole.records {
		for _, early := range []bool{false, true} {
			c := newCluster("cp1", "cp2", "w1")
			plan := planFor(c, []string{"cp1", "cp2"}, []string{"w1"})
			j := &memoryJournal{dies: dies, early: early}
			if _, err := onTasks(c.executor(j, journal.History{})).Run(t.Context(), plan); !errors.Is(err, errDied) {
				t.Fatalf("dying at record %d: %v", dies, err)
			}
			second := &memoryJournal{dies: -1}
			result, err := onTasks(c.executor(second, journal.HistoryOf(j.records...))).Run(t.Context(), plan)
			if err != nil || result.Outcome != apply.Complete {
				t.Errorf("after dying at record %d: %s, %v, %v", dies, result.Outcome, outcomes(result), err)
			}
			checkOnce(t, plan, c.Acts)
			checkRuleTwo(t, plan, c.log)
		}
	}
}

// Random plans, faults and power failures. In every run of the plan rule 2 holds; when the faults are gone, apply
// finishes the work; and no change is ever made twice.
func TestAnythingGoesWrongThenAllIsWell(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		controlPlanes := names("cp", rapid.IntRange(0, 4).Draw(t, "control planes"))
		workers := names("w", rapid.IntRange(0, 3).Draw(t, "workers"))
		c := newCluster(append(slices.Clone(controlPlanes), workers...)...)
		plan := planFor(c, controlPlanes, workers)
		if len(plan.Steps) == 0 {
			return
		}
		passing := []fault{"", "", fails, lies, slow, tooSlow, halfway, unknown, flickers}
		var history []journal.Record
		for range rapid.IntRange(1, 4).Draw(t, "bad runs") {
			c.faults, c.looks, c.visible = map[string]fault{}, map[string]int{}, map[string]time.Time{}
			for _, s := range plan.Steps {
				c.faults[s.ID] = rapid.SampledFrom(passing).Draw(t, s.ID)
			}
			j := &memoryJournal{dies: rapid.IntRange(-1, 2*len(plan.Steps)).Draw(t, "dies"), early: rapid.Bool().Draw(t, "early")}
			c.log = nil
			_, err := onTasks(c.executor(j, journal.HistoryOf(history...))).Run(t.Context(), plan)
			if err != nil && !errors.Is(err, errDied) {
				t.Fatal(err)
			}
			checkRuleTwo(t, plan, c.log)
			checkLanesClose(t, plan, history, j.records)
			history = append(history, j.records...)
		}
		c.faults, c.looks, c.visible, c.shown = nil, map[string]int{}, map[string]time.Time{}, map[string]facts.Node{}
		result, err := onTasks(c.executor(&memoryJournal{dies: -1}, journal.HistoryOf(history...))).Run(t.Context(), plan)
		if err != nil || result.Outcome != apply.Complete {
			t.Fatalf("without faults: %s, %v, %+v", result.Outcome, err, result.Steps)
		}
		sorted := slices.Sorted(slices.Values(c.Acts))
		if len(slices.Compact(sorted)) != len(c.Acts) || len(c.Acts) != len(plan.Steps) {
			t.Fatalf("changes made: %v", c.Acts)
		}
	})
}

// checkLanesClose: after a step of a narrow lane failed, or was refused, no other node of the lane starts. One that an
// earlier run left under way may go on.
func checkLanesClose(t *rapid.T, plan planner.Plan, earlier, records []journal.Record) {
	lane, node := map[string]string{}, map[string]string{}
	for _, step := range plan.Steps {
		lane[step.ID], node[step.ID] = narrow(step), step.Node
	}
	begun := map[string]bool{}
	for _, r := range earlier {
		begun[r.Node] = begun[r.Node] || r.Kind == journal.StepStarted
	}
	closed := map[string]string{}
	for _, r := range records {
		by := closed[lane[r.Step]]
		switch {
		case lane[r.Step] == "":
		case r.Kind == journal.StepStarted && by != "" && node[by] != r.Node && !begun[r.Node]:
			t.Fatalf("%s started after %s closed the lane", r.Step, by)
		case (r.Kind == journal.StepFailed || r.Kind == journal.StepRefused) && by == "":
			closed[lane[r.Step]] = r.Step
		}
	}
}
