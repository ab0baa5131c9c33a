package planner_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// changing is a block whose guard is needed only while cp1 is restless.
type changing struct{ store }

func (changing) Address() providers.Address { return providers.Address{Type: "vault", Name: "moody"} }
func (changing) Guards() map[string]providers.Guard {
	return map[string]providers.Guard{"mood": {Before: moodBefore, After: moodAfter}}
}

func moodBefore(in providers.Input, guarded []providers.Step) []providers.Step {
	if in.World.Node("cp1").System.Hostname != "restless" {
		return nil
	}
	return []providers.Step{{ID: "vault.moody/begin", Address: changing{}.Address(), Operation: "vault.begin", Why: ids(guarded)}}
}

func moodAfter(in providers.Input, guarded []providers.Step) []providers.Step {
	if len(moodBefore(in, guarded)) == 0 {
		return nil
	}
	return []providers.Step{{ID: "vault.moody/end", Address: changing{}.Address(), Operation: "vault.end"}}
}

// secondStore provides the guard "copy" as the vault does.
type secondStore struct{ store }

func (secondStore) Address() providers.Address {
	return providers.Address{Type: "vault", Name: "second"}
}

func (s secondStore) Guards() map[string]providers.Guard {
	step := func(id, operation string) func(providers.Input, []providers.Step) []providers.Step {
		return func(providers.Input, []providers.Step) []providers.Step {
			return []providers.Step{{ID: "vault.second/" + id, Address: s.Address(), Operation: operation}}
		}
	}
	return map[string]providers.Guard{"copy": {Before: step("begin", "vault.begin"), After: step("end", "vault.end")}}
}

// calm provides a guard that is a condition: the node is not restless.
type calm struct{ store }

func (calm) Address() providers.Address { return providers.Address{Type: "vault", Name: "calm"} }
func (calm) Guards() map[string]providers.Guard {
	return map[string]providers.Guard{"calm": {Holds: func(in providers.Input, step providers.Step) providers.Readiness {
		if in.World.Node(step.Node).System.Hostname == "restless" {
			return providers.Readiness{State: providers.Unknown, Why: step.Node + " is restless"}
		}
		return providers.Readiness{State: providers.Holds}
	}}}
}

func TestDormantGuards(t *testing.T) {
	for name, test := range map[string]struct {
		hostname string
		change   func(*widget)
		want     int
	}{
		"not needed when planned":                  {"calm", func(w *widget) { w.Prefers = []string{"mood"} }, 1},
		"not needed when planned, and demanded":    {"calm", func(w *widget) { w.Guards = []string{"mood"} }, 1},
		"needed when planned":                      {"restless", func(w *widget) { w.Prefers = []string{"mood"} }, 0},
		"not asked for":                            {"calm", nil, 0},
		"waived":                                   {"calm", func(w *widget) { w.Guards, w.GuardNone = []string{"mood"}, "a reason" }, 0},
		"one that is always there, without end":    {"calm", func(w *widget) { w.Guards = []string{"seal"} }, 0},
		"nobody provides what the step would like": {"calm", func(w *widget) { w.Prefers = []string{"luck"} }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := testRequest(2, test.change)
			r.World.Nodes["cp1"].System.Hostname = test.hostname
			r.Desired.Resources = append(r.Desired.Resources, config.Declared{Type: "vault", Name: "moody", Value: changing{}})
			var dormant []providers.Bracket
			for _, b := range build(t, r).Brackets {
				if b.Dormant() {
					dormant = append(dormant, b)
				}
			}
			var want []providers.Bracket
			if test.want > 0 {
				want = []providers.Bracket{{Guard: "mood", Of: changing{}.Address(), Guarded: []string{"widget.w@cp1/set", "widget.w@cp1/restart", "widget.w@cp2/set", "widget.w@cp2/restart"}}}
			}
			if diff := cmp.Diff(want, dormant); diff != "" {
				t.Errorf("dormant brackets (-want +got):\n%s", diff)
			}
		})
	}
}

// The guards of a plan are those of its brackets, and can be asked again in another world.
func TestGuardsOfAPlan(t *testing.T) {
	r := testRequest(2, func(w *widget) { w.Guards, w.Prefers = []string{"copy"}, []string{"mood", "calm"} })
	for _, block := range []struct {
		name  string
		value any
	}{{"moody", changing{}}, {"calm", calm{}}} {
		r.Desired.Resources = append(r.Desired.Resources, config.Declared{Type: "vault", Name: block.name, Value: block.value})
	}
	p := build(t, r)
	guards, err := p.Guards()
	if err != nil || len(guards) != len(p.Brackets) || len(guards) != 3 {
		t.Fatalf("%d guards of %d brackets, %v", len(guards), len(p.Brackets), err)
	}
	world := r.World.Clone()
	world.Nodes["cp1"] = &facts.Node{Name: "cp1", System: facts.System{Hostname: "restless"}}
	for i, b := range p.Brackets {
		now, then := guards[i].Begin(providers.Input{World: world}, p.Steps), guards[i].Begin(providers.Input{World: r.World}, p.Steps)
		var want [2]int
		switch b.Guard {
		case "copy":
			want = [2]int{1, 1}
		case "mood":
			want = [2]int{1, 0}
		}
		if got := [2]int{len(now), len(then)}; got != want {
			t.Errorf("the guard %s begins with %v steps, want %v", b.Guard, got, want)
		}
		if holds := guards[i].Holds; (holds != nil) != b.Condition {
			t.Errorf("the guard %s is a condition: %v", b.Guard, b.Condition)
		} else if holds != nil && holds(providers.Input{World: world}, providers.Step{Node: "cp1"}).State != providers.Unknown {
			t.Error("the condition holds on a restless node")
		}
	}
}

// A rehearsal asks conditions as apply does.
func TestRehearseAsksConditions(t *testing.T) {
	r := testRequest(2, func(w *widget) { w.Guards, w.Serial = []string{"calm"}, "" })
	r.Desired.Resources = append(r.Desired.Resources, config.Declared{Type: "vault", Name: "calm", Value: calm{}})
	r.World.Nodes["cp1"].System.Hostname = "restless"
	got, err := planner.Rehearse(build(t, r), testTypes(), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`widget.w@cp1/set refused: the guard "calm" of vault.calm does not hold: cp1 is restless`, "widget.w@cp1/restart not started: step widget.w@cp1/set must come first, and was refused",
		"widget.w@cp2/set proved", "widget.w@cp2/restart proved",
	}
	if diff := cmp.Diff(want, endings(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
