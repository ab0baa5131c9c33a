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
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
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
	sets, api := statefulSets(1, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "p-0", UID: "pod-1"}})
	ctx, cancel := context.WithCancelCause(t.Context())
	looks := 0
	api.PrependReactor("list", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
		if looks++; looks == 3 {
			cancel(errors.New("not finished"))
		}
		return false, nil, nil
	})
	err := sets.Stop(ctx, "a", "p", nil)
	if err == nil || !strings.Contains(err.Error(), "p-0") || !strings.Contains(err.Error(), "not finished") {
		t.Errorf("Stop = %v, want an error that names the pod", err)
	}
}

// Somebody who scales it meanwhile is not waited for until the step's time is over.
func TestStopAndStartNoticeWhoScalesMeanwhile(t *testing.T) {
	scaleTo := func(api *fake.Clientset, replicas int32) {
		set, err := api.AppsV1().StatefulSets("a").Get(t.Context(), "p", metav1.GetOptions{})
		if err != nil {
			t.Error(err)
			return
		}
		set.Spec.Replicas = &replicas
		if _, err := api.AppsV1().StatefulSets("a").Update(t.Context(), set, metav1.UpdateOptions{}); err != nil {
			t.Error(err)
		}
	}
	for _, test := range []struct {
		name string
		had  int32
		run  func(StatefulSets) error
		want *ScaledError
	}{
		{"started while it stops", 1, func(s StatefulSets) error { return s.Stop(t.Context(), "a", "p", nil) },
			&ScaledError{Workload: Workload{Kind: "StatefulSet", Namespace: "a", Name: "p"}, Want: 0, Has: 3}},
		{"scaled while it starts", 0, func(s StatefulSets) error { return s.Start(t.Context(), "a", "p", 2, nil) },
			&ScaledError{Workload: Workload{Kind: "StatefulSet", Namespace: "a", Name: "p"}, Want: 2, Has: 3}},
	} {
		t.Run(test.name, func(t *testing.T) {
			sets, api := statefulSets(test.had, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "p-0", UID: "pod-1"}})
			looks := 0
			api.PrependReactor("get", "statefulsets", func(clienttesting.Action) (bool, runtime.Object, error) {
				if looks++; looks == 6 {
					go scaleTo(api, 3)
				}
				return false, nil, nil
			})
			var decided *ScaledError
			if err := test.run(sets); !errors.As(err, &decided) {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(test.want, decided); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
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
