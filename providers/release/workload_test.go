package release

import (
	"strings"
	"testing"

	"upkeep/providers/facts"
)

func TestUnready(t *testing.T) {
	cluster := facts.Kubernetes{Nodes: []facts.KubernetesNode{{Name: "up", Ready: true}, {Name: "down"}}}
	pods := func(list ...facts.Pod) []facts.Pod { return list }
	tests := []struct {
		name string
		w    facts.Workload
		want string // "": it is ready
	}{
		{"all ready", facts.Workload{Kind: "Deployment", Name: "a", Replicas: 2, Ready: 2, Updated: 2, Settled: true}, ""},
		{"stopped", facts.Workload{Kind: "Deployment", Name: "a", Settled: true}, ""},
		{"one missing", facts.Workload{Kind: "Deployment", Name: "a", Replicas: 2, Ready: 1, Updated: 2, Settled: true}, "1 of 2 pods ready"},
		{"an older template", facts.Workload{Kind: "StatefulSet", Name: "a", Replicas: 2, Ready: 2, Updated: 1, Settled: true}, "1 of 2 pods of its newest template"},
		{"not seen yet", facts.Workload{Kind: "Deployment", Name: "a", Replicas: 2, Ready: 2, Updated: 2}, "has not been seen by its controller"},
		{"unknown", facts.Workload{Kind: "Deployment", Name: "a", Unknown: "forbidden"}, "Deployment a: forbidden"},
		{"gone", facts.Workload{Kind: "Deployment", Name: "a", Missing: true}, "is not in the cluster"},
		{"a node that is down", facts.Workload{Kind: "DaemonSet", Name: "a", Replicas: 2, Ready: 1, Updated: 1, Settled: true, Pods: pods(
			facts.Pod{Name: "a-1", Node: "up", Ready: true}, facts.Pod{Name: "a-2", Node: "down"})}, ""},
		{"a node that is up", facts.Workload{Kind: "DaemonSet", Name: "a", Replicas: 2, Ready: 1, Updated: 2, Settled: true, Pods: pods(
			facts.Pod{Name: "a-1", Node: "up", Problem: "CrashLoopBackOff"}, facts.Pod{Name: "a-2", Node: "down", Ready: true})}, `1 of 2 pods ready (a-1: "CrashLoopBackOff")`},
		{"a Deployment's pod on a node that is down", facts.Workload{Kind: "Deployment", Name: "a", Replicas: 1, Settled: true, Pods: pods(
			facts.Pod{Name: "a-1", Node: "down"})}, "0 of 1 pods ready"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := unready(test.w, cluster); got != test.want && (test.want == "" || !strings.Contains(got, test.want)) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestRepairable: Helm brings back what its client knows the type of, and everything that is gone.
func TestRepairable(t *testing.T) {
	for _, test := range []struct {
		o    facts.ObjectDrift
		want bool
	}{
		{facts.ObjectDrift{APIVersion: "v1", Kind: "ConfigMap"}, true},
		{facts.ObjectDrift{APIVersion: "apps/v1", Kind: "DaemonSet"}, true},
		{facts.ObjectDrift{APIVersion: "nvidia.com/v1", Kind: "ClusterPolicy"}, false},
		{facts.ObjectDrift{APIVersion: "nvidia.com/v1", Kind: "ClusterPolicy", Missing: true}, true},
		{facts.ObjectDrift{APIVersion: "apiextensions.k8s.io/v1", Kind: "CustomResourceDefinition"}, false},
		{facts.ObjectDrift{APIVersion: "v1", Kind: "ConfigMap", Unknown: "forbidden"}, false},
	} {
		if got := repairable(test.o); got != test.want {
			t.Errorf("%+v: %v", test.o, got)
		}
	}
}
