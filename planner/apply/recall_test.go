package apply_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/planner/apply"
	"upkeep/providers"
	"upkeep/state/journal"
)

func TestRecall(t *testing.T) {
	at := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)
	start := journal.Record{At: at, Kind: journal.RunStarted, Plan: "p1", Digest: "sha256:ab", Who: "ops@laptop", Overrides: []string{"backup=a lab"}}
	began := func(id string) journal.Record {
		return journal.Record{At: at, Kind: journal.StepStarted, Step: id, Operation: "o"}
	}
	ended := func(id string, kind journal.Kind) journal.Record {
		return journal.Record{At: at, Kind: kind, Step: id, Operation: "o", Text: "why " + id}
	}
	end := journal.Record{At: at, Kind: journal.RunEnded, Outcome: "partial"}
	steps := []providers.Step{{ID: "a"}, {ID: "b"}, {ID: "c"}}
	for name, test := range map[string]struct {
		steps   []providers.Step
		records []journal.Record
		want    map[string]apply.StepStatus
		outcome string
		starts  int
	}{
		"never begun":                          {steps, nil, map[string]apply.StepStatus{"a": "untouched", "b": "untouched", "c": "untouched"}, "", 0},
		"killed in a step":                     {steps, []journal.Record{start, began("a"), ended("a", journal.StepDone), began("b")}, map[string]apply.StepStatus{"a": "done", "b": "half-done", "c": "untouched"}, "", 1},
		"a step that failed":                   {steps, []journal.Record{start, began("a"), ended("a", journal.StepFailed), ended("b", journal.StepBlocked), end}, map[string]apply.StepStatus{"a": "half-done", "b": "untouched", "c": "untouched"}, "partial", 1},
		"begun once, refused the next time":    {steps, []journal.Record{start, began("a"), start, ended("a", journal.StepRefused), end}, map[string]apply.StepStatus{"a": "half-done", "b": "untouched", "c": "untouched"}, "partial", 2},
		"begun once, found done the next time": {steps, []journal.Record{start, began("a"), start, ended("a", journal.StepSkipped)}, map[string]apply.StepStatus{"a": "done", "b": "untouched", "c": "untouched"}, "", 2},
		"without the plan":                     {nil, []journal.Record{start, began("b"), ended("b", journal.StepDone), began("a")}, map[string]apply.StepStatus{"b": "done", "a": "half-done"}, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := apply.Recall("p1", test.steps, journal.HistoryOf(test.records...))
			got := map[string]apply.StepStatus{}
			counts := map[apply.StepStatus]int{}
			for _, s := range r.Steps {
				got[s.Step] = s.Status
				counts[s.Status]++
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if r.Outcome != test.outcome || r.Starts != test.starts || r.Complete != (test.steps != nil) {
				t.Errorf("outcome %q, %d starts, complete %v", r.Outcome, r.Starts, r.Complete)
			}
			if r.Done != counts["done"] || r.HalfDone != counts["half-done"] || r.Untouched != counts["untouched"] {
				t.Errorf("counted %d, %d, %d; there are %v", r.Done, r.HalfDone, r.Untouched, counts)
			}
		})
	}
}

// Wherever a run dies, recalling agrees with the cluster: a step whose change was made is done or half-done, and one that
// is called untouched was not.
func TestRecallAgreesWithTheCluster(t *testing.T) {
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
				t.Fatal(err)
			}
			changed := map[string]bool{}
			for _, id := range c.Acts {
				changed[id] = true
			}
			r := apply.Recall(plan.ID, plan.Steps, journal.HistoryOf(j.records...))
			if len(r.Steps) != len(plan.Steps) || r.HalfDone > 1 {
				t.Errorf("dying at record %d: %d steps, %d half-done", dies, len(r.Steps), r.HalfDone)
			}
			for _, s := range r.Steps {
				if changed[s.Step] && s.Status == apply.StatusUntouched || !changed[s.Step] && s.Status == apply.StatusDone {
					t.Errorf("dying at record %d: %s is called %s; changed: %v", dies, s.Step, s.Status, changed[s.Step])
				}
			}
		}
	}
}
