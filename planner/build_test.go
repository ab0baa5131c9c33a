package planner_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/providers"
	"upkeep/providers/facts"
)

func build(t *testing.T, r planner.Request) planner.Plan {
	t.Helper()
	p, err := planner.Build(r, testTypes())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestBuildOneNodeWhole(t *testing.T) {
	r := testRequest(1, func(w *widget) { w.Serial = "" })
	got := build(t, r)
	address := providers.Address{Type: "widget", Name: "w", Node: "cp1"}
	ground, lines := []byte(`{"node":"cp1","boot_id":"boot-cp1"}`), []string{"boot id of cp1 = boot-cp1"}
	lanes := []providers.Lane{providers.NodeLane("cp1")}
	want := planner.Plan{
		FormatVersion: planner.FormatVersion, CreatedAt: testNow, Request: r,
		Findings: []providers.Finding{{ID: "VERSION_DIFFERS", Severity: "warning", Address: address, Object: "version", Summary: "1, wanted 2"}},
		Steps: []providers.Step{
			{
				ID: "widget.w@cp1/set", Address: address, Node: "cp1", Operation: "widget.set", Args: []byte(`{"version":"2","at":"2026-11-22T03:00:00Z"}`),
				Action: "update", Summary: "set the version", Why: []string{"it is 1 at 2026-11-22 03:00:00 +0000 UTC"},
				Changes: []providers.Change{{What: "version", Before: "1", After: "2"}}, Window: "always", Ground: ground, GroundText: lines, Estimate: 2, Lanes: lanes, Position: "a.upkeep.hcl:7",
			},
			{
				ID: "widget.w@cp1/restart", Address: address, Node: "cp1", Operation: "widget.restart", Action: "update", Summary: "restart",
				Changes: []providers.Change{{What: "boot_id", Before: "boot-cp1", After: facts.New}}, Disruption: "cp1", Window: "always", Lanes: lanes, Rest: true,
				After: []string{"widget.w@cp1/set"}, Ground: ground, GroundText: lines, Estimate: 3, Position: "a.upkeep.hcl:7",
			},
		},
		Objects:   []providers.Object{{Address: address, Name: "version", Status: "due"}},
		Remaining: []providers.Finding{},
		Digest:    got.Digest,
		Digests:   map[string]string{"widget.w": got.Digests["widget.w"]},
		Applyable: true,
		Complete:  true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(got.Digest, "sha256:") || len(got.Digest) != len("sha256:")+64 {
		t.Errorf("digest %q", got.Digest)
	}
	if r.World.Nodes["cp1"].System.Kernel != "1" {
		t.Error("Build wrote into the request's world")
	}
}

func TestBuildOrdersNodes(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*planner.Request)
		want   string
	}{
		"as declared":                     {func(*planner.Request) {}, "cp1 cp2 cp3"},
		"the marked primary first":        {func(r *planner.Request) { r.Desired.Nodes[2].Primary = true }, "cp3 cp1 cp2"},
		"first declared is down":          {func(r *planner.Request) { r.World.Nodes["cp1"].Unknown = "down" }, "cp2 cp3"},
		"the marked primary is down":      {func(r *planner.Request) { r.Desired.Nodes[1].Primary = true; r.World.Nodes["cp2"].Unknown = "down" }, "cp1 cp3"},
		"a second widget shares the lane": {func(r *planner.Request) { second(r, "control-plane") }, "cp1 cp2 cp3"},
		"a second widget has no lane":     {func(r *planner.Request) { second(r, "") }, "cp1 cp2 cp3 cp1 cp2 cp3"},
	} {
		t.Run(name, func(t *testing.T) {
			r := testRequest(3, nil)
			test.change(&r)
			var nodes []string
			for _, s := range build(t, r).Steps {
				if len(nodes) == 0 || nodes[len(nodes)-1] != s.Node {
					nodes = append(nodes, s.Node)
				}
			}
			if got := strings.Join(nodes, " "); got != test.want {
				t.Errorf("nodes in order: %s, want %s", got, test.want)
			}
		})
	}
}

func second(r *planner.Request, group string) {
	declare(r, widget{Name: "second", Nodes: config.Selection{Roles: []string{"worker"}}, Version: "2", Serial: group})
}

func TestBuildUnknown(t *testing.T) {
	r := testRequest(2, nil)
	r.World.Nodes["cp2"] = &facts.Node{Name: "cp2", Unknown: "ssh: no answer in 10s"}
	p := build(t, r)
	if p.Complete {
		t.Error("a plan with an unreachable node is complete")
	}
	if diff := cmp.Diff([]planner.Unknown{{Name: "cp2", Why: "ssh: no answer in 10s"}}, p.Unknown()); diff != "" {
		t.Error(diff)
	}
	if len(p.Remaining) != 1 || !p.Remaining[0].Unknown {
		t.Errorf("remaining: %v", p.Remaining)
	}
	r.Targets = []providers.Address{{Type: "widget", Name: "w", Node: "cp1"}}
	if p := build(t, r); !p.Complete {
		t.Error("what was asked for is known, and the plan is not complete")
	}
}

func TestBuildFleetUnknown(t *testing.T) {
	r := testRequest(0, func(w *widget) { w.Nodes = config.Selection{Fleets: []string{"gpu"}} })
	r.Desired.Fleets = []config.Fleet{{Name: "gpu"}}
	r.World.Fleets = map[string]facts.Fleet{"gpu": {Unknown: "the API does not answer"}}
	p := build(t, r)
	if p.Complete || p.Applyable {
		t.Errorf("complete %v, applyable %v", p.Complete, p.Applyable)
	}
	if diff := cmp.Diff([]planner.Unknown{{Name: "nodes.gpu", Why: "the API does not answer"}}, p.Unknown()); diff != "" {
		t.Error(diff)
	}
}

func TestBuildScope(t *testing.T) {
	address := func(s string) []providers.Address {
		a, err := facts.ParseAddress(s)
		if err != nil {
			t.Fatal(err)
		}
		return []providers.Address{a}
	}
	for name, test := range map[string]struct {
		change   func(*planner.Request)
		want     []string
		warnings []string
		err      string
	}{
		"target a node": {
			change: func(r *planner.Request) { r.Targets = address("widget.w@cp2") },
			want:   []string{"widget.w@cp2/set", "widget.w@cp2/restart"},
		},
		"exclude a node": {
			change: func(r *planner.Request) { r.Exclude = address("widget.w@cp2") },
			want:   []string{"widget.w@cp1/set", "widget.w@cp1/restart"},
		},
		"a dependant goes with what it waits for": {
			change: func(r *planner.Request) {
				declare(r, widget{Name: "x", Nodes: config.Selection{Names: []string{"cp1"}}, Version: "2", Requires: []string{"widget.w@cp2/restart"}})
				r.Exclude = address("widget.w@cp2")
			},
			want:     []string{"widget.w@cp1/set", "widget.w@cp1/restart"},
			warnings: []string{"2 more steps of widget.x left out: widget.x@cp1/set waits for widget.w@cp2/restart, which -target or -exclude leaves out"},
		},
		"misspelt target": {
			change: func(r *planner.Request) { r.Targets = address("widgt.w") },
			err:    "-target=widgt.w names nothing in this configuration; did you mean widget.w?",
		},
		"exclude a node that is not there": {
			change: func(r *planner.Request) { r.Exclude = address("widget.w@cp9") },
			err:    "-exclude=widget.w@cp9 names nothing in this configuration; did you mean widget.w@cp1?",
		},
		"replace something far away": {
			change: func(r *planner.Request) { r.Replace = address("nvidia_driver.workers") },
			err:    "-replace=nvidia_driver.workers names nothing in this configuration; it has widget.w, vault.main",
		},
		"an excluded guard stays": {
			change: func(r *planner.Request) {
				r.Desired.Resources = nil
				declare(r, widget{Name: "w", Nodes: config.Selection{Names: []string{"cp1"}}, Version: "2", Guards: []string{"seal"}})
				declareVault(r)
				r.Exclude = address("vault.main")
			},
			want: []string{"vault.main/copy-begin", "vault.main/seal-begin", "vault.main/copy-end", "widget.w@cp1/set", "widget.w@cp1/restart"},
			warnings: []string{
				"-exclude=vault.main does not leave out vault.main/seal-begin: other steps need it as their guard",
				"-exclude=vault.main does not leave out vault.main/copy-begin: other steps need it as their guard",
				"-exclude=vault.main does not leave out vault.main/copy-end: other steps need it as their guard",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := testRequest(2, nil)
			test.change(&r)
			p, err := planner.Build(r, testTypes())
			if test.err != "" {
				if err == nil || err.Error() != test.err {
					t.Fatalf("error %v, want %s", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, ids(p.Steps)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.warnings, p.Warnings); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBuildReplace(t *testing.T) {
	r := testRequest(2, func(w *widget) { w.Version = "1" })
	if p := build(t, r); len(p.Steps) != 0 || p.Applyable || !p.Complete {
		t.Errorf("nothing is due, and the plan is %v", ids(p.Steps))
	}
	r.Replace = []providers.Address{{Type: "widget", Name: "w", Node: "cp2"}}
	p := build(t, r)
	if diff := cmp.Diff([]string{"widget.w@cp2/set", "widget.w@cp2/restart"}, ids(p.Steps)); diff != "" {
		t.Error(diff)
	}
	if len(p.Remaining) != 0 || len(p.Warnings) != 0 {
		t.Errorf("remaining %v, warnings %v", p.Remaining, p.Warnings)
	}
}

func TestBuildGuards(t *testing.T) {
	after := func(p planner.Plan) map[string]string {
		out := map[string]string{}
		for _, s := range p.Steps {
			out[s.ID] = strings.Join(s.After, " ")
		}
		return out
	}
	vaultAddress := providers.Address{Type: "vault", Name: "main"}
	t.Run("a bracket", func(t *testing.T) {
		p := build(t, testRequest(2, func(w *widget) { w.Guards = []string{"copy"} }))
		want := []string{"vault.main/copy-begin", "widget.w@cp1/set", "widget.w@cp1/restart", "widget.w@cp2/set", "widget.w@cp2/restart", "vault.main/copy-end"}
		if diff := cmp.Diff(want, ids(p.Steps)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(map[string]string{
			"vault.main/copy-begin": "", "vault.main/copy-end": "",
			"widget.w@cp1/set": "", "widget.w@cp1/restart": "widget.w@cp1/set",
			"widget.w@cp2/set": "", "widget.w@cp2/restart": "widget.w@cp2/set",
		}, after(p)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]providers.Bracket{{
			Guard: "copy", Of: vaultAddress, Begin: []string{"vault.main/copy-begin"}, End: []string{"vault.main/copy-end"},
			Guarded: []string{"widget.w@cp1/set", "widget.w@cp1/restart", "widget.w@cp2/set", "widget.w@cp2/restart"},
		}}, p.Brackets); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("only before the steps that need it", func(t *testing.T) {
		r := testRequest(1, nil)
		declare(&r, widget{Name: "z", Nodes: config.Selection{Names: []string{"cp1"}}, Version: "2", Guards: []string{"copy"}})
		declare(&r, widget{Name: "zz", Nodes: config.Selection{Names: []string{"cp1"}}, Version: "2"})
		p := build(t, r)
		if diff := cmp.Diff([]string{
			"widget.w@cp1/set", "widget.w@cp1/restart", "vault.main/copy-begin", "widget.z@cp1/set", "widget.z@cp1/restart", "vault.main/copy-end",
			"widget.zz@cp1/set", "widget.zz@cp1/restart",
		}, ids(p.Steps)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a guard that needs a guard", func(t *testing.T) {
		p := build(t, testRequest(1, func(w *widget) { w.Guards = []string{"seal"} }))
		if diff := cmp.Diff([]providers.Bracket{
			{Guard: "seal", Of: vaultAddress, Begin: []string{"vault.main/seal-begin"}, Guarded: []string{"widget.w@cp1/set", "widget.w@cp1/restart"}},
			{Guard: "copy", Of: vaultAddress, Begin: []string{"vault.main/copy-begin"}, Guarded: []string{"vault.main/seal-begin"}, End: []string{"vault.main/copy-end"}},
		}, p.Brackets); diff != "" {
			t.Error(diff)
		}
		want := []string{"vault.main/copy-begin", "vault.main/seal-begin", "vault.main/copy-end", "widget.w@cp1/set", "widget.w@cp1/restart"}
		if diff := cmp.Diff(want, ids(p.Steps)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("two blocks provide it", func(t *testing.T) {
		r := testRequest(1, func(w *widget) { w.Guards = []string{"copy"} })
		r.Desired.Resources = append(r.Desired.Resources, config.Declared{Type: "vault", Name: "second", Value: secondStore{}})
		p := build(t, r)
		guarded := []string{"widget.w@cp1/set", "widget.w@cp1/restart"}
		if diff := cmp.Diff([]providers.Bracket{
			{Guard: "copy", Of: vaultAddress, Begin: []string{"vault.main/copy-begin"}, Guarded: guarded, End: []string{"vault.main/copy-end"}},
			{Guard: "copy", Of: secondStore{}.Address(), Begin: []string{"vault.second/begin"}, Guarded: guarded, End: []string{"vault.second/end"}},
		}, p.Brackets); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a condition", func(t *testing.T) {
		r := testRequest(1, func(w *widget) { w.Guards = []string{"calm"} })
		r.Desired.Resources = append(r.Desired.Resources, config.Declared{Type: "vault", Name: "calm", Value: calm{}})
		p := build(t, r)
		if diff := cmp.Diff([]providers.Bracket{
			{Guard: "calm", Of: calm{}.Address(), Condition: true, Guarded: []string{"widget.w@cp1/set", "widget.w@cp1/restart"}},
		}, p.Brackets); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("nobody provides it", func(t *testing.T) {
		p := build(t, testRequest(2, func(w *widget) { w.Guards = []string{"backup"} }))
		if diff := cmp.Diff([]string{
			`4 steps of widget.w need the guard "backup", and nothing provides it; declare what does, or write without = { backup = "reason" } in the block of widget.w (a.upkeep.hcl:7)`,
		}, p.Refusals); diff != "" {
			t.Error(diff)
		}
		if p.Applyable {
			t.Error("a refused plan is applyable")
		}
	})
	t.Run("the operator goes without", func(t *testing.T) {
		p := build(t, testRequest(2, func(w *widget) { w.Guards = []string{"copy"}; w.GuardNone = "a lab" }))
		if len(p.Refusals) != 0 || !p.Applyable || len(p.Steps) != 4 {
			t.Errorf("refusals %v, applyable %v, steps %v", p.Refusals, p.Applyable, ids(p.Steps))
		}
		if diff := cmp.Diff([]string{`widget.w runs without the guard "copy". Reason given in a.upkeep.hcl:8: "a lab"`}, p.Warnings); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a guard that is preferred, beside one that the operator goes without", func(t *testing.T) {
		p := build(t, testRequest(1, func(w *widget) {
			w.Guards, w.GuardNone, w.Prefers = []string{"seal"}, "a lab", []string{"nobody", "copy"}
		}))
		if diff := cmp.Diff([]providers.Bracket{{
			Guard: "copy", Of: vaultAddress, Begin: []string{"vault.main/copy-begin"}, End: []string{"vault.main/copy-end"},
			Guarded: []string{"widget.w@cp1/set", "widget.w@cp1/restart"},
		}}, p.Brackets); diff != "" {
			t.Error(diff)
		}
		want := []providers.Need{{Name: "seal", Waived: "a lab"}, {Name: "copy", Optional: true}}
		if diff := cmp.Diff(want, p.Steps[1].Guards); diff != "" || len(p.Refusals) > 0 {
			t.Errorf("refusals %v, guards %s", p.Refusals, diff)
		}
	})
	t.Run("guards in a cycle", func(t *testing.T) {
		r := testRequest(1, func(w *widget) { w.Guards = []string{"a"} })
		r.Desired.Resources[1].Value = circular{}
		_, err := planner.Build(r, testTypes())
		if err == nil || !strings.Contains(err.Error(), "in a cycle") {
			t.Errorf("error %v", err)
		}
	})
}

func TestBuildRefusesBrokenGraphs(t *testing.T) {
	for name, test := range map[string]struct{ requires, want string }{
		"cycle":   {"widget.x@cp1/restart", "the steps wait for one another in a cycle: widget.x@cp1/set -> widget.x@cp1/restart -> widget.x@cp1/set"},
		"missing": {"widget.y@cp1/set", `step widget.x@cp1/set waits for "widget.y@cp1/set", which is not in the plan`},
	} {
		t.Run(name, func(t *testing.T) {
			r := testRequest(1, func(w *widget) { w.Name = "x"; w.Requires = []string{test.requires} })
			if _, err := planner.Build(r, testTypes()); err == nil || err.Error() != test.want {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
	t.Run("against the order of nodes", func(t *testing.T) {
		r := testRequest(2, func(w *widget) {
			w.Nodes = config.Selection{Names: []string{"cp1"}}
			w.Requires = []string{"widget.v@cp2/set"}
		})
		declare(&r, widget{Name: "v", Nodes: config.Selection{Names: []string{"cp2"}}, Version: "2", Serial: "control-plane"})
		want := "the steps wait for one another in a cycle: widget.w@cp1/set -> the next node of control-plane -> widget.v@cp2/set -> widget.w@cp1/set"
		if _, err := planner.Build(r, testTypes()); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	})
}

func TestBuildSaysWhenItDoesNotSettle(t *testing.T) {
	types := testTypes()
	types[0].Effects = maps.Clone(types[0].Effects)
	types[0].Effects["widget.set"] = restartEffect{} // changes the boot id, never the version
	p, err := planner.Build(testRequest(1, nil), types)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"this plan does not settle: after it 2 steps would be due again, first widget.w@cp1/set (set the version)"}, p.Warnings); diff != "" {
		t.Error(diff)
	}
	if len(p.Remaining) != 1 {
		t.Errorf("remaining %v", p.Remaining)
	}
}

func TestBuildRefusesForeignOperations(t *testing.T) {
	if _, err := planner.Build(testRequest(1, nil), nil); err == nil || !strings.Contains(err.Error(), `does not know the operation "widget.set"`) {
		t.Errorf("error %v", err)
	}
	twice := append(testTypes(), testTypes()[0])
	if _, err := planner.Build(testRequest(1, nil), twice); err == nil || !strings.Contains(err.Error(), "two block types") {
		t.Errorf("error %v", err)
	}
}

func TestRecordedFactsAreNeverApplyable(t *testing.T) {
	r := testRequest(1, nil)
	r.Recorded = true
	if build(t, r).Applyable {
		t.Error("a plan from recorded facts is applyable")
	}
}
