package planner

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/fixtures/worlds"
	"upkeep/providers"
)

// TestOneMachineUnderTwoNames: two nodes with one machine id refuse the plan; a node whose id is not known does not.
func TestOneMachineUnderTwoNames(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	desired := config.Desired{}
	for _, name := range []string{"cp1", "cp2", "cp3"} {
		desired.Nodes = append(desired.Nodes, config.Node{Name: name, Host: name})
	}
	for name, test := range map[string]struct {
		id   func(own string) string
		want int
	}{
		"each its own": {func(own string) string { return own }, 0},
		"one for two":  {func(string) string { return "of cp1" }, 1},
		"not observed": {func(string) string { return "" }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			world := worlds.ControlPlanes(3, now)
			world.Nodes["cp1"].System.MachineID = test.id("of cp1")
			world.Nodes["cp2"].System.MachineID = test.id("of cp2")
			in := providers.Input{World: world, Inventory: providers.NewInventory(desired, world)}
			if diff := cmp.Diff(test.want, len(sameMachine(in))); diff != "" {
				t.Error(diff, sameMachine(in))
			}
		})
	}
}
