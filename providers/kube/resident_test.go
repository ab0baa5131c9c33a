package kube

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"upkeep/providers/facts"
)

// residentPod is a pod of a workload: "StatefulSet akash-provider".
func residentPod(namespace, name, node, owner string, change ...func(*corev1.Pod)) corev1.Pod {
	pod := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{}},
		Spec:       corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "c"}}},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
	}
	if kind, owned, ok := strings.Cut(owner, " "); ok {
		controls := true
		pod.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: owned, Controller: &controls}}
	}
	for _, c := range change {
		c(&pod)
	}
	return pod
}

func labelled(key, value string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Labels[key] = value }
}

func claiming(claim string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: claim, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim}}})
	}
}

func holding(port int32) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.Containers[0].Ports = []corev1.ContainerPort{{HostPort: port}} }
}

func onHost(name string) *corev1.NodeSelector {
	return &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{
		{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{name}}}}}}
}

func TestResidents(t *testing.T) {
	claim := func(volume string) corev1.PersistentVolumeClaim {
		return corev1.PersistentVolumeClaim{Spec: corev1.PersistentVolumeClaimSpec{VolumeName: volume}}
	}
	volume := func(spec corev1.PersistentVolumeSpec) corev1.PersistentVolume {
		return corev1.PersistentVolume{Spec: spec}
	}
	objects := map[string]any{
		"/api/v1/pods": corev1.PodList{Items: []corev1.Pod{
			residentPod("akash-services", "akash-provider-0", "gpu3", "StatefulSet akash-provider", labelled("app", "akash-provider"), claiming("home")),
			residentPod("akash-services", "akash-node-1-0", "gpu3", "StatefulSet akash-node-1", labelled("app", "akash-node"), claiming("chain")),
			residentPod("akash-services", "operator-inventory-7d-x", "gpu1", "ReplicaSet operator-inventory-7d"),
			residentPod("akash-services", "operator-hostname-7d-x", "gpu1", "ReplicaSet operator-hostname-7d"),
			residentPod("akash-services", "operator-inventory-hardware-discovery-gpu1", "gpu1", ""), // made again by the operator
			residentPod("rook-ceph", "osd-0", "gpu2", "ReplicaSet rook-ceph-osd-0-abc", labelled("app", "rook-ceph-osd"), func(p *corev1.Pod) {
				p.Spec.NodeSelector = map[string]string{corev1.LabelHostname: "gpu2"}
			}),
			residentPod("rook-ceph", "mon-a", "gpu2", "ReplicaSet rook-ceph-mon-a-abc", labelled("app", "rook-ceph-mon"), func(p *corev1.Pod) {
				p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: onHost("gpu2")}}
			}),
			residentPod("rook-ceph", "mgr-a", "gpu2", "ReplicaSet rook-ceph-mgr-a-abc", labelled("app", "rook-ceph-mgr")),
			residentPod("rook-ceph", "csi-1", "gpu2", "DaemonSet csi", labelled("app", "rook-ceph-csi")), // on every node
			residentPod("ingress-nginx", "controller-1", "gpu1", "DaemonSet controller", holding(443)),
			residentPod("kube-system", "coredns-a", "gpu1", "ReplicaSet coredns-7d"),
			residentPod("kube-system", "coredns-b", "gpu2", "ReplicaSet coredns-7d"), // two replicas
			residentPod("kube-system", "metrics-a", "gpu2", "ReplicaSet metrics-7d", claiming("waits")),
			residentPod("kube-system", "old-a", "gpu2", "ReplicaSet old-7d", func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }),
			residentPod("kube-system", "etcd-n1", "n1", "Node n1", func(p *corev1.Pod) {
				p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
			}),
			residentPod("kube-system", "once-1", "gpu2", "Job once"),
			residentPod("tenant", "web-0", "gpu1", "ReplicaSet web-7d", labelled(serviceLabel, "web"), holding(80)),
		}},
		"/api/v1/namespaces/akash-services/persistentvolumeclaims/home":  claim("pv-home"),
		"/api/v1/namespaces/akash-services/persistentvolumeclaims/chain": claim("pv-chain"),
		"/api/v1/namespaces/kube-system/persistentvolumeclaims/waits":    claim(""),
		"/api/v1/persistentvolumes/pv-home": volume(corev1.PersistentVolumeSpec{NodeAffinity: &corev1.VolumeNodeAffinity{
			Required: onHost("gpu3")}}),
		"/api/v1/persistentvolumes/pv-chain": volume(corev1.PersistentVolumeSpec{PersistentVolumeSource: corev1.PersistentVolumeSource{
			CSI: &corev1.CSIPersistentVolumeSource{Driver: "rook-ceph.rbd.csi.ceph.com"}}}),
	}
	client, err := Open(kubeconfig(t, apiServer(t, objects)), "")
	if err != nil {
		t.Fatal(err)
	}
	want := facts.Residents{Pods: []facts.Resident{
		{Node: "gpu1", Namespace: "akash-services", Name: "operator-hostname-7d-x", Duty: facts.DutyOperator, Owner: "ReplicaSet operator-hostname-7d", Ready: true},
		{Node: "gpu1", Namespace: "akash-services", Name: "operator-inventory-7d-x", Duty: facts.DutyInventory, Owner: "ReplicaSet operator-inventory-7d", Ready: true},
		{Node: "gpu1", Namespace: "ingress-nginx", Name: "controller-1", Duty: facts.DutyGateway, Owner: "DaemonSet controller", Ready: true, Ports: []int{443}},
		{Node: "gpu2", Namespace: "kube-system", Name: "metrics-a", Duty: facts.DutyOnly, Owner: "ReplicaSet metrics-7d", Ready: true,
			Volume: facts.VolumeUnknown, VolumeUnknown: "volume claim waits: it has no volume yet"},
		{Node: "gpu2", Namespace: "rook-ceph", Name: "mgr-a", Duty: facts.DutyStorage, Owner: "ReplicaSet rook-ceph-mgr-a-abc", Ready: true},
		{Node: "gpu2", Namespace: "rook-ceph", Name: "mon-a", Duty: facts.DutyMonitor, Owner: "ReplicaSet rook-ceph-mon-a-abc", Ready: true, Pinned: true},
		{Node: "gpu2", Namespace: "rook-ceph", Name: "osd-0", Duty: facts.DutyOSD, Owner: "ReplicaSet rook-ceph-osd-0-abc", Ready: true, Pinned: true},
		{Node: "gpu3", Namespace: "akash-services", Name: "akash-node-1-0", Duty: facts.DutyRPC, Owner: "StatefulSet akash-node-1", Ready: true, Volume: facts.VolumeFollows},
		{Node: "gpu3", Namespace: "akash-services", Name: "akash-provider-0", Duty: facts.DutyProvider, Owner: "StatefulSet akash-provider", Ready: true, Volume: facts.VolumeLocal},
	}}
	got := client.Residents(context.Background())
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	moves := map[string]bool{}
	for _, pod := range got.On("gpu3") {
		moves[pod.Name] = pod.Moves()
	}
	if diff := cmp.Diff(map[string]bool{"akash-provider-0": false, "akash-node-1-0": true}, moves); diff != "" {
		t.Errorf("what moves (-want +got):\n%s", diff)
	}
}

func TestNamesHosts(t *testing.T) {
	both := onHost("a")
	both.NodeSelectorTerms = append(both.NodeSelectorTerms, onHost("b").NodeSelectorTerms...)
	zone := onHost("a")
	zone.NodeSelectorTerms[0].MatchExpressions[0].Key = corev1.LabelTopologyZone
	other := onHost("a")
	other.NodeSelectorTerms[0].MatchExpressions[0].Operator = corev1.NodeSelectorOpNotIn
	for _, test := range []struct {
		name     string
		selector *corev1.NodeSelector
		want     bool
	}{
		{"none", nil, false}, {"empty", &corev1.NodeSelector{}, false}, {"one host", onHost("a"), true},
		{"one of two hosts", both, false}, {"a zone", zone, false}, {"any but one", other, false},
	} {
		if got := namesHosts(test.selector); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

func TestResidentsUnknown(t *testing.T) {
	client, err := Open(kubeconfig(t, apiServer(t, nil)), "")
	if err != nil {
		t.Fatal(err)
	}
	if got := client.Residents(context.Background()); !strings.Contains(got.Unknown, "Unauthorized") {
		t.Errorf("%+v", got)
	}
}
