package apply_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/providers"
	"upkeep/state/journal"
)

// What a rehearsal says of a plan and its faults is what apply does when the same goes wrong.
func TestRehearseSaysWhatApplyDoes(t *testing.T) {
	endings := map[apply.StepOutcome]planner.Ending{
		apply.Done: planner.Proved, apply.Skipped: planner.AlreadySo, apply.Refused: planner.Refused,
		apply.Failed: planner.Failed, apply.Blocked: planner.NotStarted,
	}
	rapid.Check(t, func(t *rapid.T) {
		controlPlanes := names("cp", rapid.IntRange(1, 4).Draw(t, "control planes"))
		workers := names("w", rapid.IntRange(0, 3).Draw(t, "workers"))
		c := newCluster(append(append([]string{"g1"}, controlPlanes...), workers...)...)
		plan := planFor(c, controlPlanes, workers)
		if rapid.Bool().Draw(t, "within a guard") {
			plan = surrounded(plan)
		}
		var faults []planner.Fault
		for _, step := range plan.Steps {
			switch kind := rapid.SampledFrom([]fault{"", "", "", fails, lies}).Draw(t, step.ID); kind {
			case fails:
				faults = append(faults, planner.Fault{Step: step.ID, Kind: planner.Fails})
				c.faults[step.ID] = kind
			case lies:
				faults = append(faults, planner.Fault{Step: step.ID, Kind: planner.Lies})
				c.faults[step.ID] = kind
			}
		}
		rehearsal, err := planner.Rehearse(plan, []providers.Type{{Effects: map[string]providers.Effect{
			"sim.renew": effect{"sim.renew"}, "sim.restart": effect{"sim.restart"}, "sim.label": effect{"sim.label"},
		}}}, faults)
		if err != nil {
			t.Fatal(err)
		}
		result, err := onTasks(c.executor(&memoryJournal{dies: -1}, journal.History{})).Run(t.Context(), plan)
		if err != nil {
			t.Fatal(err)
		}
		said, did := map[string]planner.Ending{}, map[string]planner.Ending{}
		for _, step := range rehearsal.Steps {
			said[step.Step] = step.Ending
		}
		for _, step := range result.Steps {
			did[step.Step] = endings[step.Outcome]
		}
		if diff := cmp.Diff(said, did); diff != "" {
			t.Fatalf("(-rehearse +apply):\n%s", diff)
		}
	})
}

// surrounded puts the steps of a plan within a guard that labels g1 first, and once more at the end.
func surrounded(plan planner.Plan) planner.Plan {
	begin, end := step("sim.label", "g1", "", "g1"), step("sim.label", "g1", "", "sim.it@g1/begin")
	begin.ID, end.ID = "sim.it@g1/begin", "sim.it@g1/end"
	around := providers.Bracket{Guard: "leases", Of: guardAddress, Begin: []string{begin.ID}, End: []string{end.ID}}
	for _, guarded := range plan.Steps {
		around.Guarded = append(around.Guarded, guarded.ID)
	}
	plan.Steps = append(append([]providers.Step{begin}, plan.Steps...), end)
	plan.Brackets = []providers.Bracket{around}
	return plan
}
