package kube

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func statefulSets(replicas int32, objects ...*corev1.Pod) (StatefulSets, *fake.Clientset) {
	labels := map[string]string{"app": "akash-provider"}
	api := fake.NewClientset(&appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "p", UID: "set-1", Annotations: map[string]string{"other": "stays"}},
		Spec:       appsv1.StatefulSetSpec{Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels}},
		Status:     appsv1.StatefulSetStatus{ReadyReplicas: 1},
	})
	for _, pod := range objects {
		pod.Labels = labels
		if _, err := api.CoreV1().Pods("a").Create(context.Background(), pod, metav1.CreateOptions{}); err != nil {
			panic(err)
		}
	}
	return StatefulSets{Client: &Client{api: api}, Poll: time.Millisecond}, api
}

func TestStopMarksAndStartUnmarks(t *testing.T) {
	sets, api := statefulSets(1)
	ctx := context.Background()
	if err := sets.Stop(ctx, "a", "p", map[string]string{"upkeep.dev/stopped-by": "run 1"}); err != nil {
		t.Fatal(err)
	}
	set, _ := api.AppsV1().StatefulSets("a").Get(ctx, "p", metav1.GetOptions{})
	if diff := cmp.Diff(map[string]string{"other": "stays", "upkeep.dev/stopped-by": "run 1"}, set.Annotations); diff != "" || *set.Spec.Replicas != 0 {
		t.Errorf("%d replicas, annotations (-want +got):\n%s", *set.Spec.Replicas, diff)
	}
	marked, err := sets.Marked(ctx, "upkeep.dev/stopped-by")
	want := []Marked{{Namespace: "a", Name: "p", Annotations: map[string]string{"upkeep.dev/stopped-by": "run 1"}}}
	if diff := cmp.Diff(want, marked); diff != "" || err != nil {
		t.Errorf("marked %v (-want +got):\n%s", err, diff)
	}
	if err := sets.Start(ctx, "a", "p", 1, []string{"upkeep.dev/stopped-by"}); err != nil {
		t.Fatal(err)
	}
	set, _ = api.AppsV1().StatefulSets("a").Get(ctx, "p", metav1.GetOptions{})
	if diff := cmp.Diff(map[string]string{"other": "stays"}, set.Annotations); diff != "" || *set.Spec.Replicas != 1 {
		t.Errorf("%d replicas, annotations (-want +got):\n%s", *set.Spec.Replicas, diff)
	}
}

func TestStopWaitsForPods(t *testing.T) {
	sets, _ := statefulSets(1, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "p-0", UID: "pod-1"}})
	ctx, cancel := context.WithTimeoutCause(context.Background(), 20*time.Millisecond, errors.New("not finished"))
	defer cancel()
	err := sets.Stop(ctx, "a", "p", nil)
	if err == nil || !strings.Contains(err.Error(), "p-0") || !strings.Contains(err.Error(), "not finished") {
		t.Errorf("Stop = %v, want an error that names the pod", err)
	}
}

func TestDeleteStatefulSet(t *testing.T) {
	sets, api := statefulSets(0)
	ctx := context.Background()
	for range 2 { // the second time it is gone already
		if err := sets.DeleteStatefulSet(ctx, "a", "p", "set-1"); err != nil {
			t.Fatal(err)
		}
	}
	if list, _ := api.AppsV1().StatefulSets("a").List(ctx, metav1.ListOptions{}); len(list.Items) != 0 {
		t.Errorf("%d StatefulSets are left", len(list.Items))
	}
	if err := sets.DeletePod(ctx, "a", "nothing", "x"); err != nil {
		t.Errorf("a pod that is gone: %v", err)
	}
}
