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
			names, why := planner.LockedNodes(test.steps, providers.Input{Inventory: providers.Inventory{Nodes: test.nodes}, World: test.world})
			if diff := cmp.Diff(test.want, names); diff != "" || why != test.why {
				t.Errorf("names (-want +got):\n%s\nwhy %q, want %q", diff, why, test.why)
			}
		})
	}
}

// What apply refuses before its first step, since nothing would keep other runs away, is known when the plan is made.
func TestARefusedLockIsForeseen(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*planner.Request)
		want   string
	}{
		"the API answers": {change: func(r *planner.Request) {}},
		"the API is down, and control planes are known": {change: func(r *planner.Request) { r.World.Kubernetes.Unknown = "connection refused" }},
		"the API is down, and the step is about no node that is known": {
			change: func(r *planner.Request) { r.World.Kubernetes.Unknown = "connection refused"; nameless(r) },
			want:   "the Kubernetes API does not answer (connection refused), and no node gives a lock instead: none of cp1 is known to run etcd",
		},
		"recorded facts": {change: func(r *planner.Request) { r.Recorded, r.Desired.Cluster = true, nil; nameless(r) }},
		"no cluster block": {
			change: func(r *planner.Request) { r.Desired.Cluster = nil; nameless(r) },
			want:   "the Kubernetes API does not answer (the configuration has no cluster block), and no node gives a lock instead: none of cp1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := testRequest(1, nil)
			r.Desired.Cluster = &config.Cluster{Kubeconfig: "kubeconfig"}
			test.change(&r)
			p := build(t, r)
			if test.want == "" {
				if len(p.ExpectedRefusals) > 0 {
					t.Errorf("foreseen %+v", p.ExpectedRefusals)
				}
				return
			}
			if len(p.ExpectedRefusals) != len(p.Steps) || len(p.Steps) == 0 || !strings.Contains(p.ExpectedRefusals[0].Why, test.want) {
				t.Errorf("foreseen %+v of %d steps, want %q", p.ExpectedRefusals, len(p.Steps), test.want)
			}
		})
	}
}

// nameless makes a request's only step one of no node.
func nameless(r *planner.Request) {
	r.Desired.Resources = []config.Declared{{Type: "vault", Name: "main", Value: clusterwide{}}}
}

// clusterwide is a block whose step is about the cluster and no node.
type clusterwide struct{ store }

func (clusterwide) Diff(providers.Input) providers.Outcome {
	return providers.Outcome{Steps: []providers.Step{{ID: "vault.main/copy-begin", Operation: "vault.begin", Action: "update", Args: []byte(`{"guard":"copy"}`), Window: "always"}}}
}
