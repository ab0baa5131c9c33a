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

// moody is a block whose guard is needed only while cp1 is restless.
type moody struct{ store }

func (moody) Address() providers.Address { return providers.Address{Type: "vault", Name: "moody"} }
func (moody) Guards() map[string]providers.Guard {
	return map[string]providers.Guard{"mood": mood{}}
}

type mood struct{}

func (mood) Before(in providers.Input, guarded []providers.Step) []providers.Step {
	if in.World.Node("cp1").System.Hostname != "restless" {
		return nil
	}
	return []providers.Step{{ID: "vault.moody/begin", Address: moody{}.Address(), Operation: "vault.begin", Why: ids(guarded)}}
}

func (mood) After(in providers.Input, guarded []providers.Step) []providers.Step {
	if len(mood{}.Before(in, guarded)) == 0 {
		return nil
	}
	return []providers.Step{{ID: "vault.moody/end", Address: moody{}.Address(), Operation: "vault.end"}}
}

func TestDormantGuards(t *testing.T) {
	build := func(hostname string, change func(*widget)) planner.Plan {
		r := testRequest(2, change)
		r.World.Nodes["cp1"].System.Hostname = hostname
		r.Desired.Resources = append(r.Desired.Resources, config.Declared{Type: "vault", Name: "moody", Value: moody{}})
		p, err := planner.Build(r, testTypes())
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
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
			p := build(test.hostname, test.change)
			last := p.Steps[len(p.Steps)-1]
			if last.Ends != "" {
				last = p.Steps[len(p.Steps)-2]
			}
			if got := p.Dormant(last); len(got) != test.want {
				t.Errorf("%d dormant guards of %s, want %d: %+v", len(got), last.ID, test.want, got)
			}
		})
	}

	p := build("calm", func(w *widget) { w.Prefers = []string{"mood"} })
	d := p.Dormant(p.Steps[1])
	if len(d) != 1 || d[0].Guard != "mood" || d[0].Of.String() != "vault.moody" {
		t.Fatalf("%+v", d)
	}
	in := providers.Input{World: p.Request.World}
	if got := d[0].Begin(in); len(got) > 0 {
		t.Errorf("needed in the world of the plan: %+v", got)
	}
	in.World = in.World.Clone()
	in.World.Nodes["cp1"] = &facts.Node{Name: "cp1", System: facts.System{Hostname: "restless"}}
	begin := d[0].Begin(in)
	if len(begin) != 1 {
		t.Fatalf("not needed by now: %+v", begin)
	}
	if diff := cmp.Diff(ids(p.Steps[1:]), begin[0].Why); diff != "" {
		t.Errorf("guarded is what is left (-want +got):\n%s", diff)
	}
}

func TestWithin(t *testing.T) {
	r := testRequest(1, func(w *widget) { w.Guards = []string{"seal"} })
	p, err := planner.Build(r, testTypes())
	if err != nil {
		t.Fatal(err)
	}
	// "seal" has no end, and what begins it goes within "copy", which has one.
	for i, step := range p.Steps {
		var got []string
		for _, b := range planner.Within(p.Steps, step) {
			got = append(got, b.Guard+": "+p.Steps[b.Step].ID)
		}
		var want []string
		if strings.HasSuffix(step.ID, "seal-begin") {
			want = []string{"copy: vault.main/copy-begin"}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("step %d, %s, is within (-want +got):\n%s", i, step.ID, diff)
		}
		if begins := planner.Begins(p.Steps, step); begins != strings.HasSuffix(step.ID, "copy-begin") {
			t.Errorf("%s begins a guard with an end: %t", step.ID, begins)
		}
	}
}
