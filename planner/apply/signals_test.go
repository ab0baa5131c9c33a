package apply_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/providers"
	"upkeep/state/journal"
)

// Three nodes with two steps each, two nodes at once, within a guard. While two steps run, somebody interrupts once,
// twice or three times.
func TestInterruptsWithTwoRunning(t *testing.T) {
	for name, test := range map[string]struct {
		signals int
		cancel  bool
		want    []string
	}{
		"once: nodes under way go on to their rest, no other starts, and the guard ends": {1, false, []string{
			"g1/begin done", "w1/renew done", "w1/restart done", "w2/renew done", "w2/restart done", "w3/renew pending", "w3/restart pending", "g1/end done"}},
		"twice: running steps are finished, no other starts, and the guard ends": {2, false, []string{
			"g1/begin done", "w1/renew done", "w1/restart pending", "w2/renew done", "w2/restart pending", "w3/renew pending", "w3/restart pending", "g1/end done"}},
		"three times: at once": {2, true, []string{
			"g1/begin done", "w1/renew failed", "w1/restart blocked", "w2/renew failed", "w2/restart blocked", "w3/renew pending", "w3/restart pending", "g1/end pending"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster("g1", "w1", "w2", "w3")
			plan := planFor(c, nil, nil)
			for _, node := range []string{"w1", "w2", "w3"} {
				a := step("sim.renew", node, "", "OLD-"+node)
				b := step("sim.restart", node, "", "container-"+node, a.ID)
				for _, s := range []*providers.Step{&a, &b} {
					s.Lanes = append(s.Lanes, providers.Lane{Name: "fleet", Width: 2, Failures: providers.NeverCloses})
				}
				plan.Steps = append(plan.Steps, a, b)
			}
			plan = surrounded(plan)
			plan.Steps[len(plan.Steps)-1].Operation = "sim.unlabel"
			j := &memoryJournal{dies: -1}
			ready := func(j apply.Journal, history journal.History) *apply.Executor {
				e := withUnlabel(c.executor(j, history), c)
				for _, operation := range []string{"sim.renew", "sim.restart"} {
					e.Operations[operation] = long{c, aMinute, e.Tasks.Sleep}
				}
				return e
			}
			e := ready(j, journal.History{})
			stop := make(chan struct{}, 2)
			e.Stop = stop
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			running := 0
			e.Events = func(event apply.Event) {
				if s, ok := event.(apply.StepStarted); ok && s.Step.Operation == "sim.renew" {
					if running++; running != 2 {
						return
					}
					for range test.signals {
						stop <- struct{}{}
					}
					if test.cancel {
						cancel()
					}
				}
			}
			result, err := onTasks(e).Run(ctx, plan)
			if err != nil || result.Outcome != apply.Interrupted {
				t.Errorf("%s, %v", result.Outcome, err)
			}
			if diff := cmp.Diff(test.want, outcomes(result)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			finish(t, ready(&memoryJournal{dies: -1}, journal.HistoryOf(j.records...)), plan, c)
		})
	}
}

// finish applies the plan again, and wants every step of the workers done once and the guard ended.
func finish(t *testing.T, e *apply.Executor, plan planner.Plan, c *cluster) {
	t.Helper()
	result, err := onTasks(e).Run(t.Context(), plan)
	if err != nil || result.Outcome != apply.Complete {
		t.Errorf("applied again: %s, %v, %v", result.Outcome, err, outcomes(result))
	}
	times := map[string]int{}
	for _, id := range c.Acts {
		times[id]++
	}
	for _, s := range plan.Steps {
		if s.Operation != "sim.label" && s.Operation != "sim.unlabel" && times[s.ID] != 1 {
			t.Errorf("%s was done %d times", s.ID, times[s.ID])
		}
	}
}
