package reboot

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/downtime"
	"upkeep/providers/facts"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const (
	older = "6.8.0-60-generic"
	newer = "6.8.0-71-generic"
)

// world is one worker that is Ready, runs its newest kernel, and has one pod; three healthy members of etcd run
// elsewhere.
func world(change ...func(*providers.Input, *facts.Node, *facts.KubernetesNode)) providers.Input {
	n := &facts.Node{Name: "w1", System: facts.System{BootID: "b1", MachineID: "m1", Kernel: older}, Boot: facts.Boot{Next: older}}
	k := facts.KubernetesNode{Name: "w1", Ready: true}
	in := providers.Input{Now: noon, World: facts.World{
		Nodes: map[string]*facts.Node{"w1": n}, Tenancies: &facts.Tenancies{}, Residents: &facts.Residents{}, Maintenance: &facts.Maintenance{},
		Drains: map[string]facts.Drain{"w1": {Pods: []facts.DrainPod{{Namespace: "default", Name: "web", Owner: "ReplicaSet web"}}}},
		Etcd:   etcd(3),
	}}
	in.Inventory.Nodes = []config.Node{{Name: "w1", Block: "w", Fleet: true}}
	for _, c := range change {
		c(&in, n, &k)
	}
	in.World.Kubernetes.Nodes = append(in.World.Kubernetes.Nodes, k)
	return in
}

func etcd(members int) (e facts.Etcd) {
	for i := range members {
		id := fmt.Sprint(i + 1)
		e.Members = append(e.Members, facts.Member{ID: id, Name: "cp" + id, Node: "cp" + id, Leader: "1", Version: "3.6.5",
			ClientURLs: []string{"https://10.0.0." + id}, RaftTerm: 2, RaftIndex: 10, RaftApplied: 10, Hash: 7, HashRevision: 5})
	}
	return e
}

func required(_ *providers.Input, n *facts.Node, _ *facts.KubernetesNode) {
	n.Boot.Reboot.Required = true
}

func tenant(in *providers.Input, _ *facts.Node, _ *facts.KubernetesNode) {
	in.World.Tenancies.Leases = []facts.TenantLease{{Namespace: "l1", Owner: "akash1o", DSeq: "5", GSeq: "1", OSeq: "1", Provider: "akash1p",
		Pods: []facts.TenantPod{{Name: "app", Node: "w1", GPUs: 8}}}}
}

func ours(_ *providers.Input, _ *facts.Node, k *facts.KubernetesNode) {
	k.Unschedulable, k.Cordon = true, &facts.Cordon{By: "node_reboot.kernel", Run: "plan p0", Since: noon}
}

func spec(change ...func(*Spec)) Spec {
	s := Spec{Name: "kernel", Nodes: config.Selection{Fleets: []string{"w"}}, When: Required,
		Policy: downtime.Policy{Leases: downtime.LeasesWait, DrainTimeout: config.Duration(time.Minute), RebootTimeout: config.Duration(time.Hour)}}
	for _, c := range change {
		c(&s)
	}
	return s
}

func TestDiff(t *testing.T) {
	all := []string{"cordon w1", "drain w1", "reboot w1", "uncordon w1"}
	plane := func(members int) func(*providers.Input, *facts.Node, *facts.KubernetesNode) {
		return func(in *providers.Input, _ *facts.Node, _ *facts.KubernetesNode) {
			in.Inventory.Nodes[0].Roles = []string{"control-plane", "etcd"}
			in.World.Etcd = etcd(members)
			in.World.Etcd.Members[0].Node = "w1"
		}
	}
	for _, test := range []struct {
		name     string
		spec     Spec
		in       providers.Input
		steps    []string
		findings []string
		says     string
	}{
		{name: "nothing is due", spec: spec(), in: world()},
		{name: "packages ask for it", spec: spec(), in: world(required), steps: all, findings: []string{due}},
		{
			name: "another kernel boots next", spec: spec(), steps: all, findings: []string{due},
			in:   world(func(_ *providers.Input, n *facts.Node, _ *facts.KubernetesNode) { n.Boot.Next = newer }),
			says: "kernel 6.8.0-71-generic boots next, and w1 runs 6.8.0-60-generic",
		},
		{
			name: "older than the block allows", spec: spec(func(s *Spec) { s.When, s.Kernel = OlderThan, "6.8.0-71" }), steps: all, findings: []string{due},
			in: world(func(_ *providers.Input, n *facts.Node, _ *facts.KubernetesNode) { n.Boot.Next = newer }),
		},
		{
			name: "what packages ask for does not make a kernel old", spec: spec(func(s *Spec) { s.When, s.Kernel = OlderThan, "6.8.0-60" }), in: world(required),
		},
		{
			name: "a reboot would bring no newer kernel", spec: spec(func(s *Spec) { s.When, s.Kernel = OlderThan, "6.8.0-71" }), in: world(),
			findings: []string{due, blocked}, says: "kernel 6.8.0-60-generic boots next, and is older than 6.8.0-71, too",
		},
		{
			name: "nobody knows what boots next", spec: spec(func(s *Spec) { s.When, s.Kernel = OlderThan, "6.8.0-71" }),
			in: world(func(_ *providers.Input, n *facts.Node, _ *facts.KubernetesNode) {
				n.Boot.Next, n.Boot.NextUnknown = "", "no GRUB"
			}),
			findings: []string{due, unknown}, says: "no GRUB",
		},
		{
			name: "nobody looked at the boot", spec: spec(), findings: []string{unknown},
			in: world(func(_ *providers.Input, n *facts.Node, _ *facts.KubernetesNode) {
				n.Boot = facts.Boot{Unknown: "not asked"}
			}),
		},
		{
			name: "the node does not answer", spec: spec(), findings: []string{"NODE_UNREACHABLE"},
			in: world(func(_ *providers.Input, n *facts.Node, _ *facts.KubernetesNode) { n.Unknown = "no answer in 10s" }),
		},
		{
			name: "the API does not answer", spec: spec(), findings: []string{unknown},
			in: func() providers.Input {
				in := world(required)
				in.World.Kubernetes = facts.Kubernetes{Unknown: "connection refused"}
				return in
			}(),
		},
		{
			name: "no node of that model", spec: spec(func(s *Spec) { s.Models = []string{"a100"} }),
			in: world(required, func(_ *providers.Input, n *facts.Node, _ *facts.KubernetesNode) {
				n.NVIDIA.Devices.GPUs = []facts.PCIDevice{{Model: "h100"}}
			}),
		},
		{name: "tenants are waited for", spec: spec(), in: world(required, tenant), steps: all, findings: []string{due}},
		{
			name: "tenants are refused", spec: spec(func(s *Spec) { s.Policy.Leases = downtime.LeasesRefuse }), in: world(required, tenant),
			findings: []string{due, blocked}, says: "1 lease on w1: akash1o/5/1/1",
		},
		{
			name: "nobody knows the tenants", spec: spec(), findings: []string{due, unknown},
			in: world(required, func(in *providers.Input, _ *facts.Node, _ *facts.KubernetesNode) {
				in.World.Tenancies = &facts.Tenancies{Unknown: "forbidden"}
			}),
		},
		{
			name: "nobody knows the pods", spec: spec(), findings: []string{due, unknown},
			in: world(required, func(in *providers.Input, _ *facts.Node, _ *facts.KubernetesNode) { in.World.Drains = nil }),
		},
		{
			name: "a pod would be lost", spec: spec(), findings: []string{due, blocked}, says: "no controller makes these pods again: default/by-hand",
			in: world(required, func(in *providers.Input, _ *facts.Node, _ *facts.KubernetesNode) {
				in.World.Drains["w1"] = facts.Drain{Pods: []facts.DrainPod{{Namespace: "default", Name: "by-hand"}}}
			}),
		},
		{
			name: "somebody else has cordoned it", spec: spec(), findings: []string{due, blocked},
			in: world(required, func(_ *providers.Input, _ *facts.Node, k *facts.KubernetesNode) { k.Unschedulable = true }),
		},
		{
			name: "a quarantined node keeps its cordon", spec: spec(), findings: []string{due}, steps: []string{"drain w1", "reboot w1"},
			in: world(required, func(_ *providers.Input, _ *facts.Node, k *facts.KubernetesNode) {
				k.Unschedulable, k.Cordon = true, &facts.Cordon{By: "gpu_health.fleet", Since: noon}
			}),
		},
		{
			name: "a node that is not Ready", spec: spec(), findings: []string{due, blocked},
			in: world(required, func(_ *providers.Input, _ *facts.Node, k *facts.KubernetesNode) { k.Ready = false }),
		},
		{
			name: "upkeep runs on it", spec: spec(), findings: []string{due, itself}, says: "run upkeep from another machine",
			in: world(required, func(in *providers.Input, _ *facts.Node, _ *facts.KubernetesNode) { in.World.Here.BootID = "b1" }),
		},
		{name: "left before its reboot", spec: spec(), in: world(required, ours), findings: []string{due}, steps: []string{"drain w1", "reboot w1", "uncordon w1"}},
		{name: "left after its reboot", spec: spec(), in: world(ours), findings: []string{left}, steps: []string{"uncordon w1"}},
		{
			name: "tenants came before the cordon: it is given back", spec: spec(), in: world(required, ours, tenant),
			findings: []string{due, left}, steps: []string{"uncordon w1"},
		},
		{name: "one of three members of etcd", spec: spec(), in: world(required, plane(3)), findings: []string{due}, steps: all},
		{
			name: "one of two members of etcd", spec: spec(), in: world(required, plane(2)), findings: []string{due, blocked},
			says: "etcd has 2 members and loses its majority with this node",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			out := test.spec.Diff(test.in)
			var steps, findings []string
			text := ""
			for _, s := range out.Steps {
				steps = append(steps, s.Summary)
			}
			for _, f := range out.Findings {
				findings = append(findings, f.ID)
				text += f.Summary + "\n"
			}
			if diff := cmp.Diff(test.steps, steps); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.findings, findings); diff != "" {
				t.Errorf("findings (-want +got):\n%s%s", diff, text)
			}
			if !strings.Contains(text, test.says) {
				t.Errorf("%q does not say %q", text, test.says)
			}
			if n := len(out.Steps); n > 0 && !out.Steps[n-1].Rest {
				t.Error("the node may not rest after its last step")
			}
		})
	}
}

// After its own steps a plan has nothing left to do, and each of them may run in the world that the one before it leaves.
func TestPlansConverge(t *testing.T) {
	for name, in := range map[string]providers.Input{
		"due": world(required), "another kernel": world(func(_ *providers.Input, n *facts.Node, _ *facts.KubernetesNode) { n.Boot.Next = newer }),
		"left": world(ours), "left and due": world(required, ours),
	} {
		t.Run(name, func(t *testing.T) {
			in.World = in.World.Clone()
			for _, step := range spec().Diff(in).Steps {
				e := Type().Effects[step.Operation]
				step, err := step.WithGround(e.Ground(in, step))
				if err != nil {
					t.Fatal(err)
				}
				if r := e.Ready(in, step); r.State != providers.Holds {
					t.Errorf("%s: %s: %s", step.ID, r.State, r.Why)
				}
				before := in
				before.World = in.World.Clone()
				in.Apply(e.Predict(in, step))
				if err := e.Proved(before, in, step); err != nil {
					t.Errorf("%s: %v", step.ID, err)
				}
				if len(e.ByHand(in, step)) == 0 {
					t.Errorf("%s: nobody could do it by hand", step.ID)
				}
			}
			if out := spec().Diff(in); len(out.Steps)+len(out.Findings) > 0 {
				t.Errorf("left are %d steps and %+v", len(out.Steps), out.Findings)
			}
		})
	}
}

// Before anything is asked of the cluster's pods and of etcd, it is known which nodes are due.
func TestSecondNeeds(t *testing.T) {
	in := world(required)
	want := providers.Needs{Kubernetes: providers.KubernetesNeeds{Drains: []facts.DrainQuestion{{Node: "w1"}}}}
	if diff := cmp.Diff(want, spec().SecondNeeds(in.World, in.Inventory, false)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	in.Inventory.Nodes[0].Roles = []string{"etcd"}
	if got := spec().SecondNeeds(in.World, in.Inventory, false); !got.Etcd {
		t.Error("nobody asks for etcd")
	}
	in = world()
	if diff := cmp.Diff(providers.Needs{}, spec().SecondNeeds(in.World, in.Inventory, false)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
