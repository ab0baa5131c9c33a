package cluster_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/fixtures/worlds"
	"upkeep/providers"
	"upkeep/providers/cluster"
	"upkeep/providers/facts"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func TestDiff(t *testing.T) {
	spec := cluster.Spec{Name: "this", Alone: true, RenewBefore: config.Duration(30 * day)}
	tests := []struct {
		name   string
		change func(*facts.Kubernetes)
		want   []string
	}{
		{"healthy", func(*facts.Kubernetes) {}, nil},
		{"the API is down", func(k *facts.Kubernetes) { k.Unknown = "connection refused" }, []string{"CLUSTER_UNREACHABLE error unknown : connection refused"}},
		{"a control plane is not Ready", func(k *facts.Kubernetes) { k.Nodes[1].Ready = false }, []string{"CLUSTER_NODE_NOT_READY error cp2: this control plane is not Ready"}},
		{"a worker is not Ready", func(k *facts.Kubernetes) { k.Nodes = append(k.Nodes, facts.KubernetesNode{Name: "w1"}) }, []string{"CLUSTER_NODE_NOT_READY warning w1: this node is not Ready"}},
		{"no nodes", func(k *facts.Kubernetes) { k.Nodes = nil }, []string{"CLUSTER_NODE_NOT_READY error : the cluster has no nodes"}},
		{"cordoned", func(k *facts.Kubernetes) { k.Nodes[0].Unschedulable = true }, []string{"CLUSTER_NODE_CORDONED note cp1: it is cordoned: no new pod is placed on it"}},
		{"a leader is lost", func(k *facts.Kubernetes) {
			k.Leases[0].Holder, k.Leases[0].RenewedAt = "cp1_x", now.Add(-46*time.Second)
		},
			[]string{"CLUSTER_LEADER_LOST error kube-controller-manager: cp1_x has not renewed the lease of kube-controller-manager for 46s"}},
		{"a leader just in time", func(k *facts.Kubernetes) { k.Leases[0].RenewedAt = now.Add(-45 * time.Second) }, nil},
		{"no leader", func(k *facts.Kubernetes) { k.Leases = k.Leases[:1] }, []string{"CLUSTER_LEADER_LOST error kube-scheduler: no process holds the lease of kube-scheduler"}},
		{"the kubeconfig ends", func(k *facts.Kubernetes) { k.Kubeconfig.Blocks[0].NotAfter = now.Add(30 * day) },
			[]string{"CLUSTER_KUBECONFIG_EXPIRES warning kubeconfig: its client certificate ends 2026-12-22T12:00:00Z (/home/ops/.kube/config)"}},
		{"the kubeconfig has ended and so the API is closed", func(k *facts.Kubernetes) { k.Kubeconfig.Blocks[0].NotAfter = now; k.Unknown = "unauthorized" },
			[]string{"CLUSTER_KUBECONFIG_EXPIRES error kubeconfig: its client certificate expired 2026-11-22T12:00:00Z (/home/ops/.kube/config)", "CLUSTER_UNREACHABLE error unknown : unauthorized"}},
		{"the kubeconfig's key is another's", func(k *facts.Kubernetes) { k.Kubeconfig.Key = "mismatch" },
			[]string{"CLUSTER_KUBECONFIG_EXPIRES error kubeconfig: its key does not belong to its client certificate (/home/ops/.kube/config)"}},
		{"a kubeconfig that verifies nobody", func(k *facts.Kubernetes) { k.Kubeconfig.Blocks, k.Kubeconfig.Insecure = nil, "not verified" },
			[]string{"CLUSTER_KUBECONFIG_INSECURE error kubeconfig: not verified (/home/ops/.kube/config)"}},
		{"a kubeconfig with a token", func(k *facts.Kubernetes) { k.Kubeconfig.Blocks = nil }, nil},
	}
	documented := map[string]bool{}
	for _, doc := range cluster.Findings() {
		documented[doc.ID] = true
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := worlds.ControlPlanes(3, now)
			test.change(&w.Kubernetes)
			out := spec.Diff(providers.Input{World: w, Now: now})
			var got []string
			for _, f := range out.Findings {
				line := f.ID + " " + string(f.Severity)
				if f.Unknown {
					line += " unknown"
				}
				got = append(got, line+" "+f.Object+": "+f.Summary)
				if !documented[f.ID] {
					t.Errorf("%s has no page", f.ID)
				}
				if f.Address != spec.Address() {
					t.Errorf("%+v", f)
				}
			}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Errorf("findings (-want +got):\n%s", d)
			}
			if len(out.Steps) > 0 {
				t.Errorf("it plans %+v", out.Steps)
			}
		})
	}
	if out := (cluster.Spec{Name: "this"}).Diff(providers.Input{World: worlds.ControlPlanes(3, now), Now: now.Add(1000 * day)}); len(out.Objects) != 5 {
		t.Errorf("%d objects, want three nodes and two leases: %+v", len(out.Objects), out.Objects)
	}
	w := worlds.ControlPlanes(3, now)
	w.Kubernetes.Unknown = "connection refused"
	if out := (cluster.Spec{Name: "this"}).Diff(providers.Input{World: w, Now: now}); len(out.Findings) > 0 {
		t.Errorf("said twice, by this and by who watches the control planes: %+v", out.Findings)
	}
}
