package apply_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/providers"
	"upkeep/state/journal"
)

// twoLanes labels nine workers in a lane that is 3 wide, and three control planes one at a time. Each takes a minute,
// and a second more for each before it, so that no two end at one moment.
func twoLanes(c *cluster, j apply.Journal) (*apply.Executor, planner.Plan) {
	plan := planner.Plan{FormatVersion: planner.FormatVersion, ID: "plan-1", Digest: "sha256:0123", Applyable: true, Complete: true}
	plan.Request.World = c.World
	add := func(node string, lane providers.Lane) {
		s := step("sim.slow", node, "", node)
		s.Lanes = append(s.Lanes, lane)
		plan.Steps = append(plan.Steps, s)
	}
	for _, node := range names("cp", 3) {
		add(node, providers.Lane{Name: providers.ControlPlaneLane, Width: 1, Strict: true})
	}
	for _, node := range names("w", 9) {
		add(node, providers.Lane{Name: "fleet", Width: 3, Failures: 1, Selection: names("w", 9)})
	}
	e := c.executor(j, journal.History{})
	e.Effects["sim.slow"], e.Operations["sim.slow"] = effect{"sim.label"}, long{labelling{c}, aMinute, e.Tasks.Sleep}
	return e, plan
}

func aMinute(step providers.Step) time.Duration {
	return time.Minute + time.Duration(step.Node[len(step.Node)-1]-'0')*time.Second
}

// Lanes run side by side, each as wide as it is, and one that closes does not close the other.
func TestTwoLanesAtOnce(t *testing.T) {
	for name, test := range map[string]struct {
		faults  map[string]fault
		outcome apply.Outcome
		blocked []string
		most    time.Duration // how long the run may take
	}{
		"all goes well": {nil, apply.Complete, nil, 3*time.Minute + 20*time.Second},
		"a control plane fails: its lane closes, and the fleet goes on": {
			map[string]fault{"cp2/slow": fails}, apply.Partial, []string{"cp3"}, 3*time.Minute + 20*time.Second},
		"one worker may fail": {map[string]fault{"w2/slow": fails}, apply.Partial, nil, 5*time.Minute + 20*time.Second},
		"a second one closes the fleet's lane, and the control planes go on": {
			map[string]fault{"w2/slow": fails, "w4/slow": fails}, apply.Partial, []string{"w6", "w7", "w8", "w9"}, 5*time.Minute + 20*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(append(names("cp", 3), names("w", 9)...)...)
			c.break_(test.faults)
			began := c.clock
			e, plan := twoLanes(c, &memoryJournal{dies: -1})
			under, most := map[byte]int{}, map[byte]int{}
			e.Events = func(event apply.Event) {
				switch x := event.(type) {
				case apply.StepStarted:
					under[x.Step.Node[0]]++
					most[x.Step.Node[0]] = max(most[x.Step.Node[0]], under[x.Step.Node[0]])
				case apply.StepEnded:
					if x.Result.Outcome == apply.Done || x.Result.Outcome == apply.Failed {
						under[x.Step.Node[0]]--
					}
				}
			}
			result, err := onTasks(e).Run(t.Context(), plan)
			if err != nil || result.Outcome != test.outcome {
				t.Errorf("%s, %v", result.Outcome, err)
			}
			var blocked []string
			for _, s := range result.Steps {
				if s.Outcome == apply.Blocked {
					blocked = append(blocked, s.Node)
				}
			}
			if diff := cmp.Diff(test.blocked, blocked); diff != "" {
				t.Errorf("blocked (-want +got):\n%s\n%+v", diff, result.Steps)
			}
			if diff := cmp.Diff(map[byte]int{'c': 1, 'w': 3}, most); diff != "" {
				t.Errorf("under way at once (-want +got):\n%s", diff)
			}
			if took := c.clock.Sub(began); took > test.most {
				t.Errorf("it took %s, want at most %s", took, test.most)
			}
		})
	}
}

// Whoever is killed while three steps run: the next apply finishes the work, and no change is made twice.
func TestADeathWhileThreeStepsRun(t *testing.T) {
	whole := &memoryJournal{dies: -1}
	c := newCluster(append(names("cp", 3), names("w", 9)...)...)
	e, plan := twoLanes(c, whole)
	if _, err := onTasks(e).Run(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	for dies := range whole.records {
		t.Run(fmt.Sprint(dies), func(t *testing.T) {
			c := newCluster(append(names("cp", 3), names("w", 9)...)...)
			j := &memoryJournal{dies: dies, early: dies%2 == 1}
			e, plan := twoLanes(c, j)
			if _, err := onTasks(e).Run(t.Context(), plan); err == nil {
				t.Fatal("the journal's end was not noticed")
			}
			again, _ := twoLanes(c, &memoryJournal{dies: -1})
			again.History = journal.HistoryOf(j.records...)
			result, err := onTasks(again).Run(t.Context(), plan)
			if err != nil || result.Outcome != apply.Complete {
				t.Errorf("applied again: %s, %v, %+v", result.Outcome, err, result.Steps)
			}
			checkOnce(t, plan, c.Acts)
		})
	}
}
