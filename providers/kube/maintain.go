package kube

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"upkeep/providers/facts"
)

// Others who change nodes, as the objects of a cluster show them.
const (
	maintainerKured      = "kured"
	maintainerUpgrade    = facts.MaintainerOperator
	maintainerMedik8s    = "medik8s"
	maintainerNodewright = "nodewright"
)

// upgradeState is the label in which gpu-operator keeps how far the upgrade of a node's driver is
// (k8s-operator-libs, pkg/upgrade). Nothing is in progress in its first and its last state.
const upgradeState = "nvidia.com/gpu-driver-upgrade-state"

// rebootInProgress is the annotation that kured sets on a node that it reboots, with --annotate-nodes.
const rebootInProgress = "weave.works/kured-reboot-in-progress"

// tainters are the prefixes of taints by which others reserve a node for their work.
var tainters = []struct{ part, name string }{
	{"medik8s.io/", maintainerMedik8s},
	{"nodewright.nvidia.com/", maintainerNodewright},
	{"skyhook.nvidia.com/", maintainerNodewright}, // its name before
}

// maintainers are others who are at work on a node now, each once, by name.
func maintainers(n corev1.Node) []facts.Maintainer {
	found := map[string]string{}
	switch state := n.Labels[upgradeState]; state {
	case "", "upgrade-done":
	default:
		found[maintainerUpgrade] = "label " + upgradeState + "=" + state
	}
	if _, is := n.Annotations[rebootInProgress]; is {
		found[maintainerKured] = "annotation " + rebootInProgress
	}
	for _, taint := range n.Spec.Taints {
		for _, t := range tainters {
			if strings.Contains(taint.Key, t.part) {
				found[t.name] = "taint " + taint.Key
			}
		}
	}
	var out []facts.Maintainer
	for _, name := range slices.Sorted(maps.Keys(found)) {
		out = append(out, facts.Maintainer{Name: name, Evidence: found[name]})
	}
	return out
}

// offered are the resources of nvidia.com that a node has; nil where it has none.
func offered(status corev1.NodeStatus) map[string]facts.Offered {
	var out map[string]facts.Offered
	for name, capacity := range status.Capacity {
		if !strings.HasPrefix(string(name), "nvidia.com/") {
			continue
		}
		allocatable := status.Allocatable[name]
		if out == nil {
			out = map[string]facts.Offered{}
		}
		out[string(name)] = facts.Offered{Capacity: capacity.Value(), Allocatable: allocatable.Value()}
	}
	return out
}
