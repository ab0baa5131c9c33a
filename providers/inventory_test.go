package providers

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/providers/facts"
)

func TestSelect(t *testing.T) {
	desired := config.Desired{
		Nodes: []config.Node{
			{Name: "cp1", Block: "cp", Roles: []string{"control-plane"}},
			{Name: "cp2", Block: "cp", Roles: []string{"control-plane"}, Primary: true},
			{Name: "w1", Block: "w"},
		},
		Fleets: []config.Fleet{
			{Name: "gpu", Roles: []string{"gpu"}, Address: "InternalIP"},
			{Name: "new", Roles: []string{"gpu"}},
		},
	}
	world := facts.World{
		Fleets: map[string]facts.Fleet{"gpu": {Members: []string{"g2", "g1"}}, "new": {Unknown: "Kubernetes: connection refused"}},
		Kubernetes: facts.Kubernetes{Nodes: []facts.KubernetesNode{
			{Name: "g1", Addresses: map[string]string{"InternalIP": "10.0.1.1"}}, {Name: "g2", Addresses: map[string]string{"InternalIP": "10.0.1.2"}},
		}},
	}
	tests := []struct {
		name       string
		selection  config.Selection
		want       []string
		incomplete string
	}{
		{"the primary comes first", config.Selection{Roles: []string{"control-plane"}}, []string{"cp2", "cp1"}, ""},
		{"a fleet's members by name", config.Selection{Fleets: []string{"gpu"}}, []string{"g1", "g2"}, ""},
		{"a role that an undiscovered fleet may have is incomplete", config.Selection{Roles: []string{"gpu"}}, []string{"g1", "g2"}, "Kubernetes: connection refused"},
		{"an undiscovered fleet is incomplete", config.Selection{Fleets: []string{"new"}}, nil, "Kubernetes: connection refused"},
		{"names", config.Selection{Names: []string{"w1", "cp1"}}, []string{"cp1", "w1"}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			nodes, incomplete := NewInventory(desired, world).Select(test.selection)
			var got []string
			for _, n := range nodes {
				got = append(got, n.Name)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("nodes (-want +got):\n%s", diff)
			}
			if incomplete != test.incomplete {
				t.Errorf("incomplete = %q, want %q", incomplete, test.incomplete)
			}
		})
	}
	g1, ok := NewInventory(desired, world).Node("g1")
	if !ok || g1.Host != "10.0.1.1" || !g1.Fleet {
		t.Errorf("g1 = %+v, %v", g1, ok)
	}
}

func TestOf(t *testing.T) {
	inventory := Inventory{Nodes: []config.Node{{Name: "odd", Host: "10.0.0.2"}, {Name: "n1", Host: "elsewhere"}, {Name: "named", Host: "N3.Example.net"}, {Name: "without"}}}
	for _, test := range []struct {
		name string
		node facts.KubernetesNode
		want string // empty: none
	}{
		{"by its name, whatever its address", facts.KubernetesNode{Name: "n1", Addresses: map[string]string{"InternalIP": "10.0.0.2"}}, "n1"},
		{"by its address", facts.KubernetesNode{Name: "n2", Addresses: map[string]string{"InternalIP": "10.0.0.9", "ExternalIP": "10.0.0.2"}}, "odd"},
		{"by its host name", facts.KubernetesNode{Name: "n3", Addresses: map[string]string{"Hostname": "n3.example.net"}}, "named"},
		{"an empty address is nobody's", facts.KubernetesNode{Name: "n4", Addresses: map[string]string{"InternalIP": ""}}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, ok := inventory.Of(test.node); got.Name != test.want || ok != (test.want != "") {
				t.Errorf("%q, %v", got.Name, ok)
			}
		})
	}
}
