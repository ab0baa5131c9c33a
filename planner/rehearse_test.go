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

// endings spells how steps ended, one a line.
func endings(r planner.Rehearsal) []string {
	out := []string{}
	for _, s := range r.Steps {
		line := s.Step + " " + string(s.Ending)
		if s.Why != "" {
			line += ": " + s.Why
		}
		out = append(out, line)
	}
	return out
}

func TestRehearse(t *testing.T) {
	bracketed := func(w *widget) { w.Guards = []string{"copy"} }
	for name, test := range map[string]struct {
		change    func(*widget)
		request   func(*planner.Request)
		faults    []planner.Fault
		want      []string
		remaining int
		due       int
	}{
		"all goes well": {
			want: []string{"widget.w@cp1/set proved", "widget.w@cp1/restart proved", "widget.w@cp2/set proved", "widget.w@cp2/restart proved"},
		},
		"a step fails: its lane closes": {
			faults: []planner.Fault{{Step: "widget.w@cp1/set", Kind: planner.Fails}},
			want: []string{
				"widget.w@cp1/set failed: injected: the operation fails", "widget.w@cp1/restart not started: step widget.w@cp1/set must come first, and failed",
				"widget.w@cp2/set not started: lane \"control-plane\" is closed: step widget.w@cp1/set failed", "widget.w@cp2/restart not started: lane \"control-plane\" is closed: step widget.w@cp1/set failed",
			},
			remaining: 2, due: 4,
		},
		"a step fails: unrelated steps go on": {
			change: func(w *widget) { w.Serial = "" },
			faults: []planner.Fault{{Step: "widget.w@cp1/set", Kind: planner.Fails}},
			want: []string{
				"widget.w@cp1/set failed: injected: the operation fails", "widget.w@cp1/restart not started: step widget.w@cp1/set must come first, and failed",
				"widget.w@cp2/set proved", "widget.w@cp2/restart proved",
			},
			remaining: 1, due: 2,
		},
		"an operation lies": {
			faults: []planner.Fault{{Step: "widget.w@cp2/restart", Kind: planner.Lies}},
			want: []string{
				"widget.w@cp1/set proved", "widget.w@cp1/restart proved", "widget.w@cp2/set proved",
				"widget.w@cp2/restart failed: injected: lies; seen as: the boot id is the same",
			},
		},
		"a node is lost": {
			change: func(w *widget) { w.Serial = "" },
			faults: []planner.Fault{{Step: "widget.w@cp1/set", Kind: planner.Loses}},
			want: []string{
				"widget.w@cp1/set failed: injected: loses; seen as: injected: the node stopped answering", "widget.w@cp1/restart not started: step widget.w@cp1/set must come first, and failed",
				"widget.w@cp2/set proved", "widget.w@cp2/restart proved",
			},
			remaining: 1,
		},
		"two blocks do the same work: the second finds it done": {
			request: func(r *planner.Request) {
				declare(r, widget{Name: "x", Nodes: config.Selection{Names: []string{"cp1"}}, Version: "2"})
				r.Desired.Nodes = r.Desired.Nodes[:1]
			},
			want: []string{
				"widget.w@cp1/set proved", "widget.w@cp1/restart proved", "widget.x@cp1/set already so: it has the version", "widget.x@cp1/restart proved",
			},
		},
		"a guard is ended although a guarded step failed": {
			change: bracketed,
			faults: []planner.Fault{{Step: "widget.w@cp1/restart", Kind: planner.Fails}},
			want: []string{
				"vault.main/copy-begin proved", "widget.w@cp1/set proved", "widget.w@cp1/restart failed: injected: the operation fails",
				"widget.w@cp2/set not started: lane \"control-plane\" is closed: step widget.w@cp1/restart failed", "widget.w@cp2/restart not started: lane \"control-plane\" is closed: step widget.w@cp1/restart failed",
				"vault.main/copy-end proved",
			},
			remaining: 1, due: 2,
		},
		"a guard whose beginning ran is ended, proved or not": {
			change: bracketed,
			faults: []planner.Fault{{Step: "vault.main/copy-begin", Kind: planner.Lies}},
			want: []string{
				"vault.main/copy-begin failed: injected: lies; seen as: the vault did nothing",
				"widget.w@cp1/set not started: step vault.main/copy-begin begins the guard \"copy\" and failed", "widget.w@cp1/restart not started: step vault.main/copy-begin begins the guard \"copy\" and failed",
				"widget.w@cp2/set not started: step vault.main/copy-begin begins the guard \"copy\" and failed", "widget.w@cp2/restart not started: step vault.main/copy-begin begins the guard \"copy\" and failed",
				"vault.main/copy-end proved",
			},
			remaining: 2, due: 4,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := testRequest(2, test.change)
			if test.request != nil {
				test.request(&r)
			}
			p := build(t, r)
			got, err := planner.Rehearse(p, testTypes(), test.faults)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, endings(got)); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			if len(got.Remaining) != test.remaining || len(got.Due) != test.due {
				t.Errorf("remaining %v, due %v; want %d, %d", got.Remaining, got.Due, test.remaining, test.due)
			}
			if len(test.faults) == 0 {
				if diff := cmp.Diff(p.Remaining, got.Remaining); diff != "" {
					t.Errorf("the plan predicts other findings than its rehearsal leaves:\n%s", diff)
				}
			}
			if again := build(t, p.Request); again.Digest != p.Digest {
				t.Error("the rehearsal wrote into the plan's facts")
			}
		})
	}
}

// The ground of a plan can have moved before it is applied: Rehearse asks each step.
func TestRehearseRefusesMovedGround(t *testing.T) {
	p := build(t, testRequest(2, nil))
	p.Request.World.Nodes["cp1"] = &facts.Node{Name: "cp1", Unknown: "gone"}
	got, err := planner.Rehearse(p, testTypes(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := "widget.w@cp1/set refused: gone"; endings(got)[0] != want || got.Ended(planner.NotStarted) != 3 {
		t.Errorf("%v", endings(got))
	}
}

func TestRehearseErrors(t *testing.T) {
	p := build(t, testRequest(1, nil))
	_, err := planner.Rehearse(p, testTypes(), []planner.Fault{{Step: "widget.w@cp9/set", Kind: planner.Fails}})
	if err == nil || !strings.Contains(err.Error(), `no step "widget.w@cp9/set"`) {
		t.Errorf("error %v", err)
	}
	if _, err := planner.Rehearse(p, nil, nil); err == nil {
		t.Error("a plan is rehearsed without the meaning of its operations")
	}
}

func TestParseFault(t *testing.T) {
	for _, test := range []struct {
		text string
		want planner.Fault
		err  string
	}{
		{text: "widget.w@cp1/set=fails", want: planner.Fault{Step: "widget.w@cp1/set", Kind: planner.Fails}},
		{text: `widget.w["a=b"]@cp1/set=loses`, want: planner.Fault{Step: `widget.w["a=b"]@cp1/set`, Kind: planner.Loses}},
		{text: "widget.w", err: "write STEP=KIND"},
		{text: "=fails", err: "write STEP=KIND"},
		{text: "widget.w=explodes", err: `"explodes" is not a kind of fault`},
	} {
		got, err := planner.ParseFault(test.text)
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%s: error %v", test.text, err)
			}
			continue
		}
		if err != nil || got != test.want {
			t.Errorf("%s: %v, %v", test.text, got, err)
		}
	}
}

// An effect whose prediction does not prove itself is found out by a rehearsal without faults.
func TestRehearseFindsWrongEffects(t *testing.T) {
	types := testTypes()
	types[0].Effects = map[string]providers.Effect{"widget.set": setEffect{}, "widget.restart": forgetful{}}
	p, err := planner.Build(testRequest(1, nil), types)
	if err != nil {
		t.Fatal(err)
	}
	got, err := planner.Rehearse(p, types, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := "widget.w@cp1/restart failed: the boot id is the same"; endings(got)[1] != want {
		t.Errorf("%v", endings(got))
	}
}

type forgetful struct{ restartEffect }

func (forgetful) Predict(providers.Input, providers.Step) facts.Update { return facts.Update{} }
