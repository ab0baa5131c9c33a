package schedule_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/planner/schedule"
	"upkeep/providers"
)

func TestEstimate(t *testing.T) {
	on := func(node string, seconds float64, lanes ...providers.Lane) providers.Step {
		return providers.Step{ID: "x@" + node, Address: providers.Address{Type: "x", Name: "y", Node: node}, Node: node, Estimate: seconds, Lanes: lanes}
	}
	of := func(id string, seconds float64) providers.Step {
		return providers.Step{ID: id, Address: providers.Address{Type: id, Name: id}, Estimate: seconds}
	}
	two := providers.Lane{Name: "fleet", Width: 2, Failures: providers.NeverCloses}
	for name, test := range map[string]struct {
		plan schedule.Plan
		want time.Duration
	}{
		"nothing":                        {schedule.Plan{}, 0},
		"side by side, the longest":      {schedule.Plan{Steps: []providers.Step{on("a", 10), on("b", 30)}}, 30 * time.Second},
		"three in a lane that is 2 wide": {schedule.Plan{Steps: []providers.Step{on("a", 10, two), on("b", 30, two), on("c", 15, two)}}, 30 * time.Second},
		"one node does one thing at a time": {schedule.Plan{Steps: []providers.Step{
			on("a", 10), {ID: "z@a", Address: providers.Address{Type: "z", Name: "z", Node: "a"}, Node: "a", Estimate: 5},
		}}, 15 * time.Second},
		"a guard begins first and ends last": {schedule.Plan{
			Steps:    []providers.Step{of("stop", 7), on("a", 10), on("b", 10), of("start", 3)},
			Brackets: []providers.Bracket{{Guard: "leases", Begin: []string{"stop"}, Guarded: []string{"x@a", "x@b"}, End: []string{"start"}}},
		}, 20 * time.Second},
		"a plan that cannot be scheduled": {schedule.Plan{Steps: []providers.Step{on("a", 10), on("a", 10)}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := schedule.Estimate(test.plan); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

// One hand does the steps in the order of the schedule, not in that of the plan: a guard begins just before what it
// guards and ends just after, and what may not start yet comes later.
func TestInTurn(t *testing.T) {
	of := func(id string, after ...string) providers.Step {
		return providers.Step{ID: id, Address: providers.Address{Type: id, Name: id}, After: after}
	}
	guarded := []providers.Bracket{{Guard: "leases", Begin: []string{"stop"}, Guarded: []string{"upgrade"}, End: []string{"start"}}}
	for name, test := range map[string]struct {
		plan schedule.Plan
		want []string
	}{
		"nothing":                      {schedule.Plan{}, nil},
		"plan order where all may run": {schedule.Plan{Steps: []providers.Step{of("a"), of("b"), of("c")}}, []string{"a", "b", "c"}},
		"a step before what it needs":  {schedule.Plan{Steps: []providers.Step{of("b", "a"), of("a")}}, []string{"a", "b"}},
		"a guard ends when what it guards is done": {
			schedule.Plan{Steps: []providers.Step{of("stop"), of("upgrade"), of("other"), of("start")}, Brackets: guarded}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			order, err := schedule.InTurn(test.plan)
			if err != nil {
				t.Fatal(err)
			}
			if len(order) != len(test.plan.Steps) {
				t.Fatalf("%d of %d steps", len(order), len(test.plan.Steps))
			}
			var got []string
			at := map[string]int{}
			for i, index := range order {
				got = append(got, test.plan.Steps[index].ID)
				at[got[i]] = i
			}
			if test.want != nil {
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Error(diff)
				}
			}
			for _, b := range test.plan.Brackets {
				if !(at["stop"] < at["upgrade"] && at["upgrade"] < at["start"]) {
					t.Errorf("the bracket %s: %v", b.Guard, got)
				}
			}
		})
	}
	if _, err := schedule.InTurn(schedule.Plan{Steps: []providers.Step{of("a"), of("a")}}); err == nil {
		t.Error("a plan that cannot be scheduled has an order")
	}
}
