package schedule_test

import (
	"strings"
	"testing"

	"upkeep/planner/schedule"
	"upkeep/providers"
)

func TestPlansThatCannotBeScheduled(t *testing.T) {
	wide := testLanes["one"]
	wide.Width = 2
	for name, test := range map[string]struct {
		plan schedule.Plan
		want string
	}{
		"an id twice":               {schedule.Plan{Steps: steps(nil, "-/x.1", "-/x.1")}, `two steps have the id "-/x.1"`},
		"a step that is not there":  {schedule.Plan{Steps: steps(nil, "-/x.1 after -/x.2")}, `step -/x.1 names step "-/x.2", which is not in the plan`},
		"a bracket of what is not":  {schedule.Plan{Steps: steps(nil, "-/x.1"), Brackets: []providers.Bracket{bracket("-/p.1", "-/x.1", "")}}, `names step "-/p.1"`},
		"a cycle":                   {schedule.Plan{Steps: steps(nil, "-/x.1 after -/x.2", "-/x.2 after -/x.1")}, "in a cycle"},
		"a cycle through a bracket": {schedule.Plan{Steps: steps(nil, "-/p.1 after -/x.1", "-/x.1"), Brackets: []providers.Bracket{bracket("-/p.1", "-/x.1", "")}}, "in a cycle"},
		"two lanes of one name":     {schedule.Plan{Steps: append(steps(testLanes, "a/x.1 lane one"), steps(map[string]providers.Lane{"one": wide}, "b/x.1 lane one")...)}, `the lane "one" has two definitions`},
		"a lane without room":       {schedule.Plan{Steps: steps(map[string]providers.Lane{"no": {Name: "no"}}, "b/x.1 lane no")}, `the lane "no" is 0 wide`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := schedule.New(test.plan, nil); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// A report that cannot be so is refused and changes nothing.
func TestReportsOutOfPlace(t *testing.T) {
	s, err := schedule.New(schedule.Plan{Steps: steps(nil, "-/x.1", "-/x.2 after -/x.1")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Next(clock, 0)
	for name, report := range map[string]func() error{
		"a step that is not there": func() error { return s.Ended("-/y.1", schedule.Done, "") },
		"ready without a look":     func() error { return s.Ready("-/x.1", clock) },
		"done without a start":     func() error { return s.Ended("-/x.1", schedule.Done, "") },
		"blocked by the driver":    func() error { return s.Ended("-/x.1", schedule.Blocked, "") },
		"not handed out":           func() error { _, err := s.Started("-/x.2"); return err },
		"no bracket":               func() error { _, err := s.GuardLost("-/x.1", "-/x.2"); return err },
	} {
		if report() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if state, _ := s.State("-/x.1"); state.Phase != schedule.Handed {
		t.Errorf("%+v", state)
	}
	if may, err := s.Started("-/x.1"); err != nil || !may {
		t.Error(may, err)
	}
	if err := s.Ended("-/x.1", schedule.Refused, ""); err == nil {
		t.Error("refused after its start")
	}
}
