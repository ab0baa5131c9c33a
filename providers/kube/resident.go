package kube

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"upkeep/providers/facts"
)

// wayIn are the ports by which tenants and their users reach a provider: http, https, its gateways, and the challenges
// of its certificate (Akash's documentation, "Provider ports").
var wayIn = []int{80, 443, 5002, 8443, 8444}

// Residents reads which pods matter when their node is taken down. It lists all pods of the cluster.
// It does not fail: what cannot be read is unknown with its reason.
func (c *Client) Residents(ctx context.Context) facts.Residents {
	var pods []corev1.Pod
	options := metav1.ListOptions{Limit: podPage, FieldSelector: "status.phase!=Succeeded,status.phase!=Failed"}
	for {
		page, err := c.api.CoreV1().Pods(metav1.NamespaceAll).List(ctx, options)
		if err != nil {
			return facts.Residents{Unknown: fmt.Sprintf("%s: listing pods: %s", c.config.Host, explain(err))}
		}
		for i := range page.Items {
			pods = append(pods, residentFields(page.Items[i]))
		}
		if options.Continue = page.Continue; options.Continue == "" {
			break
		}
	}
	found := facts.Residents{Pods: ResidentPods(pods)}
	claims := map[string][]string{}
	for _, pod := range pods {
		claims[pod.Namespace+"/"+pod.Name] = claimsOf(pod.Spec)
	}
	for i := range found.Pods {
		pod := &found.Pods[i]
		for _, claim := range claims[pod.Namespace+"/"+pod.Name] {
			place, err := c.volumePlace(ctx, pod.Namespace, claim)
			if err != nil && pod.VolumeUnknown == "" {
				pod.VolumeUnknown = fmt.Sprintf("volume claim %s: %s", claim, explain(err))
			}
			pod.Volume = worsePlace(pod.Volume, place)
		}
	}
	return found
}

// residentFields keeps of a pod what ResidentPods reads: a provider has thousands of them.
func residentFields(pod corev1.Pod) corev1.Pod {
	kept := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: pod.Namespace, Name: pod.Name, Labels: pod.Labels, OwnerReferences: pod.OwnerReferences,
		},
		Spec: corev1.PodSpec{
			NodeName: pod.Spec.NodeName, NodeSelector: pod.Spec.NodeSelector, Affinity: pod.Spec.Affinity,
			HostNetwork: pod.Spec.HostNetwork, Containers: portsAlone(pod.Spec.Containers),
			InitContainers: portsAlone(pod.Spec.InitContainers),
		},
		Status: corev1.PodStatus{Phase: pod.Status.Phase, Conditions: pod.Status.Conditions},
	}
	if _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
		kept.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: ""}
	}
	for _, volume := range pod.Spec.Volumes {
		if volume.PersistentVolumeClaim != nil {
			kept.Spec.Volumes = append(kept.Spec.Volumes, volume)
		}
	}
	return kept
}

func portsAlone(containers []corev1.Container) []corev1.Container {
	var out []corev1.Container
	for _, c := range containers {
		if len(c.Ports) > 0 {
			out = append(out, corev1.Container{Ports: c.Ports, RestartPolicy: c.RestartPolicy})
		}
	}
	return out
}

// ResidentPods returns those of all pods of a cluster that are residents, sorted, without what their volumes say.
func ResidentPods(pods []corev1.Pod) []facts.Resident {
	replicas := map[string]int{}
	for _, pod := range pods {
		if owner := metav1.GetControllerOf(&pod); owner != nil && !ended(pod) {
			replicas[pod.Namespace+"/"+owner.Kind+"/"+owner.Name]++
		}
	}
	var out []facts.Resident
	for _, pod := range pods {
		_, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]
		if _, tenants := pod.Labels[serviceLabel]; mirror || tenants || ended(pod) {
			continue
		}
		f := facts.Resident{
			Node: pod.Spec.NodeName, Namespace: pod.Namespace, Name: pod.Name, Pinned: pinned(pod.Spec),
			Ports: heldPorts(pod.Spec, wayIn),
		}
		alone := false
		if owner := metav1.GetControllerOf(&pod); owner != nil {
			f.Owner = owner.Kind + " " + owner.Name
			once := owner.Kind != "DaemonSet" && owner.Kind != "Job"
			alone = once && replicas[pod.Namespace+"/"+owner.Kind+"/"+owner.Name] == 1
		}
		if f.Duty = dutyOf(pod, f, alone); f.Duty == "" {
			continue
		}
		for _, condition := range pod.Status.Conditions {
			if condition.Type == corev1.PodReady {
				f.Ready = condition.Status == corev1.ConditionTrue
			}
		}
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b facts.Resident) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// dutyOf returns why a pod matters; "" where it does not. Labels and names are those of Akash's charts (akash/provider
// 16 and its operators, which have no label of their own) and of Rook 1.19.
func dutyOf(pod corev1.Pod, f facts.Resident, alone bool) facts.Duty {
	app := pod.Labels["app"]
	operator := func(name string) bool { return strings.HasPrefix(f.Owner, "ReplicaSet "+name+"-") }
	switch {
	case app == "akash-provider":
		return facts.DutyProvider
	case app == "akash-node":
		return facts.DutyRPC
	case app == "rook-ceph-osd":
		return facts.DutyOSD
	case app == "rook-ceph-mon":
		return facts.DutyMonitor
	case strings.HasPrefix(app, "rook-ceph-") && alone:
		return facts.DutyStorage
	case operator("operator-inventory"):
		return facts.DutyInventory
	case operator("operator-hostname"), operator("operator-ip"):
		return facts.DutyOperator
	case len(f.Ports) > 0:
		return facts.DutyGateway
	case alone:
		return facts.DutyOnly
	}
	return ""
}

func ended(pod corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// pinned reports whether a pod's own selector or required affinity names hosts.
func pinned(spec corev1.PodSpec) bool {
	if spec.NodeSelector[corev1.LabelHostname] != "" {
		return true
	}
	if spec.Affinity == nil || spec.Affinity.NodeAffinity == nil {
		return false
	}
	return namesHosts(spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution)
}

// namesHosts reports whether each way to fulfil a node selector names one host: then there is no other node.
func namesHosts(selector *corev1.NodeSelector) bool {
	if selector == nil || len(selector.NodeSelectorTerms) == 0 {
		return false
	}
	hosts := map[string]bool{}
	for _, term := range selector.NodeSelectorTerms {
		named := false
		for _, e := range slices.Concat(term.MatchExpressions, term.MatchFields) {
			host := e.Key == corev1.LabelHostname || e.Key == metav1.ObjectNameField
			if !host || e.Operator != corev1.NodeSelectorOpIn {
				continue
			}
			named = true
			for _, value := range e.Values {
				hosts[value] = true
			}
		}
		if !named {
			return false
		}
	}
	return len(hosts) == 1
}

// claimsOf returns the names of the volume claims of a pod.
func claimsOf(spec corev1.PodSpec) []string {
	var names []string
	for _, v := range spec.Volumes {
		if v.PersistentVolumeClaim != nil {
			names = append(names, v.PersistentVolumeClaim.ClaimName)
		}
	}
	return names
}

// volumePlace says where the volume of a claim is.
func (c *Client) volumePlace(ctx context.Context, namespace, name string) (facts.VolumePlace, error) {
	claim, err := c.api.CoreV1().PersistentVolumeClaims(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return facts.VolumeUnknown, err
	}
	if claim.Spec.VolumeName == "" {
		return facts.VolumeUnknown, fmt.Errorf("it has no volume yet")
	}
	volume, err := c.api.CoreV1().PersistentVolumes().Get(ctx, claim.Spec.VolumeName, metav1.GetOptions{})
	if err != nil {
		return facts.VolumeUnknown, err
	}
	return placeOf(volume.Spec), nil
}

// placeOf says where a volume is: one that names its only host, or is a directory of a host, follows nobody.
func placeOf(spec corev1.PersistentVolumeSpec) facts.VolumePlace {
	if spec.Local != nil || spec.HostPath != nil || spec.NodeAffinity != nil && namesHosts(spec.NodeAffinity.Required) {
		return facts.VolumeLocal
	}
	return facts.VolumeFollows
}

// worsePlace returns the worse of two places for whoever wants the pod elsewhere.
func worsePlace(a, b facts.VolumePlace) facts.VolumePlace {
	order := []facts.VolumePlace{facts.VolumeNone, facts.VolumeFollows, facts.VolumeUnknown, facts.VolumeLocal}
	if slices.Index(order, b) > slices.Index(order, a) {
		return b
	}
	return a
}
