package main

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/cmd/upkeep/wiring"
	"upkeep/config"
)

// What a domain can plan it can do, and what it can do has a meaning.
func TestEachOperationHasAnEffect(t *testing.T) {
	run := tools{workspace: workspace{releases: &releases{}}, caller: wiring.Caller{Nodes: wiring.NewNodes(nil, config.Desired{}, nil)}}
	for _, d := range every() {
		effects, operations := slices.Sorted(maps.Keys(d.declares.Effects)), slices.Sorted(maps.Keys(d.acts(run)))
		if diff := cmp.Diff(effects, operations); diff != "" || len(effects) == 0 {
			t.Errorf("%s: effects and operations (-effect +operation):\n%s", d.declares.Name, diff)
		}
	}
	if all := operations(run); len(all) != len(effects(domains())) {
		t.Errorf("%d operations and %d effects: two domains have one name", len(all), len(effects(domains())))
	}
}
