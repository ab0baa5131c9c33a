package planner_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/planner"
	"upkeep/providers"
	"upkeep/providers/facts"
)

var atWork = facts.Work{InProgress: []facts.Request{{Plan: "p1", Step: "widget.w@cp1/set", Method: "widget.set", By: "systemd unit upkeep-1.service", Began: testNow}}}

// While upkeep still works on a node, nothing is planned for the node, and no plan is "no changes", even where the node looks
// as declared already.
func TestWorkUnderWayIsUnknown(t *testing.T) {
	const summary = "widget.set for step widget.w@cp1/set of plan p1, begun 2026-11-22T03:00:00Z"
	for name, kernel := range map[string]string{"not changed yet": "1", "changed already": "2"} {
		t.Run(name, func(t *testing.T) {
			r := testRequest(2, nil)
			r.World.Nodes["cp1"].System.Kernel, r.World.Nodes["cp1"].Work = kernel, atWork
			p := build(t, r)
			if p.Complete {
				t.Error("the plan is complete")
			}
			if r.World.Nodes["cp1"].Unknown != "" {
				t.Error("Build wrote into the request's world")
			}
			for _, s := range p.Steps {
				if s.Node == "cp1" {
					t.Errorf("a step for the node: %s", s.ID)
				}
			}
			if diff := cmp.Diff([]planner.Unknown{{Name: "cp1", Why: "upkeep still works: " + summary}}, p.Unknown()); diff != "" {
				t.Error(diff)
			}
			want := providers.Finding{
				ID: "WORK_IN_PROGRESS", Severity: "error", Unknown: true, Address: providers.Address{Type: "widget", Name: "w", Node: "cp1"},
				Summary: summary, Hint: "wait until that work has ended, then plan again", Cause: "node/cp1/silent",
			}
			if !slices.Contains(p.Findings, want) {
				t.Errorf("findings %+v", p.Findings)
			}
			again, err := planner.Rebuild(p, testTypes())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(p.Findings, again.Findings); diff != "" {
				t.Errorf("the plan that was built again has other findings:\n%s", diff)
			}
		})
	}
}

// No step of another control plane begins while one is in the middle of a change.
func TestWorkUnderWayHoldsControlPlanes(t *testing.T) {
	r := testRequest(2, nil)
	r.World.Nodes["cp1"].Work = atWork
	if p := build(t, r); !p.Applyable || len(p.Refusals) != 0 {
		t.Errorf("workers: applyable %t, refusals %q", p.Applyable, p.Refusals)
	}
	r.Desired.Nodes[0].Roles = append(r.Desired.Nodes[0].Roles, "control-plane")
	if p := build(t, r); p.Applyable || len(p.Refusals) != 1 || !strings.Contains(p.Refusals[0], "still works on the control plane cp1") {
		t.Errorf("a control plane: applyable %t, refusals %q", p.Applyable, p.Refusals)
	}
}

// Records that cannot be read are never "nothing is under way", and keep nobody from planning what is seen.
func TestUnreadableRecordsOfWork(t *testing.T) {
	r := testRequest(1, nil)
	r.World.Nodes["cp1"].Work = facts.Work{Unknown: "permission denied"}
	p := build(t, r)
	if p.Complete || len(p.Steps) == 0 || !slices.ContainsFunc(p.Findings, func(f providers.Finding) bool { return f.ID == "WORK_IN_PROGRESS" && f.Unknown }) {
		t.Errorf("complete %t, %d steps, findings %+v", p.Complete, len(p.Steps), p.Findings)
	}
}

// What -exclude and -target leave out is shown beside, and nothing of it counts.
func TestLeftOutDoesNotCount(t *testing.T) {
	cp2 := providers.Address{Type: "widget", Name: "w", Node: "cp2"}
	for name, test := range map[string]struct {
		change func(*planner.Request)
		exempt string
	}{
		"excluded":     {func(r *planner.Request) { r.Exclude = []providers.Address{cp2} }, "-exclude"},
		"not a target": {func(r *planner.Request) { r.Targets = []providers.Address{cp2.On("cp1")} }, "-target"},
	} {
		t.Run(name, func(t *testing.T) {
			r := testRequest(2, nil)
			r.World.Nodes["cp1"].System.Kernel = "2" // as declared
			r.World.Nodes["cp2"] = &facts.Node{Name: "cp2", Unknown: "ssh: no answer in 10s"}
			test.change(&r)
			p := build(t, r)
			if !p.Complete || len(p.Steps) != 0 || len(p.Findings) != 0 || len(p.Remaining) != 0 || len(p.LeftOut) != 1 {
				t.Errorf("complete %t, steps %v, findings %v, remaining %v, left out %v", p.Complete, ids(p.Steps), p.Findings, p.Remaining, p.LeftOut)
			}
			if diff := cmp.Diff([]planner.Unknown{{Name: "cp2", Why: "ssh: no answer in 10s", Exempt: test.exempt}}, p.Unknown()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A step that apply would refuse in the very world of the plan is foreseen.
func TestForeseenRefusal(t *testing.T) {
	r := testRequest(1, nil)
	if p := build(t, r); len(p.ExpectedRefusals) != 0 {
		t.Fatalf("%+v", p.ExpectedRefusals)
	}
	types := testTypes()
	for i := range types {
		if effect, ok := types[i].Effects["widget.set"]; ok {
			types[i].Effects["widget.set"] = refusing{effect}
		}
	}
	p, err := planner.Build(r, types)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]planner.ExpectedRefusal{{Step: "widget.w@cp1/set", Why: "no room for a drill"}}, p.ExpectedRefusals); diff != "" {
		t.Error(diff)
	}
}

// refusing is an effect that never lets its step run.
type refusing struct{ providers.Effect }

func (refusing) Ready(providers.Input, providers.Step) providers.Readiness {
	return providers.Readiness{State: providers.Unknown, Why: "no room for a drill"}
}
