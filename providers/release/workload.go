package release

import (
	"fmt"
	"slices"
	"strings"

	"upkeep/providers/facts"
	"upkeep/providers/plain"
)

// unready says why a workload is not ready; "" when it is. Pods of a DaemonSet that lie on nodes which are down
// themselves are not missed: a DaemonSet wants one there, and no release can help it.
func unready(w facts.Workload, cluster facts.Kubernetes) string {
	name := w.Kind + " " + w.Name
	switch {
	case w.Unknown != "":
		return fmt.Sprintf("%s: %s", name, w.Unknown)
	case w.Missing:
		return name + " is not in the cluster"
	case !w.Settled:
		return name + " has not been seen by its controller yet"
	}
	lost := 0
	if w.Kind == "DaemonSet" {
		for _, pod := range w.Pods {
			if !pod.Ready && !pod.Deleting && down(pod.Node, cluster) {
				lost++
			}
		}
	}
	switch {
	case w.Replicas-w.Ready > lost:
		return fmt.Sprintf("%s has %d of %d pods ready%s", name, w.Ready, w.Replicas, problems(w, cluster))
	case w.Replicas-w.Updated > lost:
		return fmt.Sprintf("%s has %d of %d pods of its newest template", name, w.Updated, w.Replicas)
	}
	return ""
}

// down reports whether a node is known not to be ready.
func down(name string, cluster facts.Kubernetes) bool {
	return slices.ContainsFunc(cluster.Nodes, func(n facts.KubernetesNode) bool { return n.Name == name && !n.Ready })
}

// problems names the first pods that do not run, and why.
func problems(w facts.Workload, cluster facts.Kubernetes) string {
	const most = 3
	var found []string
	for _, pod := range w.Pods {
		if !pod.Ready && !pod.Deleting && pod.Problem != "" && !down(pod.Node, cluster) {
			found = append(found, pod.Name+": "+plain.Said(pod.Problem))
		}
	}
	if len(found) == 0 {
		return ""
	}
	text := strings.Join(found[:min(most, len(found))], "; ")
	if len(found) > most {
		text += fmt.Sprintf("; and %d more", len(found)-most)
	}
	return " (" + text + ")"
}

// patched are the API groups whose objects Helm compares with the cluster when it upgrades, since its client knows
// their types (the scheme of client-go). Of all others, and of definitions of custom resources, it compares its own two
// records alone: a field that somebody else has changed stays changed (Helm v3, pkg/kube/client.go, createPatch).
var patched = []string{
	"", "admissionregistration.k8s.io", "apps", "autoscaling", "batch", "certificates.k8s.io", "coordination.k8s.io", "discovery.k8s.io",
	"events.k8s.io", "extensions", "flowcontrol.apiserver.k8s.io", "networking.k8s.io", "node.k8s.io", "policy", "rbac.authorization.k8s.io",
	"resource.k8s.io", "scheduling.k8s.io", "storage.k8s.io",
}

// repairable reports whether an upgrade to the same chart and values brings an object back: one that is missing always.
func repairable(o facts.ObjectDrift) bool {
	group := ""
	if at := strings.LastIndex(o.APIVersion, "/"); at >= 0 {
		group = o.APIVersion[:at]
	}
	return o.Unknown == "" && (o.Missing || slices.Contains(patched, group))
}

// drifted are the objects that an upgrade brings back.
func drifted(r facts.Release) []facts.ObjectDrift {
	var out []facts.ObjectDrift
	for _, o := range r.Objects {
		if repairable(o) {
			out = append(out, o)
		}
	}
	return out
}
