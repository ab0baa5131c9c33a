package providers

import (
	"fmt"
	"slices"
	"strings"

	"upkeep/config"
	"upkeep/providers/facts"
)

// Selected returns the nodes of a block's selection, which the caller may change, and what is not well with the
// selection: not all of its nodes are known, or it has none.
func (in Input) Selected(s config.Selection) (nodes []config.Node, findings []Finding) {
	nodes, incomplete := in.Inventory.Select(s)
	switch {
	case incomplete != "":
		findings = append(findings, Finding{ID: "NODE_SELECTION_UNKNOWN", Severity: SeverityError, Unknown: true,
			Summary: "not all nodes of the selection are known: " + incomplete})
	case len(nodes) == 0:
		findings = append(findings, Finding{ID: "NODE_NONE_SELECTED", Severity: SeverityError,
			Summary: "nodes selects no node", Hint: "declare nodes with the role or name that the block selects"})
	}
	return slices.Clone(nodes), findings
}

// Silent is the finding about a node that did not answer, for a block that does nothing with the node then.
func Silent(block Address, node facts.Node) Finding {
	return Finding{
		ID: "NODE_UNREACHABLE", Severity: SeverityError, Unknown: true, Address: block.On(node.Name),
		Summary: node.Unknown, Cause: facts.SilentCause(node.Name),
		Hint: "nothing is planned for the node; see whether `ssh` reaches it from here",
	}
}

// Objects finds the Kubernetes object of each node of the inventory, by the inventory's names.
func (in Input) Objects() map[string]*facts.KubernetesNode {
	out := map[string]*facts.KubernetesNode{}
	find := in.Inventory.Finder()
	for i := range in.World.Kubernetes.Nodes {
		if n, is := find(in.World.Kubernetes.Nodes[i]); is {
			out[n.Name] = &in.World.Kubernetes.Nodes[i]
		}
	}
	return out
}

// HasModel reports whether a node has a GPU of some models. One whose models are unknown has: it may.
func HasModel(n facts.Node, models []string) bool {
	if len(models) == 0 || n.Unknown != "" || n.NVIDIA.Unknown != "" || n.NVIDIA.Devices.Unknown != "" {
		return true
	}
	names, _ := n.NVIDIA.Devices.Models()
	return slices.ContainsFunc(names, func(model string) bool { return slices.Contains(models, model) })
}

// IsPlane reports whether a node is a control plane, or a member of etcd.
func IsPlane(n config.Node, object facts.KubernetesNode) bool {
	return slices.Contains(n.Roles, "control-plane") || slices.Contains(n.Roles, "etcd") ||
		Labelled(object, "control-plane", "etcd")
}

// Few names the first of many: "a, b, c and 4 more".
func Few(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// Count says how many of something there are: "1 lease", "2 leases".
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
