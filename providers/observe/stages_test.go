package observe

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// asker needs something, and more once that is known.
type asker struct {
	needs  providers.Needs
	second func(facts.World, providers.Inventory) providers.Needs
}

func (asker) Address() providers.Address             { return providers.Address{Type: "asker", Name: "a"} }
func (asker) Diff(providers.Input) providers.Outcome { return providers.Outcome{} }
func (a asker) Needs() providers.Needs               { return a.needs }
func (a asker) SecondNeeds(w facts.World, i providers.Inventory, _ bool) providers.Needs {
	return a.second(w, i)
}

// counting is every adapter of a cluster, and counts what it is asked.
type counting struct {
	mu    sync.Mutex
	asked []string
}

func (c *counting) note(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, what)
}

func (c countingKubernetes) Definition(_ context.Context, name string) facts.Definition {
	c.note("definition " + name)
	return facts.Definition{Established: true}
}

func (c countingKubernetes) HostPorts(_ context.Context, ports []int) facts.HostPorts {
	c.note("host ports")
	return facts.HostPorts{Pods: []facts.HostPortPod{{Name: "p", Node: "w1", Ports: ports}}}
}

type countingHelm struct{ *counting }

func (countingHelm) Chart(context.Context, string) facts.Installed { return facts.Installed{} }

func (c countingHelm) Observe(_ context.Context, q facts.ReleaseQuestion) facts.Release {
	c.note("release " + q.Name)
	return facts.Release{Revision: len(q.Environment)}
}

// TestTwoStages: what was answered is not asked again, a node or a release that both stages are about is asked for all
// of it, and there is no third stage.
func TestTwoStages(t *testing.T) {
	desired := config.Desired{Nodes: []config.Node{{Name: "cp1", Host: "10.0.0.1"}, {Name: "w1", Host: "10.0.0.2"}, {Name: "w2", Host: "10.0.0.3"}, {Name: "gone", Host: "10.0.0.4"}}}
	names := func(names ...string) config.Selection { return config.Selection{Names: names} }
	inquiries := 0
	resources := []providers.Resource{
		asker{
			needs: providers.Needs{
				Kubernetes: providers.KubernetesNeeds{Cluster: true, Definitions: []string{"a"}, HostPorts: []int{80}},
				Nodes:      []providers.NodeNeed{{Nodes: names("cp1", "w1", "gone"), Question: facts.Question{ControlPlane: true}}},
				Helm:       providers.HelmNeeds{Releases: []facts.ReleaseQuestion{{Namespace: "x", Name: "same"}, {Namespace: "x", Name: "more"}}},
			},
			second: func(w facts.World, i providers.Inventory) providers.Needs {
				inquiries++
				if _, asked := w.Definitions["b"]; asked || len(i.Nodes) != 4 || w.HostPorts == nil {
					t.Errorf("it is asked with %+v", w)
				}
				return providers.Needs{
					Kubernetes: providers.KubernetesNeeds{Cluster: true, Definitions: []string{"a", "b"}, HostPorts: []int{80}},
					Nodes: []providers.NodeNeed{
						{Nodes: names(w.HostPorts.Pods[0].Node, "w2", "gone"), Question: facts.Question{Ports: []int{443, 80}}},
						{Nodes: names("cp1"), Question: facts.Question{ControlPlane: true}},
					},
					Helm: providers.HelmNeeds{Releases: []facts.ReleaseQuestion{{Namespace: "x", Name: "same"}, {Namespace: "x", Name: "more", Environment: []string{"A"}}}},
				}
			},
		},
		asker{second: func(facts.World, providers.Inventory) providers.Needs { return providers.Needs{} }},
	}
	nodes := &fakeNodes{answers: map[string]facts.Node{"cp1": {}, "w1": {}, "w2": {}}}
	count := &counting{}
	o := &Observer{
		Nodes: nodes, Kubernetes: countingKubernetes{fakeKubernetes{facts.Kubernetes{UID: "u"}}, count}, Helm: countingHelm{count},
		Now: func() time.Time { return now },
	}
	world, err := o.Resources(context.Background(), desired, resources)
	if err != nil {
		t.Fatal(err)
	}
	first, ports := facts.Question{ControlPlane: true}, facts.Question{Ports: []int{80, 443}}
	wantAsked := map[string][]facts.Question{"cp1": {first}, "gone": {first}, "w1": {first, {ControlPlane: true, Ports: []int{80, 443}}}, "w2": {ports}}
	if diff := cmp.Diff(wantAsked, nodes.asked); diff != "" {
		t.Errorf("nodes were asked (-want +got):\n%s", diff)
	}
	counts := map[string]int{}
	for _, what := range count.asked {
		counts[what]++
	}
	want := map[string]int{"kubernetes": 1, "definition a": 1, "definition b": 1, "host ports": 1, "release same": 1, "release more": 2}
	if diff := cmp.Diff(want, counts); diff != "" || inquiries != 1 {
		t.Errorf("%d inquiries; else (-want +got):\n%s", inquiries, diff)
	}
	wantWorld := facts.World{
		ObservedAt: now, Kubernetes: facts.Kubernetes{UID: "u"}, Etcd: facts.Etcd{Unknown: "not asked"},
		Nodes: map[string]*facts.Node{
			"cp1": {Name: "cp1", Host: "10.0.0.1"}, "w1": {Name: "w1", Host: "10.0.0.2"}, "w2": {Name: "w2", Host: "10.0.0.3"},
			"gone": {Name: "gone", Host: "10.0.0.4", Unknown: "gone: no answer in 10s"},
		},
		Definitions: map[string]facts.Definition{"a": {Name: "a", Established: true}, "b": {Name: "b", Established: true}},
		Releases:    map[string]*facts.Release{"x/same": {Namespace: "x", Name: "same"}, "x/more": {Namespace: "x", Name: "more", Revision: 1}},
		HostPorts:   &facts.HostPorts{Ports: []int{80}, Pods: []facts.HostPortPod{{Name: "p", Node: "w1", Ports: []int{80}}}},
	}
	if diff := cmp.Diff(wantWorld, world); diff != "" {
		t.Errorf("world (-want +got):\n%s", diff)
	}
}

type countingKubernetes struct {
	fakeKubernetes
	*counting
}

func (c countingKubernetes) Observe(ctx context.Context) facts.Kubernetes {
	c.note("kubernetes")
	return c.fakeKubernetes.Observe(ctx)
}

// TestTwoStagesWithFleets: members of a fleet can be asked in the second stage, and discovery is not done twice.
func TestTwoStagesWithFleets(t *testing.T) {
	desired := config.Desired{Fleets: []config.Fleet{{Name: "gpu", Selector: "gpu", Address: "InternalIP"}}}
	count := &counting{}
	cluster := fakeKubernetes{facts.Kubernetes{Nodes: []facts.KubernetesNode{{Name: "g1", Labels: map[string]string{"gpu": "yes"}, Addresses: map[string]string{"InternalIP": "10.0.1.1"}}}}}
	nodes := &fakeNodes{answers: map[string]facts.Node{"g1": {}}}
	o := &Observer{Nodes: nodes, Kubernetes: countingKubernetes{cluster, count}, Now: func() time.Time { return now }}
	world, err := o.Resources(context.Background(), desired, []providers.Resource{asker{
		second: func(facts.World, providers.Inventory) providers.Needs {
			return providers.Needs{Kubernetes: providers.KubernetesNeeds{Cluster: true}, Nodes: []providers.NodeNeed{{Nodes: config.Selection{Names: []string{"g1"}}, Question: facts.Question{Ports: []int{80}}}}}
		},
	}})
	if err != nil || world.Node("g1").Host != "10.0.1.1" || len(count.asked) != 1 {
		t.Errorf("%+v, %v; asked: %v", world.Nodes, err, count.asked)
	}
	if diff := cmp.Diff(map[string][]facts.Question{"g1": {{Ports: []int{80}}}}, nodes.asked); diff != "" {
		t.Errorf("nodes were asked (-want +got):\n%s", diff)
	}
}
