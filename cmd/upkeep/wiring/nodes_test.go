package wiring_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/cmd/upkeep/wiring"
	"upkeep/config"
	"upkeep/planner"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// What a look discovers can be named from then on, also where a later look cannot discover it for a moment.
func TestNamesResolveToWhatWasDiscovered(t *testing.T) {
	desired, endpoints := house()
	nodes := wiring.NewNodes(&client{}, desired, endpoints)
	found := facts.World{
		Fleets: map[string]facts.Fleet{"workers": {Members: []string{"w1"}}},
		Kubernetes: facts.Kubernetes{Nodes: []facts.KubernetesNode{{
			Name: "w1", Addresses: map[string]string{"InternalIP": "10.0.1.1"},
		}}},
	}
	moved := facts.World{Fleets: found.Fleets, Kubernetes: facts.Kubernetes{Nodes: []facts.KubernetesNode{{
		Name: "w1", Addresses: map[string]string{"InternalIP": "10.0.1.9"},
	}}}}
	silent := facts.World{Fleets: map[string]facts.Fleet{"workers": {Unknown: "the API is down"}}}
	for _, step := range []struct {
		name  string
		world *facts.World // nil: nothing was looked at yet
		want  string       // where a tunnel to w1 goes; empty: w1 is no node
	}{
		{"before any look", nil, ""},
		{"discovered", &found, "10.0.1.1 files"},
		{"not discoverable for a moment", &silent, "10.0.1.1 files"},
		{"at another address", &moved, "10.0.1.9 files"},
	} {
		if step.world != nil {
			nodes.Know(providers.NewInventory(desired, *step.world))
		}
		got, err := nodes.Tunnel(t.Context(), "w1", "files")
		switch {
		case step.want == "":
			if err == nil || err.Error() != "w1 is not a node of this configuration" {
				t.Errorf("%s: %v", step.name, err)
			}
		case err != nil || got.(conn).name != step.want:
			t.Errorf("%s: %v, %v; want %s", step.name, got, err, step.want)
		}
	}
}

func TestAnEndpointIsReachedThroughTheFirstNodeThatConnects(t *testing.T) {
	desired, endpoints := house()
	for _, test := range []struct {
		name, member string
		refused      []string
		want, err    string
	}{
		{name: "the first", member: elsewhere, want: "10.0.0.1 " + elsewhere},
		{name: "the second", member: elsewhere, refused: []string{"10.0.0.1"}, want: "10.0.0.2 " + elsewhere},
		{name: "none", member: elsewhere, refused: []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"},
			err: "no node through which " + elsewhere + " is reached gave a connection\ncp1: no answer\ncp2: no answer\ncp3: no answer"},
		{name: "a member on a node", member: "cp2", want: "10.0.0.2 etcd"},
		{name: "nobody", member: "cp9", err: "cp9 is not a node of this configuration"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := wiring.NewNodes(&client{refused: test.refused}, desired, endpoints).Member(t.Context(), test.member)
			if test.err != "" {
				if err == nil || err.Error() != test.err {
					t.Fatalf("%v, want %s", err, test.err)
				}
				return
			}
			if err != nil || got.(conn).name != test.want {
				t.Errorf("%v, %v; want %s", got, err, test.want)
			}
		})
	}
}

func TestALookWantsADeclaredResource(t *testing.T) {
	desired, endpoints := house()
	look := looker(wiring.NewNodes(&client{}, desired, endpoints), desired)
	_, err := look.Step(t.Context(), providers.Step{ID: "block.b/do", Address: providers.Address{Type: "block", Name: "b"}})
	if err == nil || !strings.Contains(err.Error(), "step block.b/do belongs to block.b, which the plan does not declare") {
		t.Error(err)
	}
}

// The nodes that give a lock are the control planes that the lane "control-plane" is about.
func TestLockedNodes(t *testing.T) {
	steps := []providers.Step{{Node: "w2"}, {Node: ""}, {Node: "w1"}, {Node: "w2"}}
	worker := config.Node{Name: "w1", Roles: []string{"gpu"}}
	named := config.Node{Name: "cp3", Roles: []string{"masters"}}
	for name, test := range map[string]struct {
		nodes []config.Node
		steps []providers.Step
		world facts.World
		want  []string
		why   string
	}{
		"control planes": {
			nodes: []config.Node{worker, {Name: "cp1", Roles: []string{"etcd", "control-plane"}}, {Name: "cp2", Roles: []string{"control-plane"}}},
			steps: steps, want: []string{"cp1", "cp2"},
		},
		"etcd alone": {nodes: []config.Node{worker, {Name: "e1", Roles: []string{"etcd"}}}, steps: []providers.Step{{}}, want: []string{"e1"}},
		"etcd beside control planes": {
			nodes: []config.Node{{Name: "e1", Roles: []string{"etcd"}}, {Name: "cp1", Roles: []string{"control-plane"}}}, want: []string{"e1", "cp1"},
		},
		"Kubernetes calls it one": {
			nodes: []config.Node{worker, named}, steps: steps, want: []string{"cp3"},
			world: facts.World{Kubernetes: facts.Kubernetes{Nodes: []facts.KubernetesNode{{Name: "cp3", Labels: map[string]string{"node-role.kubernetes.io/control-plane": ""}}}}},
		},
		"it runs a control plane's pods": {
			nodes: []config.Node{worker, named}, steps: steps, want: []string{"cp3"},
			world: facts.World{Nodes: map[string]*facts.Node{"cp3": {Name: "cp3", ControlPlane: facts.ControlPlane{StaticPods: []facts.StaticPod{{Component: "etcd"}}}}}},
		},
		"no control plane: the nodes of steps": {nodes: []config.Node{worker}, steps: steps, want: []string{"w2", "w1"}},
		"nor a step of a node": {
			nodes: []config.Node{worker, named}, steps: []providers.Step{{}},
			why: `none of w1, cp3 is known to run etcd or a control plane; give the nodes that run etcd roles = ["etcd"] and plan again, or bring the API back`,
		},
		"no node": {
			steps: []providers.Step{{}},
			why:   `the configuration declares no node; declare those that run etcd, with roles = ["etcd"], and plan again, or bring the API back`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			names, why := wiring.LockedNodes(planner.Plan{Steps: test.steps}, providers.Input{Inventory: providers.Inventory{Nodes: test.nodes}, World: test.world})
			if diff := cmp.Diff(test.want, names); diff != "" || why != test.why {
				t.Errorf("names (-want +got):\n%s\nwhy %q, want %q", diff, why, test.why)
			}
		})
	}
}
