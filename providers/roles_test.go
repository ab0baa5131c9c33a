package providers

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/providers/facts"
)

// TestRoles: what Kubernetes labels a node with is a role of nodes that were discovered, and of declared ones that do
// not say what they are.
func TestRoles(t *testing.T) {
	node := func(name, address string, labels ...string) facts.KubernetesNode {
		n := facts.KubernetesNode{Name: name, Addresses: map[string]string{"InternalIP": address}, Labels: map[string]string{"gpu": "yes"}}
		for _, label := range labels {
			n.Labels["node-role.kubernetes.io/"+label] = ""
		}
		return n
	}
	desired := config.Desired{
		Nodes: []config.Node{
			{Name: "cp1", Host: "10.0.0.1"},
			{Name: "second", Host: "10.0.0.2"},
			{Name: "old", Host: "10.0.0.3"},
			{Name: "said", Host: "10.0.0.4", Roles: []string{"storage"}},
			{Name: "stranger", Host: ""},
		},
		Fleets: []config.Fleet{{Name: "gpu", Roles: []string{"gpu"}}},
	}
	world := facts.World{
		Fleets: map[string]facts.Fleet{"gpu": {Members: []string{"g1", "g2"}}},
		Kubernetes: facts.Kubernetes{Nodes: []facts.KubernetesNode{
			node("cp1", "10.0.0.1", "control-plane", "etcd"), node("n2", "10.0.0.2", "control-plane"), node("n3", "10.0.0.3", "master"),
			node("n4", "10.0.0.4", "control-plane"), node("g1", "10.0.1.1", "control-plane", "gpu", "worker"), node("g2", "10.0.1.2"), node("n9", ""),
		}},
	}
	got := map[string][]string{}
	for _, n := range NewInventory(desired, world).Nodes {
		got[n.Name] = n.Roles
	}
	want := map[string][]string{
		"cp1": {"control-plane", "etcd"}, "second": {"control-plane"}, "old": {"control-plane"}, "said": {"storage"}, "stranger": nil,
		"g1": {"gpu", "control-plane"}, "g2": {"gpu"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(desired.Fleets[0].Roles) != 1 {
		t.Errorf("the declaration has changed: %v", desired.Fleets[0].Roles)
	}
}

// TestRolesWithoutKubernetes: roles that nobody could tell make a selection incomplete; declared ones wait for nothing.
func TestRolesWithoutKubernetes(t *testing.T) {
	outage := facts.World{
		Kubernetes: facts.Kubernetes{Unknown: "connection refused"},
		Fleets:     map[string]facts.Fleet{"gpu": {Unknown: "Kubernetes: connection refused"}},
	}
	declared := config.Node{Name: "cp1", Roles: []string{"control-plane"}}
	bare := config.Node{Name: "w1"}
	gpu := []config.Fleet{{Name: "gpu", Roles: []string{"gpu"}}}
	for name, test := range map[string]struct {
		desired    config.Desired
		role       string
		incomplete string
	}{
		"declared":                    {config.Desired{Nodes: []config.Node{declared, bare}, Fleets: gpu}, "control-plane", ""},
		"by Kubernetes alone":         {config.Desired{Nodes: []config.Node{bare}}, "control-plane", "Kubernetes: connection refused"},
		"of a fleet":                  {config.Desired{Fleets: gpu}, "control-plane", "Kubernetes: connection refused"},
		"no role of Kubernetes":       {config.Desired{Nodes: []config.Node{bare}}, "storage", ""},
		"all nodes say what they are": {config.Desired{Nodes: []config.Node{declared}}, "etcd", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if _, incomplete := NewInventory(test.desired, outage).Select(config.Selection{Roles: []string{test.role}}); incomplete != test.incomplete {
				t.Errorf("incomplete = %q, want %q", incomplete, test.incomplete)
			}
		})
	}
}

// TestOuts: a node that is out is in no selection, declared or discovered.
func TestOuts(t *testing.T) {
	desired := config.Desired{
		Nodes:  []config.Node{{Name: "cp1", Host: "10.0.0.1", Roles: []string{"control-plane"}}, {Name: "cp2", Host: "10.0.0.2", Roles: []string{"control-plane"}}},
		Fleets: []config.Fleet{{Name: "gpu"}},
		Outs:   []config.Out{{Node: "cp2", Reason: "RMA"}, {Node: "g1", Reason: "moves"}},
	}
	world := facts.World{Fleets: map[string]facts.Fleet{"gpu": {Members: []string{"g1", "g2"}}}}
	inventory := NewInventory(desired, world)
	nodes, incomplete := inventory.Select(config.Selection{Roles: []string{"control-plane"}, Fleets: []string{"gpu"}, Names: []string{"cp2", "g1"}})
	var got []string
	for _, n := range nodes {
		got = append(got, n.Name)
	}
	if diff := cmp.Diff([]string{"cp1", "g2"}, got); diff != "" || incomplete != "" {
		t.Error(diff, incomplete)
	}
	if o, ok := inventory.Out("g1"); !ok || o.Reason != "moves" {
		t.Errorf("g1 is out: %v %v", o, ok)
	}
	if _, ok := inventory.Of(facts.KubernetesNode{Name: "elsewhere", Addresses: map[string]string{"InternalIP": "10.0.0.2"}}); ok {
		t.Error("a node that is out is found by its address")
	}
}
