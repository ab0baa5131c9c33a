package planner_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/providers/facts"
)

// The planner puts what disrupts a control plane or an etcd node into one lane, and every step into its node's own.
func TestBuildSetsLanes(t *testing.T) {
	for name, test := range map[string]struct {
		roles  []string
		guards []string
		want   []string // of the steps of cp1: set, restart
	}{
		"a worker":                         {[]string{"worker"}, nil, []string{"node/cp1", "node/cp1"}},
		"a control plane":                  {[]string{"worker", "control-plane"}, nil, []string{"node/cp1", "node/cp1 control-plane"}},
		"an etcd node":                     {[]string{"worker", "etcd"}, nil, []string{"node/cp1", "node/cp1 control-plane"}},
		"a control plane, behind a guard":  {[]string{"worker", "control-plane"}, []string{"copy"}, []string{"node/cp1 control-plane", "node/cp1 control-plane"}},
		"a worker, behind a guard":         {[]string{"worker"}, []string{"copy"}, []string{"node/cp1", "node/cp1"}},
		"a control plane, guard of nobody": {[]string{"worker", "control-plane"}, []string{"nobody"}, []string{"node/cp1 control-plane", "node/cp1 control-plane"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := testRequest(2, func(w *widget) { w.Serial, w.Guards = "", test.guards })
			for i := range r.Desired.Nodes {
				r.Desired.Nodes[i].Roles = test.roles
			}
			var got []string
			for _, s := range build(t, r).Steps {
				if s.Node != "cp1" {
					continue
				}
				var names []string
				for _, lane := range s.Lanes {
					names = append(names, lane.Name)
				}
				got = append(got, strings.Join(names, " "))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("lanes (-want +got):\n%s", diff)
			}
		})
	}
}

// A plan says which nodes of a lane take its places whatever the plan does.
func TestPlansSayWhoTakesThePlaces(t *testing.T) {
	r := testRequest(4, func(w *widget) { w.Serial = ""; w.Nodes = config.Selection{Names: []string{"cp1", "cp2"}} })
	for i := range r.Desired.Nodes {
		r.Desired.Nodes[i].Roles = []string{"control-plane"}
	}
	r.World.Kubernetes.Nodes = []facts.KubernetesNode{
		{Name: "cp1"}, // not ready, and this plan works on it
		{Name: "cp2", Ready: true}, {Name: "cp3"}, {Name: "cp4", Ready: true, Unschedulable: true},
	}
	p := build(t, r)
	if len(p.Lanes) != 1 || p.Lanes[0].Name != "control-plane" || p.Lanes[0].Width != 1 || !p.Lanes[0].Strict {
		t.Fatalf("lanes %+v", p.Lanes)
	}
	if diff := cmp.Diff([]string{"cp1", "cp2", "cp3", "cp4"}, p.Lanes[0].Nodes); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]planner.TakenPlace{{Node: "cp3", Why: "not ready"}, {Node: "cp4", Why: "cordoned"}}, p.Lanes[0].Taken); diff != "" {
		t.Errorf("taken (-want +got):\n%s", diff)
	}
}
