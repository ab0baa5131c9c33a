package planner_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/providers"
	"upkeep/providers/facts"
)

func takenOut(node string, line int) config.Out {
	o := config.Out{Node: node, Reason: "RMA 1234", Owner: "ops", Until: "2026-12-31"}
	if line > 0 {
		o.Position = config.Position{File: "a.upkeep.hcl", Line: line}
	}
	return o
}

// TestOut: nothing is planned for a node that is out, and what is unknown of it counts nowhere.
func TestOut(t *testing.T) {
	r := testRequest(3, nil)
	r.World.Nodes["cp2"] = &facts.Node{Name: "cp2", Unknown: "ssh: no answer in 10s"}
	if p := build(t, r); p.Complete || len(p.Unknown()) != 1 {
		t.Fatal("the world of this test has nothing unknown")
	}
	r.Desired.Outs = []config.Out{takenOut("cp2", 9)}
	p := build(t, r)
	if !p.Complete || !p.Applyable || len(p.Unknown()) != 0 || len(p.Warnings) != 0 {
		t.Errorf("complete %t, applyable %t, unknown %v, warnings %v", p.Complete, p.Applyable, p.Unknown(), p.Warnings)
	}
	for _, s := range p.Steps {
		if s.Node == "cp2" {
			t.Errorf("a step for a node that is out: %s", s.ID)
		}
	}
	for _, f := range append(p.Findings, p.Remaining...) {
		if f.Address.Node == "cp2" {
			t.Errorf("a finding of a node that is out counts: %+v", f)
		}
	}
	if diff := cmp.Diff(r.Desired.Outs, p.Outs()); diff != "" {
		t.Error(diff)
	}
}

// TestFindingOfANodeThatIsOut: what others see of the node (Kubernetes calls it not ready) is shown beside, and does
// not count.
func TestFindingOfANodeThatIsOut(t *testing.T) {
	r := testRequest(1, nil)
	seen := providers.Finding{ID: "NODE_NOT_READY", Severity: providers.SeverityError, Address: providers.Address{Type: "herald", Name: "h", Node: "gpu7"}, Unknown: true}
	reports(&r, seen)
	if p := build(t, r); p.Complete || len(p.Ignored) != 0 {
		t.Fatalf("complete %t, ignored %v", p.Complete, p.Ignored)
	}
	r.Desired.Outs = []config.Out{takenOut("gpu7", 0)}
	p := build(t, r)
	want := []planner.Ignored{{Finding: seen, Reason: "RMA 1234", Owner: "ops", Until: "2026-12-31"}}
	if diff := cmp.Diff(want, p.Ignored); diff != "" || !p.Complete {
		t.Errorf("complete %t (-want +got):\n%s", p.Complete, diff)
	}
	if diff := cmp.Diff([]string{"node gpu7 is out, and neither the configuration nor Kubernetes knows a node of that name"}, p.Warnings); diff != "" {
		t.Error(diff)
	}
}

func TestOutEnds(t *testing.T) {
	for name, test := range map[string]struct {
		out  config.Out
		want string
	}{
		"its last day": {config.Out{Node: "cp2", Reason: "r", Owner: "o", Until: "2026-11-22"}, ""},
		"in the configuration": {
			config.Out{Node: "cp2", Reason: "RMA 1234", Owner: "ops", Until: "2026-11-21", Position: config.Position{File: "a.upkeep.hcl", Line: 9}},
			`node cp2 was out until 2026-11-21 ("RMA 1234", owner ops), and that day has passed; remove the out block (a.upkeep.hcl:9), or set a later "until"`,
		},
		"in the state": {
			config.Out{Node: "cp2", Reason: "RMA 1234", Owner: "ops", Until: "2026-11-21"},
			"node cp2 was out until 2026-11-21 (\"RMA 1234\", owner ops), and that day has passed; run `upkeep node back cp2`, or take the node out again with a later -until",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := testRequest(2, nil)
			r.Desired.Outs = []config.Out{test.out}
			got := ""
			if _, err := planner.Build(r, testTypes()); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestTargetThatIsOut(t *testing.T) {
	r := testRequest(2, nil)
	r.Desired.Outs = []config.Out{takenOut("cp2", 9)}
	out := providers.Address{Type: "widget", Name: "w", Node: "cp2"}
	r.Exclude = []providers.Address{out}
	build(t, r)
	r.Exclude, r.Targets = nil, []providers.Address{out}
	_, err := planner.Build(r, testTypes())
	const want = `-target=widget.w@cp2: node cp2 is out until 2026-12-31 ("RMA 1234", owner ops), and nothing is planned for a node that is out`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// reporter is a resource that reports what it is told.
type reporter struct{ says []providers.Finding }

func (reporter) Address() providers.Address               { return providers.Address{Type: "herald", Name: "h"} }
func (reporter) Needs() providers.Needs                   { return providers.Needs{} }
func (h reporter) Diff(providers.Input) providers.Outcome { return providers.Outcome{Findings: h.says} }

func reports(r *planner.Request, says ...providers.Finding) {
	r.Desired.Resources = append(r.Desired.Resources, config.Declared{Type: "herald", Name: "h", Value: reporter{says}})
}

// TestIgnore: what an ignore block accepts is shown and not counted; it hides no step, nothing unknown on a node that
// it does not name, and nothing else.
func TestIgnore(t *testing.T) {
	at := func(node string) providers.Address { return providers.Address{Type: "herald", Name: "h", Node: node} }
	says := []providers.Finding{
		{ID: "XID_63", Severity: providers.SeverityError, Address: at("gpu7"), Object: "0"},
		{ID: "XID_63", Severity: providers.SeverityError, Address: at("gpu8"), Object: "1"},
		{ID: "XID_63", Severity: providers.SeverityError, Address: at(""), Object: "2"},
		{ID: "XID_63", Severity: providers.SeverityError, Address: at("gpu7"), Object: "3", Unknown: true},
		{ID: "XID_63", Severity: providers.SeverityError, Address: at("gpu7"), Object: "4", Waits: true},
		{ID: "XID_64", Severity: providers.SeverityError, Address: at("gpu7"), Object: "5"},
	}
	rule := func(until config.Until, nodes ...string) config.Ignore {
		return config.Ignore{Name: "rma", Finding: "XID_63", Nodes: nodes, Reason: "RMA 1234", Owner: "ops", Until: until, Position: config.Position{File: "a.upkeep.hcl", Line: 3}}
	}
	for name, test := range map[string]struct {
		rules   []config.Ignore
		ignored string // the objects
		ended   int
	}{
		"no rule":                      {nil, "", 0},
		"of one node":                  {[]config.Ignore{rule("2026-12-31", "gpu7")}, "03", 0},
		"of two nodes":                 {[]config.Ignore{rule("2026-12-31", "gpu7", "gpu8")}, "013", 0},
		"of every node":                {[]config.Ignore{rule("2026-12-31")}, "012", 0},
		"on its last day":              {[]config.Ignore{rule("2026-11-22", "gpu8")}, "1", 0},
		"ended":                        {[]config.Ignore{rule("2026-11-21")}, "", 1},
		"ended beside one that stands": {[]config.Ignore{rule("2026-11-21"), rule("2026-12-31", "gpu8")}, "1", 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := testRequest(1, nil)
			reports(&r, says...)
			r.Desired.Ignores = test.rules
			p := build(t, r)
			ignored, counted, ended := "", "", 0
			for _, i := range p.Ignored {
				ignored += i.Finding.Object
				if i.By != "rma" || i.Reason != "RMA 1234" || i.Owner != "ops" || i.Position.Line != 3 {
					t.Errorf("%+v", i)
				}
			}
			for _, f := range p.Findings {
				switch f.Address.Type {
				case "herald":
					counted += f.Object
				case "ignore":
					ended++
					want := providers.Finding{
						ID: "IGNORE_ENDED", Severity: "warning", Address: providers.Address{Type: "ignore", Name: "rma"}, Position: "a.upkeep.hcl:3",
						Summary: `held until 2026-11-21 ("RMA 1234"); XID_63 counts again`, Hint: `ask ops: remove the block, or set a later "until"`,
					}
					if diff := cmp.Diff(want, f); diff != "" {
						t.Error(diff)
					}
				}
			}
			if ignored != test.ignored || ended != test.ended {
				t.Errorf("ignored %q, want %q; %d ended, want %d", ignored, test.ignored, ended, test.ended)
			}
			for _, f := range says {
				if strings.Contains(counted, f.Object) == strings.Contains(ignored, f.Object) {
					t.Errorf("%s is counted %t and ignored %t", f.Object, strings.Contains(counted, f.Object), strings.Contains(ignored, f.Object))
				}
			}
			if known := strings.Contains(test.ignored, "3"); len(p.Steps) != 2 || p.Complete != known {
				t.Errorf("%d steps, complete %t: an ignore hides a step, or what is unknown on nodes that nobody named", len(p.Steps), p.Complete)
			}
			left := 0
			for _, f := range p.Remaining {
				if f.Address.Type == "herald" {
					left++
				}
			}
			if left != len(counted) {
				t.Errorf("%d remain, and %d are counted", left, len(counted))
			}
		})
	}
}

// TestIgnoredSilence: who accepts that a named node does not answer accepts all that is not known of it, and no more.
func TestIgnoredSilence(t *testing.T) {
	r := testRequest(2, nil)
	r.World.Nodes["cp2"] = &facts.Node{Name: "cp2", Unknown: "ssh: no answer in 10s"}
	at := func(node string) providers.Address { return providers.Address{Type: "herald", Name: "h", Node: node} }
	reports(&r, providers.Finding{ID: "MEMBER_UNKNOWN", Severity: "error", Unknown: true, Address: at("cp2"), Object: "etcd"})
	rule := config.Ignore{Name: "rma", Finding: "NODE_UNREACHABLE", Nodes: []string{"cp2"}, Reason: "RMA", Owner: "ops", Until: "2026-12-31"}
	r.Desired.Ignores = []config.Ignore{rule}
	p := build(t, r)
	if diff := cmp.Diff([]planner.Unknown{{Name: "cp2", Why: "ssh: no answer in 10s", Exempt: "ignore.rma"}}, p.Unknown()); diff != "" || !p.Complete || len(p.Ignored) != 2 {
		t.Errorf("complete %t, ignored %+v\n%s", p.Complete, p.Ignored, diff)
	}
	r.Desired.Ignores[0].Nodes = nil
	if p := build(t, r); p.Complete || len(p.Ignored) != 0 {
		t.Errorf("a rule that names no node: complete %t, ignored %+v", p.Complete, p.Ignored)
	}
}

// TestOutTakesNoPlace: a node that is out is no node of the plan's inventory, which selections and so lanes are made
// of.
func TestOutTakesNoPlace(t *testing.T) {
	r := testRequest(3, func(w *widget) { w.Serial = "" })
	count := func() int { return len(build(t, r).Steps) }
	before := count()
	r.Desired.Outs = []config.Out{takenOut("cp3", 0)}
	if after := count(); before != 6 || after != 4 {
		t.Errorf("%d steps with all three nodes, %d with one of them out", before, after)
	}
}

// TestRememberedOuts: what the state knows comes back, is laid under what the configuration says, and is forgotten.
func TestRememberedOuts(t *testing.T) {
	ours, other := takenOut("cp2", 0), takenOut("cp1", 0)
	memory, err := planner.RememberOuts(facts.Memory{Durations: map[string]float64{"x": 1}}, []config.Out{ours, other})
	if err != nil {
		t.Fatal(err)
	}
	got, err := planner.RememberedOuts(memory)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]config.Out{other, ours}, got); diff != "" {
		t.Error(diff)
	}
	said := takenOut("cp1", 9)
	desired, err := planner.WithOuts(config.Desired{Outs: []config.Out{said}}, memory)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]config.Out{said, ours}, desired.Outs); diff != "" {
		t.Error(diff)
	}
	if memory, err = planner.RememberOuts(memory, nil); err != nil || len(memory.Sections) != 0 || len(memory.Durations) != 1 {
		t.Errorf("%+v, %v", memory, err)
	}
	owner := providers.Address{Type: "node", Name: "out"}
	for name, section := range map[string]string{
		"a newer version": `{"version":2}`, "no version": `{}`, "a word too many": `{"version":1,"nodez":[]}`,
		"a bad date": `{"version":1,"nodes":[{"node":"a","reason":"r","owner":"o","until":"x"}]}`,
	} {
		if _, err := planner.RememberedOuts(facts.Memory{Sections: facts.Sections{owner: []byte(section)}}); err == nil {
			t.Errorf("%s is read", name)
		}
	}
}
