package downtime

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/node/protocol"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const block = "node_reboot.kernel"

func address(t *testing.T) providers.Address {
	t.Helper()
	a, err := facts.ParseAddress(block)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// scene is a world with one node, and what may change about it.
type scene struct {
	node   facts.Node
	object facts.KubernetesNode
	world  facts.World
	policy Policy
	plane  bool
}

func clean(change ...func(*scene)) scene {
	s := scene{
		node:   facts.Node{Name: "w1", System: facts.System{BootID: "b1", MachineID: "m1", Kernel: "6.8.0-60"}, Boot: facts.Boot{Next: "6.8.0-71"}},
		object: facts.KubernetesNode{Name: "w1", Ready: true},
		world: facts.World{
			Tenancies: &facts.Tenancies{}, Maintenance: &facts.Maintenance{},
			Drains: map[string]facts.Drain{"w1": {Tried: true, Pods: []facts.DrainPod{{Namespace: "default", Name: "web", Owner: "ReplicaSet web"}}}},
		},
		policy: Policy{Leases: LeasesWait, WaitAtMost: config.Duration(time.Hour), DrainTimeout: config.Duration(time.Minute)},
	}
	for _, c := range change {
		c(&s)
	}
	return s
}

func cordoned(s *scene) {
	s.object.Unschedulable, s.object.Cordon = true, &facts.Cordon{By: block, Run: "plan p1", Since: noon}
}

func another(s *scene) { s.object.Unschedulable, s.object.Cordon = true, nil }

func quarantined(s *scene) {
	s.object.Unschedulable, s.object.Cordon = true, &facts.Cordon{By: "gpu_health.fleet", Since: noon}
}

func tenant(s *scene) {
	s.world.Tenancies = &facts.Tenancies{Leases: []facts.TenantLease{{Namespace: "l1", Owner: "akash1o", DSeq: "5", GSeq: "1", OSeq: "1",
		Provider: "akash1p", Pods: []facts.TenantPod{{Name: "app", Node: "w1"}}}}}
}

// claimed has kured hold its lock for the node; zero: for as long as it likes.
func claimed(until time.Time) func(*scene) {
	return func(s *scene) {
		s.world.Maintenance = &facts.Maintenance{Claims: []facts.MaintenanceClaim{
			{Node: "w0", By: "somebody", Evidence: "x"}, {Node: "w1", By: "kured", Evidence: "a lock", Until: until}}}
	}
}

func booted2(s *scene) {
	s.node.System.BootID, s.node.System.Kernel, s.object.Boot = "b2", "6.8.0-71", "b2"
}

func pods(pods ...facts.DrainPod) func(*scene) {
	return func(s *scene) { s.world.Drains["w1"] = facts.Drain{Tried: true, Pods: pods} }
}

func (s scene) input() providers.Input {
	s.world.Nodes = map[string]*facts.Node{"w1": &s.node}
	s.world.Kubernetes.Nodes = append(s.world.Kubernetes.Nodes, s.object)
	return providers.Input{Now: noon, World: s.world}
}

// step is the step of an operation that was planned for a scene in which the node runs boot b1.
func (s scene) step(t *testing.T, operation string) providers.Step {
	t.Helper()
	step := providers.NewStep(providers.Input{}, address(t).On("w1"), "x", operation,
		args{Object: "w1", Policy: s.policy, Kernel: "6.8.0-71", Plane: s.plane, Reason: "the node reboots"}, 1)
	step, err := step.WithGround(effect{operation}.Ground(clean().input(), step))
	if err != nil {
		t.Fatal(err)
	}
	return step
}

func TestReady(t *testing.T) {
	interrupt := func(s *scene) { s.policy.Leases = LeasesInterrupt }
	refuse := func(s *scene) { s.policy.Leases = LeasesRefuse }
	unhealthy := func(s *scene) { s.plane, s.world.Etcd = true, facts.Etcd{Unknown: "no member answered"} }
	for _, test := range []struct {
		name, operation string
		scene           scene
		want            providers.ReadyState
		says            string
	}{
		{"a free node", OperationCordon, clean(), providers.Holds, ""},
		{"cordoned by us", OperationCordon, clean(cordoned), providers.Done, "node_reboot.kernel has cordoned w1 already"},
		{"cordoned by another block", OperationCordon, clean(quarantined), providers.Done, "gpu_health.fleet has cordoned w1 already"},
		{"cordoned by somebody", OperationCordon, clean(another), providers.Moved, "somebody else has cordoned w1"},
		{"it has booted since", OperationCordon, clean(booted2), providers.Done, "has booted since the plan was made"},
		{"it has booted an old kernel since", OperationCordon, clean(func(s *scene) { s.node.System.BootID = "b2" }), providers.Moved, "runs kernel 6.8.0-60, not 6.8.0-71"},
		{"upkeep runs on it", OperationCordon, clean(func(s *scene) { s.world.Here.MachineID = "m1" }), providers.Moved, "run upkeep from another machine"},
		{"not Ready", OperationCordon, clean(func(s *scene) { s.object.Ready = false }), providers.Unknown, "not Ready"},
		{"kured has it", OperationCordon, clean(claimed(time.Time{})), providers.Waits, "another program has w1 for its work: kured (a lock)"},
		{"kured has had it", OperationCordon, clean(claimed(noon)), providers.Holds, ""},
		{"kured has it a while longer", OperationCordon, clean(claimed(noon.Add(time.Second))), providers.Waits, "kured"},
		{"nobody knows who has it", OperationCordon, clean(func(s *scene) { s.world.Maintenance = &facts.Maintenance{Unknown: "forbidden"} }), providers.Unknown, "forbidden"},
		{"nobody asked who has it", OperationCordon, clean(func(s *scene) { s.world.Maintenance = nil }), providers.Unknown, "not asked"},
		{"kured has it while tenants are there, and nobody knows the rest", OperationCordon, clean(tenant, claimed(time.Time{}), func(s *scene) {
			s.world.Maintenance.Unknown = "forbidden"
		}), providers.Waits, "kured"},
		{"tenants are waited for", OperationCordon, clean(tenant), providers.Waits, "1 lease on w1: akash1o/5/1/1"},
		{"tenants are refused", OperationCordon, clean(tenant, refuse), providers.Moved, "1 lease on w1: akash1o/5/1/1"},
		{"tenants are interrupted", OperationCordon, clean(tenant, interrupt), providers.Holds, ""},
		{"nobody knows the tenants", OperationCordon, clean(func(s *scene) { s.world.Tenancies = nil }), providers.Unknown, "leases"},
		{"the tenants cannot be read", OperationCordon, clean(func(s *scene) { s.world.Tenancies = &facts.Tenancies{Unknown: "forbidden"} }), providers.Unknown, "forbidden"},
		{"nobody knows the pods", OperationCordon, clean(func(s *scene) { s.world.Drains = nil }), providers.Unknown, "nobody asked for the pods"},
		{
			"a budget refuses", OperationCordon, clean(pods(facts.DrainPod{Namespace: "default", Name: "db", Owner: "ReplicaSet db", Refused: "no"})),
			providers.Waits, "evictions on w1 are refused now: default/db: no",
		},
		{"a bare pod", OperationCordon, clean(pods(facts.DrainPod{Namespace: "default", Name: "x"})), providers.Moved, "no controller makes these pods again: default/x"},
		{
			"a bare pod that may go", OperationCordon, clean(pods(facts.DrainPod{Namespace: "default", Name: "x"}), func(s *scene) { s.policy.Bare = true }),
			providers.Holds, "",
		},
		{
			"data in an emptyDir", OperationCordon, clean(pods(facts.DrainPod{Namespace: "default", Name: "x", Owner: "ReplicaSet x", EmptyDir: true})),
			providers.Moved, "these pods have data in emptyDir volumes: default/x",
		},
		{
			"another program changes it", OperationCordon,
			clean(func(s *scene) { s.object.Maintainers = []facts.Maintainer{{Name: "kured", Evidence: "annotation a"}} }), providers.Waits, "kured (annotation a)",
		},
		{"the API does not answer", OperationCordon, clean(func(s *scene) { s.world.Kubernetes.Unknown = "refused" }), providers.Unknown, "Kubernetes: refused"},
		{"the node does not answer", OperationCordon, clean(func(s *scene) { s.node.Unknown = "no answer" }), providers.Unknown, "no answer"},
		{"etcd is not healthy", OperationCordon, clean(unhealthy), providers.Unknown, "etcd is not healthy"},

		{"drain", OperationDrain, clean(cordoned), providers.Holds, ""},
		{"nothing to drain", OperationDrain, clean(cordoned, pods()), providers.Done, "no pod"},
		{"uncordoned meanwhile", OperationDrain, clean(), providers.Moved, "somebody has uncordoned w1"},
		{"cordoned by somebody meanwhile", OperationDrain, clean(another), providers.Moved, "the cordon of w1 is not upkeep's"},
		{"tenants came", OperationDrain, clean(cordoned, tenant), providers.Moved, "tenants came just before the cordon"},
		{"tenants who may be interrupted", OperationDrain, clean(cordoned, tenant, interrupt), providers.Holds, ""},
		{"etcd is not healthy before the drain", OperationDrain, clean(cordoned, unhealthy), providers.Unknown, "etcd is not healthy"},

		{"reboot", OperationReboot, clean(cordoned, pods()), providers.Holds, ""},
		{"reboot under a quarantine", OperationReboot, clean(quarantined, pods()), providers.Holds, ""},
		{"rebooted already", OperationReboot, clean(cordoned, booted2), providers.Done, "has booted since"},
		{"not cordoned", OperationReboot, clean(), providers.Moved, "somebody has uncordoned w1"},
		{
			"another kernel boots next", OperationReboot, clean(cordoned, func(s *scene) { s.node.Boot.Next = "6.8.0-88" }), providers.Moved,
			"kernel 6.8.0-88 boots next, and the plan was made for 6.8.0-71",
		},
		{"upkeep runs on it, and knows late", OperationReboot, clean(cordoned, func(s *scene) { s.world.Here.BootID = "b1" }), providers.Moved, "run upkeep from another machine"},

		{"uncordon", OperationUncordon, clean(cordoned, booted2), providers.Holds, ""},
		{"schedulable", OperationUncordon, clean(booted2), providers.Done, "w1 is schedulable"},
		{"somebody else's cordon", OperationUncordon, clean(booted2, another), providers.Moved, "somebody else has cordoned w1 since"},
		{"another block's cordon", OperationUncordon, clean(booted2, quarantined), providers.Moved, "gpu_health.fleet has cordoned w1"},
		{"not Ready yet", OperationUncordon, clean(cordoned, booted2, func(s *scene) { s.object.Ready = false }), providers.Unknown, "not Ready"},
		{"the old kernel", OperationUncordon, clean(cordoned), providers.Moved, "w1 runs kernel 6.8.0-60, not 6.8.0-71"},
	} {
		t.Run(test.operation+": "+test.name, func(t *testing.T) {
			got := effect{test.operation}.Ready(test.scene.input(), test.scene.step(t, test.operation))
			if got.State != test.want || !strings.Contains(got.Why+got.For, test.says) {
				t.Errorf("got %+v, want %s with %q", got, test.want, test.says)
			}
		})
	}
	if got := (effect{OperationCordon}).Ready(clean(tenant).input(), clean().step(t, OperationCordon)); got.AtMost != time.Hour {
		t.Errorf("it waits for at most %s", got.AtMost)
	}
}

// A reboot is proved by another boot in which the node is what it must be, and by nothing less.
func TestRebootIsProved(t *testing.T) {
	for _, test := range []struct {
		name  string
		after scene
		want  string
	}{
		{"it is back", clean(cordoned, booted2), ""},
		{"it never went down", clean(cordoned), "w1 is not rebooted: its boot id is unchanged"},
		{"it does not answer yet", clean(cordoned, func(s *scene) { s.node.Unknown = "no answer in 10s" }), "no answer in 10s"},
		{"the old kernel", clean(cordoned, booted2, func(s *scene) { s.node.System.Kernel = "6.8.0-60" }), "w1 runs kernel 6.8.0-60, not 6.8.0-71"},
		{"Ready since before the boot", clean(cordoned, booted2, func(s *scene) { s.object.Boot = "b1" }), "the kubelet of w1 has said nothing since the boot"},
		{"not Ready", clean(cordoned, booted2, func(s *scene) { s.object.Ready = false }), "w1 is not Ready"},
		{"no boot id", clean(cordoned, func(s *scene) { s.node.System.BootID = "" }), "the boot id of w1 is not known"},
		{"etcd is not back", clean(cordoned, booted2, func(s *scene) { s.plane, s.world.Etcd = true, facts.Etcd{Unknown: "no member answered"} }), "etcd is not healthy"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := effect{OperationReboot}.Proved(clean(cordoned).input(), test.after.input(), test.after.step(t, OperationReboot))
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestOthersAreProved(t *testing.T) {
	for _, test := range []struct {
		operation string
		after     scene
		want      string
	}{
		{OperationCordon, clean(cordoned), ""},
		{OperationCordon, clean(another), "does not carry the mark"},
		{OperationDrain, clean(cordoned, pods()), ""},
		{OperationDrain, clean(cordoned), "not drained: default/web"},
		{OperationDrain, clean(func(s *scene) { s.world.Drains["w1"] = facts.Drain{Unknown: "forbidden"} }), "forbidden"},
		{OperationUncordon, clean(booted2), ""},
		{OperationUncordon, clean(cordoned), "still cordoned or marked"},
	} {
		err := effect{test.operation}.Proved(clean().input(), test.after.input(), test.after.step(t, test.operation))
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: got %v, want %q", test.operation, err, test.want)
		}
	}
}

// nodes notes what is asked of it.
type nodes struct {
	mark  *facts.Cordon
	calls []string
}

func (n *nodes) Cordon(_ context.Context, node string, mark facts.Cordon) error {
	n.calls = append(n.calls, fmt.Sprintf("cordon %s %s %s %s", node, mark.By, mark.Run, mark.Why))
	return nil
}

func (n *nodes) Mark(context.Context, string) (*facts.Cordon, error) { return n.mark, nil }

func (n *nodes) Uncordon(_ context.Context, node string, mark facts.Cordon) error {
	n.calls = append(n.calls, "uncordon "+node+" "+mark.By)
	return nil
}

func (n *nodes) Drain(_ context.Context, node string, how Eviction, _ func(string)) error {
	n.calls = append(n.calls, fmt.Sprintf("drain %s %+v", node, how))
	return nil
}

func (n *nodes) Call(_ context.Context, node, method string, request, _ any, _ func(string)) error {
	n.calls = append(n.calls, fmt.Sprintf("%s %s %s", method, node, request.(protocol.RebootRequest).BootID))
	return nil
}

func TestOperations(t *testing.T) {
	for _, test := range []struct {
		name, operation string
		mark            *facts.Cordon
		want, wantErr   string
	}{
		{name: "cordon", operation: OperationCordon, want: "cordon w1 node_reboot.kernel plan p1 the node reboots"},
		{name: "drain", operation: OperationDrain, want: "drain w1 {EmptyDir:false Bare:false Tenants:false Limit:1m0s}"},
		{name: "reboot", operation: OperationReboot, want: "node.reboot w1 b1"},
		{name: "uncordon", operation: OperationUncordon, mark: &facts.Cordon{By: block}, want: "uncordon w1 node_reboot.kernel"},
		{name: "another's cordon", operation: OperationUncordon, mark: &facts.Cordon{By: "gpu_health.fleet"}, wantErr: "the mark is not that of node_reboot.kernel"},
		{name: "an unreadable mark", operation: OperationUncordon, mark: &facts.Cordon{By: block, Unknown: "not JSON"}, wantErr: "the node stays cordoned"},
		{name: "no mark", operation: OperationUncordon, wantErr: "carries no mark"},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := &nodes{mark: test.mark}
			all := Operations(Tools{Nodes: n, Caller: n, Run: "plan p1", Now: func() time.Time { return noon }})
			err := all[test.operation].Run(t.Context(), clean().step(t, test.operation), nil)
			if test.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), test.wantErr) || len(n.calls) > 0 {
					t.Errorf("got %v after %v, want %q", err, n.calls, test.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{test.want}, n.calls); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	err := Operations(Tools{})[OperationCordon].Run(t.Context(), clean().step(t, OperationCordon), nil)
	if !errors.Is(err, providers.ErrNoCluster) {
		t.Errorf("without a cluster: %v", err)
	}
}
