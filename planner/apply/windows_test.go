package apply_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/planner/window"
	"upkeep/providers"
	"upkeep/state/journal"
)

// windowedPlan labels nodes, one after the other, each label a disruption that takes a while; they have one window.
func windowedPlan(t *testing.T, c *cluster, j apply.Journal, history journal.History, takes time.Duration, w window.Window) (*apply.Executor, planner.Plan) {
	t.Helper()
	made, problems := window.New(w)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	plan := planFor(c, nil, []string{"w1", "w2"})
	plan.CreatedAt = c.clock
	plan.Request.Desired.Resources = append(plan.Request.Desired.Resources, config.Declared{Type: window.Type, Name: made.Name, Value: made})
	lane := providers.Lane{Name: "one", Width: 1}
	for i := range plan.Steps {
		s := &plan.Steps[i]
		address := s.Address.Resource()
		if !slices.ContainsFunc(plan.Request.Desired.Resources, func(d config.Declared) bool { return d.Type == address.Type && d.Name == address.Name }) {
			plan.Request.Desired.Resources = append(plan.Request.Desired.Resources, config.Declared{Type: address.Type, Name: address.Name, Key: address.Key, Meta: config.Meta{Windows: []string{made.Address()}}})
		}
		s.Disruption, s.Window, s.Estimate, s.Lanes = s.Node, made.Name, takes.Seconds(), append(s.Lanes, lane)
	}
	e := c.executor(j, history)
	e.Operations["sim.label"] = long{c, always(takes), e.Tasks.Sleep}
	return e, plan
}

// A node that has begun goes on past the end of its window, and no further node begins. The next run goes on in the next opening;
// between the two, a run starts nothing.
func TestTheEdgeOfAWindow(t *testing.T) {
	c := newCluster("w1", "w2")
	opens := c.clock.UTC()
	w := window.Window{Name: "nights", Timezone: "UTC", Cron: opens.Format("4 15 * * *"), Duration: config.Duration(70 * time.Minute)}
	j := &memoryJournal{dies: -1}
	e, plan := windowedPlan(t, c, j, journal.History{}, time.Hour, w)
	result, err := onTasks(e).Run(t.Context(), plan)
	if err != nil || result.Outcome != apply.Waits || result.OnlyWindows() || result.Count(apply.Done) != 1 || result.Count(apply.Waiting) != 1 {
		t.Fatalf("%s, %v, %+v", result.Outcome, err, result.Steps)
	}
	e, plan = windowedPlan(t, c, j, journal.HistoryOf(j.records...), time.Hour, w)
	plan.CreatedAt = opens
	if result, err = onTasks(e).Run(t.Context(), plan); err != nil || result.Count(apply.Waiting) == 0 || result.Count(apply.Done) > 0 {
		t.Fatalf("%s, %v, %+v", result.Outcome, err, result.Steps)
	}
	c.clock = opens.Add(24 * time.Hour)
	e, plan = windowedPlan(t, c, j, journal.HistoryOf(j.records...), time.Hour, w)
	plan.CreatedAt = opens
	if result, err = onTasks(e).Run(t.Context(), plan); err != nil || result.Outcome != apply.Complete {
		t.Fatalf("%s, %v, %+v", result.Outcome, err, result.Steps)
	}
}

// With overrun = "plan" all of a plan that has begun goes on, and what begins after the edge says so.
func TestAPlanThatGoesOn(t *testing.T) {
	c := newCluster("w1", "w2")
	w := window.Window{Name: "nights", Timezone: "UTC", Cron: c.clock.UTC().Format("4 15 * * *"), Duration: config.Duration(2 * time.Hour), Overrun: window.OverrunPlan}
	j := &memoryJournal{dies: -1}
	e, plan := windowedPlan(t, c, j, journal.History{}, time.Hour, w)
	e.Operations["sim.label"] = long{c, always(3 * time.Hour), e.Tasks.Sleep} // longer than was estimated
	result, err := onTasks(e).Run(t.Context(), plan)
	if err != nil || result.Outcome != apply.Complete {
		t.Fatalf("%s, %v, %+v", result.Outcome, err, result.Steps)
	}
	told := slices.ContainsFunc(j.records, func(r journal.Record) bool {
		return r.Kind == journal.StepStarted && strings.Contains(r.Text, "after the end of its window")
	})
	if !told {
		t.Errorf("nothing says that a step began after the edge: %+v", j.records)
	}
}
