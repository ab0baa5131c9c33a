package apply_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/planner/apply"
	"upkeep/state/journal"
	"upkeep/state/seen"
)

// The age of a wait survives the run: the next one counts on from what was seen, and so does the one after it.
func TestAWaitGoesOnInTheNextRun(t *testing.T) {
	c := newCluster("g1", "w1", "w2")
	var known seen.Seen
	var first time.Time
	for n := range 3 {
		j := &memoryJournal{dies: -1}
		e, plan := waitingPlan(c, c.clock.Add(100*24*time.Hour), time.Second, j, journal.History{})
		e.Waited = known.Waits
		result, err := onTasks(e).Run(t.Context(), plan)
		if err != nil || result.Steps[2].Outcome != apply.Waiting {
			t.Fatalf("run %d: %v, %+v", n, err, result.Steps)
		}
		if n == 0 {
			first = result.Steps[2].Since
		}
		if since := result.Steps[2].Since; first.IsZero() || !since.Equal(first) {
			t.Errorf("run %d says that %s waits since %s, want %s", n, plan.Steps[2].ID, since, first)
		}
		looked, waits := apply.StillWaiting(result)
		known = known.WithWaits(result.EndedAt, looked, waits)
		want := map[string]seen.Wait{plan.Steps[2].ID: {For: "1 lease on w2", Sighting: seen.Sighting{First: first, Last: result.EndedAt}}}
		if diff := cmp.Diff(want, known.Waits); diff != "" {
			t.Fatalf("run %d is remembered as (-want +got):\n%s", n, diff)
		}
		c.clock = c.clock.Add(24 * time.Hour)
		for _, name := range []string{"g1", "w1"} { // as they were, so that the plan can be run anew
			node := c.World.Node(name)
			node.System.Hostname = name
			c.World.Nodes[name] = &node
		}
	}
}

func TestStillWaiting(t *testing.T) {
	since := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	looked, waits := apply.StillWaiting(apply.Result{Steps: []apply.StepResult{
		{Step: "done", Outcome: apply.Done}, {Step: "blocked", Outcome: apply.Blocked},
		{Step: "tenants", Outcome: apply.Waiting, For: "2 leases", Since: since},
		{Step: "window", Outcome: apply.Waiting, For: "window night", Window: "night", Since: since},
		{Step: "behind it", Outcome: apply.Waiting, Why: "step tenants must come first"},
		{Step: "never come to", Outcome: apply.Pending},
	}})
	if diff := cmp.Diff([]string{"done", "blocked", "tenants", "window", "behind it"}, looked); diff != "" {
		t.Errorf("looked at (-want +got):\n%s", diff)
	}
	want := map[string]seen.Wait{
		"tenants": {For: "2 leases", Sighting: seen.Sighting{First: since}},
		"window":  {For: "window night", Window: "night", Sighting: seen.Sighting{First: since}},
	}
	if diff := cmp.Diff(want, waits); diff != "" {
		t.Errorf("waits (-want +got):\n%s", diff)
	}
}
