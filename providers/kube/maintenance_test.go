package kube

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"upkeep/providers/facts"
)

func TestMaintenance(t *testing.T) {
	const sets, nvidia, medik8s = "/apis/apps/v1/daemonsets", "/apis/maintenance.nvidia.com/v1alpha1/nodemaintenances",
		"/apis/nodemaintenance.medik8s.io/v1beta1/nodemaintenances"
	kured := func(lock string) appsv1.DaemonSetList {
		set := appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "kured", Name: "kured"}}
		if lock != "" {
			set.Annotations = map[string]string{rebootLock: lock}
		}
		return appsv1.DaemonSetList{Items: []appsv1.DaemonSet{{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "calico"}}, set}}
	}
	const evidence = "DaemonSet kured/kured, annotation " + rebootLock
	object := func(name, node, key, why string) map[string]any {
		return map[string]any{"metadata": map[string]any{"name": name}, "spec": map[string]any{"nodeName": node, key: why}}
	}
	for _, test := range []struct {
		name    string
		objects map[string]any
		want    []facts.MaintenanceClaim
		unknown string
	}{
		{"nobody", map[string]any{sets: kured("")}, nil, ""},
		{"kured holds its lock", map[string]any{sets: kured(`{"nodeID":"gpu1","metadata":{"unschedulable":false},"created":"2026-11-22T12:00:00Z","TTL":0}`)},
			[]facts.MaintenanceClaim{{Node: "gpu1", By: "kured", Evidence: evidence}}, ""},
		{"a lock that ends", map[string]any{sets: kured(`{"nodeID":"gpu1","created":"2026-11-22T12:00:00Z","TTL":1800000000000}`)},
			[]facts.MaintenanceClaim{{Node: "gpu1", By: "kured", Evidence: evidence, Until: time.Date(2026, 11, 22, 12, 30, 0, 0, time.UTC)}}, ""},
		{"two holders", map[string]any{sets: kured(`{"maxOwners":2,"locks":[{"nodeID":"gpu2","TTL":0},{"nodeID":"gpu1","TTL":0}]}`)},
			[]facts.MaintenanceClaim{{Node: "gpu1", By: "kured", Evidence: evidence}, {Node: "gpu2", By: "kured", Evidence: evidence}}, ""},
		{"a lock that was given back", map[string]any{sets: kured(`{"maxOwners":2,"locks":[]}`)}, nil, ""},
		{"a lock that cannot be read", map[string]any{sets: kured("gpu1")}, nil, "DaemonSet kured/kured: annotation " + rebootLock},
		{"objects of both kinds", map[string]any{sets: kured(""),
			nvidia:  map[string]any{"items": []any{object("m1", "gpu2", "requestorID", "nvidia.network.operator"), object("m0", "", "reason", "")}},
			medik8s: map[string]any{"items": []any{object("nm", "gpu1", "reason", "new fans")}}},
			[]facts.MaintenanceClaim{{Node: "gpu1", By: "medik8s", Evidence: "NodeMaintenance nm: new fans"},
				{Node: "gpu2", By: "NVIDIA's maintenance operator", Evidence: "NodeMaintenance m1: nvidia.network.operator"}}, ""},
		{"pages", map[string]any{sets: kured(""),
			medik8s:               map[string]any{"metadata": map[string]any{"continue": "x"}, "items": []any{object("a", "gpu1", "reason", "")}},
			medik8s + "?continue": map[string]any{"items": []any{object("b", "gpu2", "reason", "")}}},
			[]facts.MaintenanceClaim{{Node: "gpu1", By: "medik8s", Evidence: "NodeMaintenance a"}, {Node: "gpu2", By: "medik8s", Evidence: "NodeMaintenance b"}}, ""},
		{"objects of another shape", map[string]any{sets: kured(""), nvidia: map[string]any{"items": "none"}}, nil, "nodemaintenances.maintenance.nvidia.com"},
		{"nobody may list them", nil, nil, "Unauthorized"},
	} {
		t.Run(test.name, func(t *testing.T) {
			client, err := Open(kubeconfig(t, apiServer(t, test.objects)), "")
			if err != nil {
				t.Fatal(err)
			}
			got := client.Maintenance(t.Context())
			if (test.unknown == "") != (got.Unknown == "") || !strings.Contains(got.Unknown, test.unknown) {
				t.Errorf("unknown: %q", got.Unknown)
			}
			if diff := cmp.Diff(test.want, got.Claims); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever an API server answers is read or refused, and never names no node.
func FuzzMaintenance(f *testing.F) {
	f.Add([]byte(`{"items":[{"metadata":{"name":"m"},"spec":{"nodeName":"gpu1","requestorID":"x"}}]}`))
	f.Add([]byte(`{"nodeID":"gpu1","created":"2026-11-22T12:00:00Z","TTL":1}`))
	f.Add([]byte(`{"maxOwners":2,"locks":[{"nodeID":"gpu2"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		objects, _, _ := decodeMaintenance(raw, "x")
		locks, _ := decodeRebootLock(string(raw))
		for _, claim := range append(objects, locks...) {
			if claim.Node == "" {
				t.Errorf("%+v", claim)
			}
		}
	})
}
