package kube

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"upkeep/providers/facts"
)

var ours = facts.Cordon{
	By: "gpu_health.fleet", Run: "p1", Who: "ops@bastion", Why: "Xid 79 on GPU 0000:17:00",
	Since: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC),
}

func annotation(t *testing.T, c facts.Cordon) map[string]string {
	t.Helper()
	text, err := c.Annotation()
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{facts.CordonAnnotation: text}
}

func clusterWith(unschedulable bool, annotations map[string]string) (*Client, *fake.Clientset) {
	api := fake.NewClientset(&corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "gpu1", Annotations: annotations, ResourceVersion: "1"},
		Spec:       corev1.NodeSpec{Unschedulable: unschedulable, PodCIDR: "10.1.0.0/24"},
	})
	return &Client{api: api}, api
}

// What upkeep did not cordon, upkeep does not uncordon, and what somebody else cordoned gets no mark.
func TestCordon(t *testing.T) {
	other := ours
	other.Run = "p2"
	for _, test := range []struct {
		name          string
		unschedulable bool
		annotations   map[string]string
		uncordon      *facts.Cordon // nil: cordon
		wantErr       error
		want          *facts.Cordon
		wantCordoned  bool
	}{
		{name: "a free node is cordoned", want: &ours, wantCordoned: true},
		{name: "somebody else's cordon", unschedulable: true, wantErr: ErrCordonForeign, wantCordoned: true},
		{
			name: "upkeep's cordon keeps its mark", unschedulable: true, annotations: annotation(t, other), want: &other,
			wantCordoned: true,
		},
		{
			name: "a mark whose cordon somebody took away is replaced", annotations: annotation(t, other), want: &ours,
			wantCordoned: true,
		},
		{name: "uncordon", unschedulable: true, annotations: annotation(t, ours), uncordon: &ours},
		{name: "uncordon what nobody marked", unschedulable: true, uncordon: &ours, wantCordoned: true},
		{
			name: "uncordon another run's cordon", unschedulable: true, annotations: annotation(t, other), uncordon: &ours,
			wantErr: ErrCordonChanged, want: &other, wantCordoned: true,
		},
		{
			name: "uncordon an unreadable mark", unschedulable: true, uncordon: &ours, wantErr: ErrCordonChanged,
			annotations: map[string]string{facts.CordonAnnotation: "{"}, wantCordoned: true,
			want: &facts.Cordon{Unknown: "the mark is not JSON"},
		},
		{name: "somebody was faster: only the mark goes", annotations: annotation(t, ours), uncordon: &ours},
	} {
		t.Run(test.name, func(t *testing.T) {
			client, api := clusterWith(test.unschedulable, test.annotations)
			var err error
			if test.uncordon != nil {
				err = client.Uncordon(t.Context(), "gpu1", *test.uncordon)
			} else {
				err = client.Cordon(t.Context(), "gpu1", ours)
			}
			if !errors.Is(err, test.wantErr) {
				t.Fatalf("error %v, want %v", err, test.wantErr)
			}
			n, err := api.CoreV1().Nodes().Get(t.Context(), "gpu1", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, facts.CordonOf(n.Annotations)); diff != "" {
				t.Errorf("mark (-want +got):\n%s", diff)
			}
			if n.Spec.Unschedulable != test.wantCordoned || n.Spec.PodCIDR == "" {
				t.Errorf("left %+v", n.Spec)
			}
		})
	}
}

// Between the look and the write somebody else cordons the node: the cordon is theirs.
func TestCordonLooksAgain(t *testing.T) {
	client, api := clusterWith(false, nil)
	beaten := false
	api.PrependReactor("patch", "nodes", func(clienttesting.Action) (bool, runtime.Object, error) {
		if beaten {
			return false, nil, nil
		}
		beaten = true
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "gpu1"}, Spec: corev1.NodeSpec{Unschedulable: true}}
		if err := api.Tracker().Update(schema.GroupVersionResource{Version: "v1", Resource: "nodes"}, n, ""); err != nil {
			t.Error(err)
		}
		return true, nil, apierrors.NewConflict(schema.GroupResource{Resource: "nodes"}, "gpu1", errors.New("changed"))
	})
	if err := client.Cordon(t.Context(), "gpu1", ours); !errors.Is(err, ErrCordonForeign) {
		t.Errorf("error %v, want ErrCordonForeign", err)
	}
	n, err := api.CoreV1().Nodes().Get(t.Context(), "gpu1", metav1.GetOptions{})
	if err != nil || facts.CordonOf(n.Annotations) != nil {
		t.Errorf("%v; somebody else's cordon carries a mark: %v", err, n.Annotations)
	}
}

// A mark says everything in few bytes, or is not written.
func TestCordonMarkIsBounded(t *testing.T) {
	client, api := clusterWith(false, nil)
	long := ours
	long.Why = strings.Repeat("x", 5000)
	if err := client.Cordon(t.Context(), "gpu1", long); err == nil {
		t.Error("a mark of 5000 bytes was written")
	}
	if n := len(api.Actions()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
	read := facts.CordonOf(map[string]string{facts.CordonAnnotation: strings.Repeat("x", 5000)})
	if read == nil || read.Unknown == "" {
		t.Errorf("read %+v", read)
	}
}

// A selector may say what a node must not have, and may not use labels that disappear with a cordon.
func TestSelectors(t *testing.T) {
	nodes := []facts.KubernetesNode{
		{Name: "cp1", Labels: map[string]string{"node-role.kubernetes.io/control-plane": ""}},
		{Name: "gpu1", Labels: map[string]string{"pool": "gpu"}},
		{Name: "gpu2", Labels: map[string]string{"pool": "gpu", "example.net/lab": "yes"}},
	}
	for _, test := range []struct {
		selector string
		want     []string
		managed  string
	}{
		{selector: "!node-role.kubernetes.io/control-plane", want: []string{"gpu1", "gpu2"}},
		{selector: "pool=gpu,!example.net/lab", want: []string{"gpu1"}},
		{selector: "pool!=gpu", want: []string{"cp1"}},
		{selector: "pool notin (gpu),example.net/lab!=yes", want: []string{"cp1"}},
		{selector: "nvidia.com/gpu.present=true", managed: "nvidia.com/gpu.present"},
		{selector: "pool=gpu,!akash.network", managed: "akash.network"},
		{
			selector: "akash.network/capabilities.gpu.vendor.nvidia.model.h100",
			managed:  "akash.network/capabilities.gpu.vendor.nvidia.model.h100",
		},
		{selector: "nvidia.com/gpu.product=NVIDIA-H100-80GB-HBM3", want: nil},
	} {
		t.Run(test.selector, func(t *testing.T) {
			err := CheckSelector(test.selector)
			var managed *ManagedLabelError
			if errors.As(err, &managed) != (test.managed != "") || managed != nil && managed.Label != test.managed {
				t.Fatalf("error %v, want one about %q", err, test.managed)
			}
			if test.managed != "" {
				return
			}
			got, err := Match(test.selector, nodes)
			if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}
