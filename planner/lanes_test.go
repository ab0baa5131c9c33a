package planner_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/planner/schedule"
	"upkeep/providers"
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

// A control plane is one whatever the configuration calls it.
func TestAControlPlaneByAnotherName(t *testing.T) {
	for name, test := range map[string]struct {
		labels map[string]string
		pods   []facts.StaticPod
		want   []string
	}{
		"nobody knows it":                {nil, nil, []string{"node/cp1"}},
		"Kubernetes calls it one":        {map[string]string{"node-role.kubernetes.io/control-plane": ""}, nil, []string{"node/cp1", "control-plane"}},
		"Kubernetes calls it a master":   {map[string]string{"node-role.kubernetes.io/master": ""}, nil, []string{"node/cp1", "control-plane"}},
		"Kubernetes calls it etcd":       {map[string]string{"node-role.kubernetes.io/etcd": ""}, nil, []string{"node/cp1", "control-plane"}},
		"it runs a control plane's pods": {nil, []facts.StaticPod{{Component: "etcd"}}, []string{"node/cp1", "control-plane"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := testRequest(1, func(w *widget) { w.Serial = ""; w.Nodes = config.Selection{Names: []string{"cp1"}} })
			r.Desired.Nodes[0].Roles = []string{"masters"}
			r.World.Kubernetes.Nodes = []facts.KubernetesNode{{Name: "cp1", Ready: true, Labels: test.labels}}
			r.World.Nodes["cp1"].ControlPlane.StaticPods = test.pods
			var got []string
			for _, s := range build(t, r).Steps {
				if s.Disrupts() {
					for _, lane := range s.Lanes {
						got = append(got, lane.Name)
					}
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("lanes (-want +got):\n%s", diff)
			}
		})
	}
}

// Nodes of a lane that are not ready, or cordoned by anybody, take its places.
func TestNodesThatTakePlaces(t *testing.T) {
	fleet := []planner.LaneNodes{{Lane: providers.Lane{Name: "fleet", Width: 2}, Nodes: []string{"gpu1", "gpu2", "gpu3"}}}
	nodes := []facts.KubernetesNode{{Name: "gpu1"}, {Name: "gpu2", Ready: true}, {Name: "gpu3", Ready: true, Unschedulable: true}, {Name: "cp1"}}
	for name, test := range map[string]struct {
		lanes []planner.LaneNodes
		world facts.Kubernetes
		want  []schedule.Taken
		seen  bool
	}{
		"as observed":                          {fleet, facts.Kubernetes{Nodes: nodes}, []schedule.Taken{{Node: "gpu1", Why: "not ready"}, {Node: "gpu3", Why: "cordoned"}}, true},
		"the API did not answer":               {fleet, facts.Kubernetes{Unknown: "refused", Nodes: nodes}, nil, false},
		"it was not asked":                     {fleet, facts.Kubernetes{}, nil, false},
		"no lane is about nodes that could be": {[]planner.LaneNodes{{Lane: providers.Lane{Name: "control-plane", Width: 1}}}, facts.Kubernetes{Nodes: nodes}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			taken, seen := planner.Taken(test.lanes, providers.Input{World: facts.World{Kubernetes: test.world}})
			if diff := cmp.Diff(test.want, taken); diff != "" || seen != test.seen {
				t.Errorf("seen %v; taken (-want +got):\n%s", seen, diff)
			}
		})
	}
}

// The lane of control planes counts those that are under way alone: what may be done while another one is down, each
// step judges for itself.
func TestAControlPlaneThatIsDownTakesNoPlace(t *testing.T) {
	r := testRequest(3, func(w *widget) { w.Serial = ""; w.Nodes = config.Selection{Names: []string{"cp1", "cp2"}} })
	for i := range r.Desired.Nodes {
		r.Desired.Nodes[i].Roles = []string{"control-plane"}
	}
	r.World.Kubernetes.Nodes = []facts.KubernetesNode{{Name: "cp1", Ready: true}, {Name: "cp2", Ready: true}, {Name: "cp3"}}
	want := []planner.LaneNodes{{Lane: providers.Lane{Name: "control-plane", Width: 1, Strict: true}}}
	if diff := cmp.Diff(want, build(t, r).Lanes); diff != "" {
		t.Errorf("lanes (-want +got):\n%s", diff)
	}
}
