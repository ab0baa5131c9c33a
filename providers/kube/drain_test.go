package kube

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"upkeep/providers/facts"
)

func podOn(node, name string, change ...func(*corev1.Pod)) *corev1.Pod {
	yes := true
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: name, UID: "uid-" + "1", Labels: map[string]string{"app": name},
			OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: name + "-rs", Controller: &yes}},
		},
		Spec: corev1.PodSpec{NodeName: node}, Status: corev1.PodStatus{Phase: corev1.PodRunning},
	}
	for _, c := range change {
		c(pod)
	}
	return pod
}

func ownedBy(kind string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		if p.OwnerReferences[0].Kind = kind; kind == "" {
			p.OwnerReferences = nil
		}
	}
}

func withEmptyDir(p *corev1.Pod) {
	p.Spec.Volumes = []corev1.Volume{{VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
}

func mirrored(p *corev1.Pod) { p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"} }

func ofTenant(p *corev1.Pod) { p.Labels[serviceLabel] = "web" }

func hasEnded(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }

// evicting is a cluster whose API server evicts as a real one does: a pod is gone after as many requests as refusals has
// for its name, and one more. It returns the names of what was really evicted.
func evicting(refusals map[string]int, objects ...runtime.Object) (*Client, *[]string) {
	api := fake.NewClientset(objects...)
	var evicted []string
	api.PrependReactor("create", "pods", func(a clienttesting.Action) (bool, runtime.Object, error) {
		if a.GetSubresource() != "eviction" {
			return false, nil, nil
		}
		e := a.(clienttesting.CreateAction).GetObject().(*policyv1.Eviction)
		dry := e.DeleteOptions != nil && len(e.DeleteOptions.DryRun) > 0
		if refusals[e.Name] > 0 {
			if !dry {
				refusals[e.Name]--
			}
			return true, nil, apierrors.NewTooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", 0)
		}
		if dry {
			return true, nil, nil
		}
		evicted = append(evicted, e.Name)
		return true, nil, api.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("pods"), e.Namespace, e.Name)
	})
	return &Client{api: api}, &evicted
}

func TestDrainSaysWhatWouldGo(t *testing.T) {
	none := intstr.FromInt32(1)
	budget := &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "keep"},
		Spec: policyv1.PodDisruptionBudgetSpec{
			MinAvailable: &none, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}},
		},
	}
	pods := []runtime.Object{
		podOn("gpu1", "web"), podOn("gpu1", "db"), podOn("gpu2", "elsewhere"), podOn("gpu1", "agent", ownedBy("DaemonSet")),
		podOn("gpu1", "etcd", mirrored, ownedBy("Node")), podOn("gpu1", "done", hasEnded), podOn("gpu1", "bare", ownedBy("")),
		podOn("gpu1", discoveryPrefix+"gpu1", ownedBy("")), podOn("gpu1", "cache", withEmptyDir), podOn("gpu1", "lease", ofTenant),
	}
	want := []facts.DrainPod{
		{Namespace: "default", Name: "bare"},
		{Namespace: "default", Name: "cache", Owner: "ReplicaSet cache-rs", EmptyDir: true},
		{Namespace: "default", Name: "db", Owner: "ReplicaSet db-rs"},
		{Namespace: "default", Name: "lease", Owner: "ReplicaSet lease-rs", Tenant: true},
		{Namespace: "default", Name: "web", Owner: "ReplicaSet web-rs"},
	}
	for _, test := range []struct {
		name    string
		try     bool
		refused string
	}{
		{"by the budgets", false, "PodDisruptionBudget keep allows no eviction now"},
		{"by a dry run", true, `the API server says: "Cannot evict pod as it would violate the pod's disruption budget."`},
	} {
		t.Run(test.name, func(t *testing.T) {
			client, evicted := evicting(map[string]int{"db": 9}, append(pods, budget)...)
			got := client.Drain(t.Context(), facts.DrainQuestion{Node: "gpu1", Try: test.try})
			expect := facts.Drain{Tried: test.try, Pods: append([]facts.DrainPod{}, want...)}
			expect.Pods[2].Refused = test.refused
			if diff := cmp.Diff(expect, got); diff != "" {
				t.Errorf("drain (-want +got):\n%s", diff)
			}
			if len(*evicted) > 0 {
				t.Errorf("a look evicted %v", *evicted)
			}
		})
	}
}

func TestDrainOfPodsThatCannotBeListed(t *testing.T) {
	client, _ := evicting(nil)
	client.api.(*fake.Clientset).PrependReactor("list", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("connection refused")
	})
	if got := client.Drain(t.Context(), facts.DrainQuestion{Node: "gpu1"}); got.Unknown == "" {
		t.Errorf("%+v is known", got)
	}
}

func TestEvict(t *testing.T) {
	for _, test := range []struct {
		name     string
		pods     []runtime.Object
		refusals map[string]int
		options  DrainOptions
		want     []string
		wantErr  string
	}{
		{name: "an empty node"},
		{
			name: "what stays stays", want: []string{"web"},
			pods: []runtime.Object{podOn("gpu1", "web"), podOn("gpu1", "agent", ownedBy("DaemonSet")), podOn("gpu1", "etcd", mirrored), podOn("gpu2", "other")},
		},
		{
			name: "a budget that gives way", want: []string{"web", "db"}, refusals: map[string]int{"db": 3},
			pods: []runtime.Object{podOn("gpu1", "db"), podOn("gpu1", "web")},
		},
		{
			name: "a budget that never gives way", refusals: map[string]int{"db": 1 << 30}, options: DrainOptions{Limit: 20 * time.Millisecond},
			pods: []runtime.Object{podOn("gpu1", "db")}, wantErr: "not drained after 20ms: 1 pods are still on the node, default/db among them; default/db is refused",
		},
		{name: "a bare pod", pods: []runtime.Object{podOn("gpu1", "a"), podOn("gpu1", "bare", ownedBy(""))}, wantErr: `no controller makes pod "default/bare" again`},
		{name: "a bare pod that may go", pods: []runtime.Object{podOn("gpu1", "bare", ownedBy(""))}, options: DrainOptions{Bare: true}, want: []string{"bare"}},
		{name: "an emptyDir", pods: []runtime.Object{podOn("gpu1", "cache", withEmptyDir)}, wantErr: `pod "default/cache" has data in an emptyDir volume`},
		{name: "an emptyDir that may go", pods: []runtime.Object{podOn("gpu1", "cache", withEmptyDir)}, options: DrainOptions{EmptyDir: true}, want: []string{"cache"}},
		{name: "a tenant", pods: []runtime.Object{podOn("gpu1", "lease", ofTenant)}, wantErr: `pod "default/lease" belongs to a tenant`},
		{name: "a tenant who may go", pods: []runtime.Object{podOn("gpu1", "lease", ofTenant, withEmptyDir)}, options: DrainOptions{Tenants: true}, want: []string{"lease"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.options.Limit == 0 {
				test.options.Limit = time.Minute
			}
			test.options.Pause = time.Millisecond
			client, evicted := evicting(test.refusals, test.pods...)
			err := client.Evict(t.Context(), "gpu1", test.options, func(string) {})
			switch {
			case test.wantErr == "" && err != nil:
				t.Fatal(err)
			case test.wantErr != "" && (err == nil || !strings.Contains(err.Error(), test.wantErr)):
				t.Fatalf("error %v, want %q", err, test.wantErr)
			}
			if diff := cmp.Diff(test.want, *evicted); diff != "" {
				t.Errorf("evicted (-want +got):\n%s", diff)
			}
		})
	}
}

// A run that ends stops evicting, and says why.
func TestEvictEndsWithItsRun(t *testing.T) {
	client, evicted := evicting(map[string]int{"db": 1 << 30}, podOn("gpu1", "db"))
	ctx, cancel := context.WithCancelCause(t.Context())
	err := client.Evict(ctx, "gpu1", DrainOptions{Limit: time.Hour, Pause: time.Millisecond}, func(string) { cancel(errors.New("interrupted")) })
	if err == nil || !strings.Contains(err.Error(), "interrupted") || len(*evicted) > 0 {
		t.Errorf("%v, evicted %v", err, *evicted)
	}
}
