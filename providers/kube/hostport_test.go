package kube

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"upkeep/providers/facts"
)

func TestHostPorts(t *testing.T) {
	pod := func(namespace, name, node string, change func(*corev1.Pod), ports ...corev1.ContainerPort) corev1.Pod {
		p := corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Spec:       corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "c", Ports: ports}}},
			Status:     corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
		}
		if change != nil {
			change(&p)
		}
		return p
	}
	host := func(port int32) corev1.ContainerPort {
		return corev1.ContainerPort{ContainerPort: 1000 + port, HostPort: port, Protocol: corev1.ProtocolTCP}
	}
	truth, always := true, corev1.ContainerRestartPolicyAlways
	list := func(more string, pods ...corev1.Pod) corev1.PodList {
		return corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}, ListMeta: metav1.ListMeta{Continue: more}, Items: pods}
	}
	objects := map[string]any{
		"/api/v1/pods": list("more",
			pod("kube-system", "svclb-traefik-1", "n1", func(p *corev1.Pod) {
				p.Labels = map[string]string{serviceNameLabel: "traefik", serviceNamespaceLabel: "web"}
				p.OwnerReferences = []metav1.OwnerReference{{Kind: "DaemonSet", Name: "svclb-traefik", Controller: &truth}}
			}, host(443), host(80)),
			pod("web", "no-host-port", "n1", nil, corev1.ContainerPort{ContainerPort: 80}),
			pod("web", "another-port", "n1", nil, host(81)),
			pod("web", "udp", "n1", nil, corev1.ContainerPort{ContainerPort: 443, HostPort: 443, Protocol: corev1.ProtocolUDP}),
			pod("web", "ended", "n1", func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }, host(80)),
		),
		"/api/v1/pods?continue": list("",
			pod("ingress", "waits", "", func(p *corev1.Pod) { p.Status = corev1.PodStatus{Phase: corev1.PodPending} }, host(80)),
			pod("ingress", "goes", "n2", func(p *corev1.Pod) {
				at := metav1.NewTime(time.Unix(0, 0))
				p.DeletionTimestamp, p.Spec.HostNetwork = &at, true
			}, corev1.ContainerPort{ContainerPort: 443, HostPort: 443}),
			pod("ingress", "sidecar", "n2", func(p *corev1.Pod) {
				p.Spec.InitContainers = []corev1.Container{{Ports: []corev1.ContainerPort{host(443)}}, {RestartPolicy: &always, Ports: []corev1.ContainerPort{host(80)}}}
			}),
		),
	}
	client, err := Open(kubeconfig(t, apiServer(t, objects)), "")
	if err != nil {
		t.Fatal(err)
	}
	ports := []int{80, 443}
	want := facts.HostPorts{Ports: ports, Pods: []facts.HostPortPod{
		{Namespace: "ingress", Name: "goes", Node: "n2", Ready: true, Deleting: true, Ports: []int{443}},
		{Namespace: "ingress", Name: "sidecar", Node: "n2", Ready: true, Ports: []int{80}},
		{Namespace: "ingress", Name: "waits", Ports: []int{80}},
		{Namespace: "kube-system", Name: "svclb-traefik-1", Node: "n1", Ready: true, Ports: []int{80, 443}, Owner: "DaemonSet svclb-traefik", Service: facts.ServiceName{Namespace: "web", Name: "traefik"}},
	}}
	if diff := cmp.Diff(want, client.HostPorts(context.Background(), ports)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	shut, err := Open(kubeconfig(t, apiServer(t, nil)), "")
	if err != nil {
		t.Fatal(err)
	}
	if got := shut.HostPorts(context.Background(), ports); !strings.Contains(got.Unknown, "listing pods: the API server refuses this kubeconfig (Unauthorized)") || len(got.Pods) > 0 {
		t.Errorf("%+v", got)
	}
}
