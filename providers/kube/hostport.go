package kube

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"upkeep/providers/facts"
)

// The labels of the pods by which k3s gives a Service of type LoadBalancer its ports on the nodes (k3s-io/k3s,
// pkg/cloudprovider/servicelb.go, v1.35).
const (
	serviceNameLabel      = "svccontroller.k8s.cattle.io/svcname"
	serviceNamespaceLabel = "svccontroller.k8s.cattle.io/svcnamespace"
)

// podPage is how many pods one list request returns at most.
const podPage = 500

// HostPorts reads which pods hold some TCP ports of nodes. It does not fail: what cannot be read is unknown with its
// reason.
func (c *Client) HostPorts(ctx context.Context, ports []int) facts.HostPorts {
	found := facts.HostPorts{Ports: ports}
	// Pods that have ended are many on a provider, and hold nothing.
	options := metav1.ListOptions{Limit: podPage, FieldSelector: "status.phase!=Succeeded,status.phase!=Failed"}
	for {
		page, err := c.api.CoreV1().Pods(metav1.NamespaceAll).List(ctx, options)
		if err != nil {
			return facts.HostPorts{Ports: ports, Unknown: fmt.Sprintf("%s: listing pods: %s", c.config.Host, explain(err))}
		}
		found.Pods = append(found.Pods, HostPortPods(page.Items, ports)...)
		if options.Continue = page.Continue; options.Continue == "" {
			break
		}
	}
	slices.SortFunc(found.Pods, byName)
	return found
}

func byName(a, b facts.HostPortPod) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// HostPortPods returns those of some pods that hold one of the ports, sorted.
func HostPortPods(pods []corev1.Pod, ports []int) []facts.HostPortPod {
	var out []facts.HostPortPod
	for _, pod := range pods {
		if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
			continue
		}
		held := heldPorts(pod.Spec, ports)
		if len(held) == 0 {
			continue
		}
		f := facts.HostPortPod{
			Namespace: pod.Namespace, Name: pod.Name, Node: pod.Spec.NodeName, Deleting: pod.DeletionTimestamp != nil, Ports: held,
			Service: facts.ServiceName{Namespace: pod.Labels[serviceNamespaceLabel], Name: pod.Labels[serviceNameLabel]},
		}
		if owner := metav1.GetControllerOf(&pod); owner != nil {
			f.Owner = owner.Kind + " " + owner.Name
		}
		for _, condition := range pod.Status.Conditions {
			if condition.Type == corev1.PodReady {
				f.Ready = condition.Status == corev1.ConditionTrue
			}
		}
		out = append(out, f)
	}
	slices.SortFunc(out, byName)
	return out
}

// heldPorts returns those of the ports that a pod holds on its node. The scheduler counts them whatever address they
// are bound to: beside one that is bound to every address, any other conflicts. Sidecars run as long as their pod does;
// other init containers end before it serves.
func heldPorts(spec corev1.PodSpec, ports []int) []int {
	containers := slices.Clone(spec.Containers)
	for _, c := range spec.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			containers = append(containers, c)
		}
	}
	var held []int
	for _, c := range containers {
		for _, p := range c.Ports {
			port := int(p.HostPort)
			if spec.HostNetwork {
				port = int(p.ContainerPort)
			}
			if tcp := p.Protocol == corev1.ProtocolTCP || p.Protocol == ""; tcp && slices.Contains(ports, port) {
				held = append(held, port)
			}
		}
	}
	slices.Sort(held)
	return slices.Compact(held)
}
