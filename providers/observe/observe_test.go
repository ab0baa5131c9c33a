package observe

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
)

var now = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// fakeNodes answers from a map; a node that is not in it does not answer.
type fakeNodes struct {
	stored  map[string]string
	answers map[string]facts.Node
	reach   func(config.Node, facts.EtcdEndpoint) (net.Conn, error)

	mu    sync.Mutex
	asked map[string][]facts.Question
	dials []string
}

func (f *fakeNodes) Observe(_ context.Context, node config.Node, question facts.Question) (facts.Node, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.asked == nil {
		f.asked = map[string][]facts.Question{}
	}
	if !question.Floor || !question.Boot {
		return facts.Node{}, errors.New(node.Name + " is not asked what it stands on")
	}
	question.Floor, question.Boot = false, false // asked of every node
	f.asked[node.Name] = append(f.asked[node.Name], question)
	answer, ok := f.answers[node.Name]
	if !ok {
		return facts.Node{}, errors.New(node.Name + ": no answer in 10s")
	}
	return answer, nil
}

func (f *fakeNodes) Stored(_ context.Context, node config.Node) (facts.ConfigurationSources, error) {
	if v, ok := f.stored["/key"]; ok {
		return facts.ConfigurationSources{Stored: []byte(v), Revision: 1}, nil
	}
	return facts.ConfigurationSources{Unknown: "no such key"}, nil
}

func (f *fakeNodes) Reach(_ context.Context, node config.Node, endpoint facts.EtcdEndpoint) (net.Conn, error) {
	return f.reach(node, endpoint)
}

func (f *fakeNodes) Etcd(_ context.Context, node config.Node) (net.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dials = append(f.dials, node.Name)
	return nil, errors.New("refused")
}

type fakeKubernetes struct{ facts facts.Kubernetes }

func (f fakeKubernetes) Observe(context.Context) facts.Kubernetes { return f.facts }
func (f fakeKubernetes) Match(selector string, nodes []facts.KubernetesNode) ([]string, error) {
	if selector == "broken" {
		return nil, errors.New("selector does not parse")
	}
	var names []string
	for _, n := range nodes {
		if n.Labels[selector] != "" {
			names = append(names, n.Name)
		}
	}
	return names, nil
}
func (f fakeKubernetes) FromEtcd(known facts.Kubernetes) (string, func([]byte, error) facts.Kubernetes) {
	if known.Version != "" {
		return "", nil
	}
	return "/key", func(stored []byte, err error) facts.Kubernetes {
		known.Version = string(stored)
		if err != nil {
			known.Unknown += "; etcd: " + err.Error()
		}
		return known
	}
}
func (f fakeKubernetes) FromNodes(known facts.Kubernetes, answers []facts.ConfigurationAnswer) facts.Kubernetes {
	for _, a := range answers {
		if a.Unknown != "" {
			known.Unknown += "; etcd: " + a.Node + ": " + a.Unknown
			continue
		}
		known.Version = string(a.Stored)
	}
	return known
}
func (fakeKubernetes) Tenancies(context.Context) facts.Tenancies { return facts.Tenancies{} }
func (fakeKubernetes) Drain(_ context.Context, q facts.DrainQuestion) facts.Drain {
	return facts.Drain{Tried: q.Try, Pods: []facts.DrainPod{{Namespace: "default", Name: "web-" + q.Node}}}
}

func (fakeKubernetes) Residents(context.Context) facts.Residents {
	return facts.Residents{Pods: []facts.Resident{{Node: "a", Name: "akash-provider-0", Duty: facts.DutyProvider}}}
}
func (fakeKubernetes) Maintenance(context.Context) facts.Maintenance {
	return facts.Maintenance{Claims: []facts.MaintenanceClaim{{Node: "a", By: "kured", Evidence: "a lock"}}}
}
func (fakeKubernetes) Definition(context.Context, string) facts.Definition {
	return facts.Definition{}
}
func (fakeKubernetes) Secret(context.Context, facts.SecretQuestion) facts.Existence {
	return facts.Existence{}
}
func (fakeKubernetes) HostPorts(context.Context, []int) facts.HostPorts { return facts.HostPorts{} }

type fakeEtcd struct {
	stored  map[string]string
	members *[]string
}

func (f fakeEtcd) Observe(ctx context.Context, nodes []string, dial func(context.Context, string) (net.Conn, error)) facts.Etcd {
	*f.members = nodes
	if len(nodes) == 0 {
		return facts.Etcd{Unknown: "no node with an etcd member is known"}
	}
	for _, node := range nodes {
		_, _ = dial(ctx, node) // the dialer is under test, not the connection
	}
	return facts.Etcd{ClusterID: "c1"}
}

func (f fakeEtcd) Get(_ context.Context, _ []string, _ func(context.Context, string) (net.Conn, error), key string) ([]byte, error) {
	if v, ok := f.stored[key]; ok {
		return []byte(v), nil
	}
	return nil, errors.New("no such key")
}

func controlPlane(name string) facts.Node {
	return facts.Node{Name: name, ControlPlane: facts.ControlPlane{StaticPods: []facts.StaticPod{{Component: "etcd"}}}}
}

func TestObserve(t *testing.T) {
	three := config.Desired{Nodes: []config.Node{
		{Name: "cp1", Host: "10.0.0.1", Roles: []string{"control-plane", "etcd"}},
		{Name: "cp2", Host: "10.0.0.2", Roles: []string{"control-plane", "etcd"}},
		{Name: "w1", Host: "10.0.0.3", Roles: []string{"worker"}},
	}}
	controlPlanes := providers.NodeNeed{Nodes: config.Selection{Roles: []string{"control-plane"}}, Question: facts.Question{ControlPlane: true}}
	everything := []providers.Needs{{Kubernetes: providers.KubernetesNeeds{Cluster: true}, Etcd: true, Nodes: []providers.NodeNeed{controlPlanes}}}

	tests := []struct {
		name       string
		desired    config.Desired
		needs      []providers.Needs
		nodes      map[string]facts.Node
		kubernetes Kubernetes
		stored     map[string]string
		want       facts.World
		members    []string
		dials      []string
	}{
		{
			name: "nodes that nobody needs are not asked, and what nobody needs is unknown", desired: three,
			needs: []providers.Needs{{Nodes: []providers.NodeNeed{controlPlanes}}},
			nodes: map[string]facts.Node{"cp1": controlPlane("cp1"), "cp2": controlPlane("cp2")},
			want: facts.World{
				ObservedAt: now,
				Nodes: map[string]*facts.Node{
					"cp1": at(controlPlane("cp1"), "10.0.0.1"),
					"cp2": at(controlPlane("cp2"), "10.0.0.2"),
				},
				Kubernetes: facts.Kubernetes{Unknown: "not asked"},
				Etcd:       facts.Etcd{Unknown: "not asked"},
			},
		},
		{
			name: "a node that does not answer is unknown with its reason, and its member is not dialled", desired: three,
			needs: everything, nodes: map[string]facts.Node{"cp1": controlPlane("cp1")},
			kubernetes: fakeKubernetes{facts.Kubernetes{UID: "u", Version: "v"}},
			want: facts.World{
				ObservedAt: now,
				Nodes: map[string]*facts.Node{
					"cp1": at(controlPlane("cp1"), "10.0.0.1"),
					"cp2": {Name: "cp2", Host: "10.0.0.2", Unknown: "cp2: no answer in 10s"},
				},
				Kubernetes: facts.Kubernetes{UID: "u", Version: "v"},
				Etcd:       facts.Etcd{ClusterID: "c1"},
			},
			members: []string{"cp1", "cp2"}, dials: []string{"cp1"},
		},
		{
			name:       "residents are listed where somebody asks for them",
			needs:      []providers.Needs{{}, {Kubernetes: providers.KubernetesNeeds{Residents: true}}},
			kubernetes: fakeKubernetes{},
			want: facts.World{
				ObservedAt: now, Nodes: map[string]*facts.Node{},
				Kubernetes: facts.Kubernetes{Unknown: "not asked"}, Etcd: facts.Etcd{Unknown: "not asked"},
				Residents: &facts.Residents{Pods: []facts.Resident{{Node: "a", Name: "akash-provider-0", Duty: facts.DutyProvider}}},
			},
		},
		{
			name: "a drain is asked once, with a dry run where anybody wants it",
			needs: []providers.Needs{
				{Kubernetes: providers.KubernetesNeeds{Drains: []facts.DrainQuestion{{Node: "a"}, {Node: "b"}}}},
				{Kubernetes: providers.KubernetesNeeds{Drains: []facts.DrainQuestion{{Node: "a", Try: true}}}},
			},
			kubernetes: fakeKubernetes{},
			want: facts.World{
				ObservedAt: now, Nodes: map[string]*facts.Node{},
				Kubernetes: facts.Kubernetes{Unknown: "not asked"}, Etcd: facts.Etcd{Unknown: "not asked"},
				Drains: map[string]facts.Drain{
					"a": {Tried: true, Pods: []facts.DrainPod{{Namespace: "default", Name: "web-a"}}},
					"b": {Pods: []facts.DrainPod{{Namespace: "default", Name: "web-b"}}},
				},
			},
		},
		{
			name:  "residents of a cluster that nobody declares are unknown",
			needs: []providers.Needs{{Kubernetes: providers.KubernetesNeeds{Residents: true}}},
			want: facts.World{
				ObservedAt: now, Nodes: map[string]*facts.Node{},
				Kubernetes: facts.Kubernetes{Unknown: "not asked"}, Etcd: facts.Etcd{Unknown: "not asked"},
				Residents: &facts.Residents{Unknown: noCluster},
			},
		},
		{
			name: "a member is asked although nobody asks its node about itself", desired: three,
			needs: []providers.Needs{{Etcd: true, Nodes: []providers.NodeNeed{{
				Nodes: config.Selection{Names: []string{"cp1"}}, Question: facts.Question{ControlPlane: true}}}}},
			nodes: map[string]facts.Node{"cp1": controlPlane("cp1")},
			want: facts.World{
				ObservedAt: now,
				Nodes:      map[string]*facts.Node{"cp1": at(controlPlane("cp1"), "10.0.0.1")},
				Kubernetes: facts.Kubernetes{Unknown: "not asked"},
				Etcd:       facts.Etcd{ClusterID: "c1"},
			},
			members: []string{"cp1", "cp2"}, dials: []string{"cp1", "cp2"},
		},
		{
			name: "a node that says it is another stays itself", desired: three,
			needs: []providers.Needs{{Nodes: []providers.NodeNeed{controlPlanes}}},
			nodes: map[string]facts.Node{"cp1": controlPlane("cp2"), "cp2": controlPlane("cp2")},
			want: facts.World{
				ObservedAt: now,
				Nodes: map[string]*facts.Node{
					"cp1": at(controlPlane("cp1"), "10.0.0.1"),
					"cp2": at(controlPlane("cp2"), "10.0.0.2"),
				},
				Kubernetes: facts.Kubernetes{Unknown: "not asked"},
				Etcd:       facts.Etcd{Unknown: "not asked"},
			},
		},
		{
			name: "etcd answers what the API does not tell", desired: three, needs: everything,
			nodes:      map[string]facts.Node{"cp1": controlPlane("cp1"), "cp2": controlPlane("cp2")},
			kubernetes: fakeKubernetes{facts.Kubernetes{Unknown: "connection refused"}},
			stored:     map[string]string{"/key": "stored"},
			want: facts.World{
				ObservedAt: now,
				Nodes: map[string]*facts.Node{
					"cp1": at(controlPlane("cp1"), "10.0.0.1"),
					"cp2": at(controlPlane("cp2"), "10.0.0.2"),
				},
				Kubernetes: facts.Kubernetes{Unknown: "connection refused", Version: "stored"},
				Etcd:       facts.Etcd{ClusterID: "c1"},
			},
			members: []string{"cp1", "cp2"}, dials: []string{"cp1", "cp2"},
		},
		{
			name: "neither API nor etcd tells: both reasons are told", desired: three, needs: everything,
			nodes:      map[string]facts.Node{"cp1": controlPlane("cp1"), "cp2": controlPlane("cp2")},
			kubernetes: fakeKubernetes{facts.Kubernetes{Unknown: "connection refused"}},
			want: facts.World{
				ObservedAt: now,
				Nodes: map[string]*facts.Node{
					"cp1": at(controlPlane("cp1"), "10.0.0.1"),
					"cp2": at(controlPlane("cp2"), "10.0.0.2"),
				},
				Kubernetes: facts.Kubernetes{Unknown: "connection refused; etcd: cp1: no such key; etcd: cp2: no such key"},
				Etcd:       facts.Etcd{ClusterID: "c1"},
			},
			members: []string{"cp1", "cp2"}, dials: []string{"cp1", "cp2"},
		},
		{
			name: "a fleet is discovered first, and a member without an address is unknown",
			desired: config.Desired{Fleets: []config.Fleet{
				{Name: "gpu", Selector: "gpu", Address: "InternalIP", Roles: []string{"gpu"}},
				{Name: "odd", Selector: "broken", Address: "InternalIP", Roles: []string{"odd"}},
			}},
			needs: []providers.Needs{{Nodes: []providers.NodeNeed{{Nodes: config.Selection{Fleets: []string{"gpu"}}, Question: facts.Question{NVIDIA: true}}}}},
			nodes: map[string]facts.Node{"g1": {Name: "g1"}},
			kubernetes: fakeKubernetes{facts.Kubernetes{Nodes: []facts.KubernetesNode{
				{Name: "g1", Labels: map[string]string{"gpu": "yes"}, Addresses: map[string]string{"InternalIP": "10.0.1.1"}},
				{Name: "g2", Labels: map[string]string{"gpu": "yes"}},
				{Name: "other"},
			}}},
			want: facts.World{
				ObservedAt: now,
				Fleets: map[string]facts.Fleet{
					"gpu": {Members: []string{"g1", "g2"}},
					"odd": {Unknown: "selector does not parse"},
				},
				Nodes: map[string]*facts.Node{
					"g1": at(facts.Node{Name: "g1"}, "10.0.1.1"),
					"g2": {Name: "g2", Unknown: "its Kubernetes node has no address of the type that nodes.gpu asks for"},
				},
				Kubernetes: facts.Kubernetes{Nodes: []facts.KubernetesNode{
					{Name: "g1", Labels: map[string]string{"gpu": "yes"}, Addresses: map[string]string{"InternalIP": "10.0.1.1"}},
					{Name: "g2", Labels: map[string]string{"gpu": "yes"}},
					{Name: "other"},
				}},
				Etcd: facts.Etcd{Unknown: "not asked"},
			},
		},
		{
			name:    "no cluster block: fleets and Kubernetes are unknown",
			desired: config.Desired{Fleets: []config.Fleet{{Name: "gpu", Selector: "gpu"}}},
			want: facts.World{
				ObservedAt: now,
				Fleets:     map[string]facts.Fleet{"gpu": {Unknown: "Kubernetes: " + noCluster}},
				Nodes:      map[string]*facts.Node{},
				Kubernetes: facts.Kubernetes{Unknown: noCluster},
				Etcd:       facts.Etcd{Unknown: "not asked"},
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			nodes := &fakeNodes{answers: test.nodes, stored: test.stored}
			var members []string
			o := &Observer{Nodes: nodes, Kubernetes: test.kubernetes, Etcd: fakeEtcd{test.stored, &members}, Now: func() time.Time { return now }}
			got, err := o.Observe(context.Background(), test.desired, test.needs)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("world (-want +got):\n%s", diff)
			}
			slices.Sort(nodes.dials)
			if diff := cmp.Diff(test.members, members); diff != "" {
				t.Errorf("members asked (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.dials, nodes.dials); diff != "" {
				t.Errorf("members dialled (-want +got):\n%s", diff)
			}
			for name, questions := range nodes.asked {
				if len(questions) != 1 {
					t.Errorf("%s was asked %d times; one round trip is promised", name, len(questions))
				}
			}
		})
	}
}

func TestQuestionsMergePerNode(t *testing.T) {
	inventory := providers.Inventory{Nodes: []config.Node{{Name: "cp1", Roles: []string{"control-plane"}}, {Name: "w1"}}}
	needs := []providers.Needs{
		{Nodes: []providers.NodeNeed{{Nodes: config.Selection{Roles: []string{"control-plane"}}, Question: facts.Question{
			ControlPlane: true, Certificates: &facts.CertificatesQuestion{Layout: "auto", Kubeconfigs: []string{"/root/.kube/config"}},
		}}}},
		{Nodes: []providers.NodeNeed{{Nodes: config.Selection{Names: []string{"cp1", "w1"}}, Question: facts.Question{
			NVIDIA: true, Certificates: &facts.CertificatesQuestion{Layout: "kubeadm", Kubeconfigs: []string{"/root/.kube/config", "/home/ops/.kube/config"}},
		}}}},
	}
	want := map[string]facts.Question{
		"cp1": {ControlPlane: true, NVIDIA: true, Certificates: &facts.CertificatesQuestion{
			Layout: "kubeadm", Kubeconfigs: []string{"/root/.kube/config", "/home/ops/.kube/config"},
		}},
		"w1": {NVIDIA: true, Certificates: &facts.CertificatesQuestion{
			Layout: "kubeadm", Kubeconfigs: []string{"/root/.kube/config", "/home/ops/.kube/config"},
		}},
	}
	if diff := cmp.Diff(want, Questions(inventory, needs)); diff != "" {
		t.Errorf("questions (-want +got):\n%s", diff)
	}
}

func at(n facts.Node, host string) *facts.Node {
	n.Host = host
	return &n
}
