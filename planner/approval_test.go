package planner_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/planner/window"
	"upkeep/providers/facts"
)

// nights are open from 01:00 to 05:00 UTC.
var nights = window.Window{Name: "nights", Cron: "0 1 * * *", Duration: config.Duration(4 * time.Hour), Timezone: "UTC"}

func TestApprovalEnds(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	begin := at.Add(48 * time.Hour)
	tests := map[string]struct {
		approval facts.Approval
		want     time.Time
	}{
		"with the plan":              {facts.Approval{BeginBy: begin}, begin},
		"before the plan":            {facts.Approval{BeginBy: begin, Until: at.Add(time.Hour)}, at.Add(time.Hour)},
		"not after the plan":         {facts.Approval{BeginBy: begin, Until: at.Add(999 * time.Hour)}, begin},
		"begun, as long as it may":   {facts.Approval{BeginBy: begin, Begun: at}, at.Add(planner.MaxRun)},
		"begun, and its end is said": {facts.Approval{BeginBy: begin, Begun: at, Until: at.Add(time.Hour)}, at.Add(time.Hour)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := planner.ApprovalEnds(test.approval); !got.Equal(test.want) {
				t.Errorf("it ends at %s, want %s", got, test.want)
			}
			if planner.ApprovalHolds(test.approval, test.want) || !planner.ApprovalHolds(test.approval, test.want.Add(-1)) {
				t.Error("its end is not the first instant at which it does not hold")
			}
		})
	}
}

// TestApprovedOverrides: an approval keeps the overrides of its plan with their reasons, and gives back these and no
// others, with the name of who approved them. A rule that is no rule any more is an error.
func TestApprovedOverrides(t *testing.T) {
	r := windowed(t, []string{"maintenance_window.nights"}, nights)
	r.Overrides = []planner.Override{{Rule: "window", Reason: "agreed = yes"},
		{Rule: "order", Node: "cp2", Reason: "cp1 is away"}}
	a, err := built(t, r).Approve(testTypes(), "eva@laptop", r.Now, time.Time{}, "")
	if err != nil {
		t.Fatal(err)
	}
	got, err := planner.ApprovedOverrides(a, testTypes())
	want := []planner.Override{
		{Rule: "window", Reason: "agreed = yes", By: "eva@laptop"},
		{Rule: "order", Node: "cp2", Reason: "cp1 is away", By: "eva@laptop"},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if text := got[1].Recorded(); text != "order@cp2=cp1 is away (approved by eva@laptop)" {
		t.Errorf("recorded as %q", text)
	}
	a.Overrides = append(a.Overrides, "quorum=why not")
	if got, err := planner.ApprovedOverrides(a, testTypes()); err == nil || got != nil ||
		!strings.Contains(err.Error(), "approve the plan again") {
		t.Errorf("%v %v", got, err)
	}
	if got, err := planner.ApprovedOverrides(facts.Approval{}, testTypes()); len(got) > 0 || err != nil {
		t.Errorf("an approval without overrides gives %v %v", got, err)
	}
}

// TestApprovalStale: what differs from what was approved is a finding, by step; what was done of it is none.
func TestApprovalStale(t *testing.T) {
	approve := func(t *testing.T, r planner.Request) facts.Approval {
		t.Helper()
		a, err := built(t, r).Approve(testTypes(), "eva@laptop", r.Now, time.Time{}, "")
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Steps) == 0 {
			t.Fatal("nothing was approved")
		}
		return a
	}
	tests := map[string]struct {
		change func(*facts.Approval)
		want   string
	}{
		"the same":               {func(*facts.Approval) {}, ""},
		"another step":           {func(a *facts.Approval) { a.Steps = renamed(a.Steps) }, "1 step is new"},
		"no longer due":          {func(a *facts.Approval) { a.Steps["gone"] = "x" }, "1 step is no longer due (gone)"},
		"done, in a run of it":   {func(a *facts.Approval) { a.Steps["gone"], a.Begun = "x", a.At }, ""},
		"the step is another":    {func(a *facts.Approval) { a.Steps = changed(a.Steps) }, "1 step is another one"},
		"an approval that ended": {func(a *facts.Approval) { a.Steps, a.Until = changed(a.Steps), a.At }, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := windowed(t, []string{"maintenance_window.nights"}, nights)
			a := approve(t, r)
			test.change(&a)
			r.Memory.Approvals = []facts.Approval{a}
			var said []string
			for _, f := range built(t, r).Findings {
				if f.ID == planner.ApprovalStale {
					said = append(said, f.Summary)
				}
			}
			got := strings.Join(said, "\n")
			if test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("it says %q, want %q", got, test.want)
			}
		})
	}
}

func renamed(steps map[string]string) map[string]string {
	out := map[string]string{}
	for id, digest := range steps {
		out["other "+id] = digest
	}
	return out
}

func changed(steps map[string]string) map[string]string {
	out := map[string]string{}
	for id := range steps {
		out[id] = "another digest"
	}
	return out
}
