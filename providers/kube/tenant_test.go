package kube

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"upkeep/providers/facts"
)

func leaseLabels(dseq string) map[string]string {
	return map[string]string{
		"akash.network": "true", "akash.network/lease.id.owner": "akash1owner", "akash.network/lease.id.dseq": dseq,
		"akash.network/lease.id.gseq": "1", "akash.network/lease.id.oseq": "1", "akash.network/lease.id.provider": "akash1provider",
	}
}

func tenantPodObject(namespace, name, node string, phase corev1.PodPhase, gpus string) corev1.Pod {
	pod := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"akash.network/manifest-service": "web"}},
		Spec:       corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "web"}}},
		Status:     corev1.PodStatus{Phase: phase},
	}
	if phase == corev1.PodRunning {
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	}
	if gpus != "" {
		pod.Spec.Containers[0].Resources.Limits = corev1.ResourceList{"nvidia.com/gpu": resource.MustParse(gpus), "cpu": resource.MustParse("4")}
	}
	return pod
}

func TestTenancies(t *testing.T) {
	namespaces := corev1.NamespaceList{TypeMeta: metav1.TypeMeta{Kind: "NamespaceList", APIVersion: "v1"}, Items: []corev1.Namespace{
		{ObjectMeta: metav1.ObjectMeta{Name: "ns2", Labels: leaseLabels("200")}},
		{ObjectMeta: metav1.ObjectMeta{Name: "ns1", Labels: leaseLabels("100")}},
	}}
	claim := tenantPodObject("ns1", "web-0", "gpu1", corev1.PodRunning, "2")
	claim.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "c"}}}}
	pods := corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}, Items: []corev1.Pod{
		tenantPodObject("ns2", "web-b", "gpu2", corev1.PodFailed, "8"), // it holds nothing any more
		tenantPodObject("ns2", "web-a", "", corev1.PodPending, "8"),
		claim,
		tenantPodObject("elsewhere", "not-a-lease", "gpu1", corev1.PodRunning, "1"),
	}}
	manifests := map[string]any{"metadata": map[string]any{}, "items": []any{
		map[string]any{"metadata": map[string]any{"name": "ns1", "labels": leaseLabels("100")}, "spec": map[string]any{"group": "the tenant's"}},
		map[string]any{"metadata": map[string]any{"name": "ns3", "labels": leaseLabels("300")}},
	}}
	whole := map[string]any{"/api/v1/namespaces": namespaces, "/api/v1/pods": pods, manifestsPath: manifests}
	lease := func(namespace, dseq string, manifest bool, pods ...facts.TenantPod) facts.TenantLease {
		return facts.TenantLease{Namespace: namespace, Owner: "akash1owner", DSeq: dseq, GSeq: "1", OSeq: "1", Provider: "akash1provider", Manifest: manifest, Pods: pods}
	}
	for _, test := range []struct {
		name    string
		without string
		want    facts.Tenancies
	}{
		{"all of it", "", facts.Tenancies{Leases: []facts.TenantLease{
			lease("ns1", "100", true, facts.TenantPod{Name: "web-0", Service: "web", Node: "gpu1", Phase: "Running", Ready: true, GPUs: 2, Persistent: true}),
			lease("ns2", "200", false,
				facts.TenantPod{Name: "web-a", Service: "web", Phase: "Pending", GPUs: 8},
				facts.TenantPod{Name: "web-b", Service: "web", Node: "gpu2", Phase: "Failed"}),
			lease("ns3", "300", true),
		}}},
		{"a cluster without the provider's kinds", manifestsPath, facts.Tenancies{Leases: []facts.TenantLease{
			lease("ns1", "100", false, facts.TenantPod{Name: "web-0", Service: "web", Node: "gpu1", Phase: "Running", Ready: true, GPUs: 2, Persistent: true}),
			lease("ns2", "200", false,
				facts.TenantPod{Name: "web-a", Service: "web", Phase: "Pending", GPUs: 8},
				facts.TenantPod{Name: "web-b", Service: "web", Node: "gpu2", Phase: "Failed"}),
		}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			objects := map[string]any{}
			for path, object := range whole {
				if path != test.without {
					objects[path] = object
				}
			}
			client, err := Open(kubeconfig(t, apiServer(t, objects)), "")
			if err != nil {
				t.Fatal(err)
			}
			got := client.Tenancies(context.Background())
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got.GPUs() != 10 {
				t.Errorf("%d GPUs", got.GPUs())
			}
			if on := got.On("gpu1"); len(on) != 1 || on[0].ID() != "akash1owner/100/1/1/akash1provider" {
				t.Errorf("on gpu1: %+v", on)
			}
		})
	}
}

func TestTenanciesUnknown(t *testing.T) {
	client, err := Open(kubeconfig(t, apiServer(t, nil)), "")
	if err != nil {
		t.Fatal(err)
	}
	if got := client.Tenancies(context.Background()); !strings.Contains(got.Unknown, "Unauthorized") {
		t.Errorf("%+v", got)
	}
}

func FuzzDecodeManifests(f *testing.F) {
	f.Add([]byte(`{"metadata":{"continue":"x"},"items":[{"metadata":{"name":"a","labels":{"akash.network/lease.id.dseq":"1"}}}]}`))
	f.Add([]byte(`{"items":null}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		leases, _, err := decodeManifests(raw)
		for _, lease := range leases {
			if err != nil || lease.Namespace == "" {
				t.Fatalf("%+v, %v", lease, err)
			}
		}
	})
}
