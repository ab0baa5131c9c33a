package planner_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// drawRequest draws a cluster of up to six nodes, some unreachable, and up to three widgets.
func drawRequest(t *rapid.T) planner.Request {
	r := testRequest(rapid.IntRange(0, 6).Draw(t, "nodes"), nil)
	r.Desired.Resources = nil
	primary := rapid.IntRange(-1, 5).Draw(t, "primary")
	for i, n := range r.Desired.Nodes {
		switch rapid.IntRange(0, 4).Draw(t, "state") {
		case 0:
			r.World.Nodes[n.Name] = &facts.Node{Name: n.Name, Unknown: "down"}
		case 1:
			r.World.Nodes[n.Name].System.Kernel = "2"
		}
		if i == primary {
			r.Desired.Nodes[i].Primary = true
		}
	}
	for i := range rapid.IntRange(1, 3).Draw(t, "widgets") {
		declare(&r, widget{
			Name: fmt.Sprintf("w%d", i), Version: "2", Nodes: config.Selection{Roles: []string{"worker"}},
			Serial: rapid.SampledFrom([]string{"", "a"}).Draw(t, "serial"),
			Guards: rapid.SampledFrom([][]string{nil, {"copy"}, {"seal"}, {"seal", "copy"}, {"nobody"}}).Draw(t, "guards"),
		})
	}
	declareVault(&r)
	return r
}

// copyWorld returns the same world with its maps filled in another order.
func copyWorld(w facts.World, backwards bool) facts.World {
	names := slices.Sorted(maps.Keys(w.Nodes))
	if backwards {
		slices.Reverse(names)
	}
	nodes := map[string]*facts.Node{}
	for _, name := range names {
		node := *w.Nodes[name]
		nodes[name] = &node
	}
	w.Nodes = nodes
	return w
}

func TestSameRequestSameBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRequest(t)
		var first []byte
		for i := range 4 {
			r.World = copyWorld(r.World, i%2 == 1)
			p, err := planner.Build(r, testTypes())
			if err != nil {
				t.Fatal(err)
			}
			data, err := planner.Encode(p)
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = data
			}
			if !bytes.Equal(first, data) {
				t.Fatalf("built again, the plan differs:\n%s\n%s", first, data)
			}
		}
	})
}

func TestPlansSurviveTheirFile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, err := planner.Build(drawRequest(t), testTypes())
		if err != nil {
			t.Fatal(err)
		}
		data, err := planner.Encode(p)
		if err != nil {
			t.Fatal(err)
		}
		again, err := planner.Decode(data, testTypes())
		if err != nil {
			t.Fatal(err)
		}
		if b, err := planner.Encode(again); err != nil || !bytes.Equal(data, b) {
			t.Fatalf("%v\n%s\n%s", err, data, b)
		}
	})
}

// A plan with targets has the steps of the whole plan, in its order, less those that were not asked for.
func TestTargetedIsPartOfTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRequest(t)
		whole, err := planner.Build(r, testTypes())
		if err != nil {
			t.Fatal(err)
		}
		if len(whole.Objects) == 0 {
			t.Skip("nothing to target")
		}
		address := rapid.SampledFrom(whole.Objects).Draw(t, "object").Address
		if rapid.Bool().Draw(t, "whole resource") {
			address = address.Resource()
		}
		exclude := rapid.Bool().Draw(t, "exclude")
		if exclude {
			r.Exclude = []providers.Address{address}
		} else {
			r.Targets = []providers.Address{address}
		}
		part, err := planner.Build(r, testTypes())
		if err != nil {
			t.Fatal(err)
		}
		all := ids(whole.Steps)
		for _, step := range part.Steps {
			if !slices.Contains(all, step.ID) {
				t.Fatalf("%s is not in the whole plan", step.ID)
			}
			if guard := step.Address.Type == "vault"; !guard && address.Covers(step.Address) == exclude {
				t.Fatalf("%s was not asked for", step.ID)
			}
		}
	})
}

// A guarded step never comes before its guard's steps, and a guard ends after all that it guards.
func TestGuardsAreAroundWhatNeedsThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, err := planner.Build(drawRequest(t), testTypes())
		if err != nil {
			t.Fatal(err)
		}
		begun, ended := map[string]bool{}, map[string]bool{}
		for _, s := range p.Steps {
			for _, need := range s.Guards {
				guard := need.Name
				if guard != "nobody" && (!begun["vault.main/"+guard+"-begin"] || ended["vault.main/"+guard+"-end"]) {
					t.Fatalf("%s runs outside its guard %s: %v", s.ID, guard, ids(p.Steps))
				}
				if guard == "nobody" && len(p.Refusals) == 0 {
					t.Fatal("nobody provides the guard, and the plan is not refused")
				}
			}
			begun[s.ID], ended[s.ID] = true, true
		}
	})
}

// What a plan predicts to remain is what its rehearsal leaves, and a plan of the world after it has no steps.
func TestPlansSettle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, err := planner.Build(drawRequest(t), testTypes())
		if err != nil {
			t.Fatal(err)
		}
		r, err := planner.Rehearse(p, testTypes(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Ended(planner.Proved, planner.AlreadySo) != len(p.Steps) || len(r.Due) != 0 || len(r.Remaining) != len(p.Remaining) {
			t.Fatalf("%v; due %v, remaining %v, predicted %v", endings(r), r.Due, r.Remaining, p.Remaining)
		}
	})
}
