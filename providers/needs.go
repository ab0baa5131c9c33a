package providers

import (
	"slices"

	"upkeep/config"
)

// NeedsOfResource is what the whole block of a step needs: the answer of Effect.Needs where the step's neighbours matter, as
// the other control planes and etcd do for a control plane. Once the block's first needs are answered it asks what the
// block wants to know in its second stage. Of a block that is not declared nothing is asked.
func NeedsOfResource(in Input, step Step) Needs {
	resource, declared := in.Resources[step.Address.Resource()]
	if !declared {
		return Needs{}
	}
	needs := resource.Needs()
	if staged, ok := resource.(Staged); ok {
		needs = needs.And(staged.SecondNeeds(in.World, in.Inventory))
	}
	return needs
}

// NeedsOfNode is what the block of a step needs, but of the nodes only the step's own is asked, and etcd, which is reached
// through nodes, is not: the answer of Effect.Needs for a step that its neighbours do not matter to.
func NeedsOfNode(in Input, step Step) Needs {
	needs := NeedsOfResource(in, step)
	needs.Etcd = false
	needs.Nodes = slices.DeleteFunc(slices.Clone(needs.Nodes), func(need NodeNeed) bool {
		selected, _ := in.Inventory.Select(need.Nodes)
		return !slices.ContainsFunc(selected, func(n config.Node) bool { return n.Name == step.Node })
	})
	for i := range needs.Nodes {
		needs.Nodes[i].Nodes = config.Selection{Names: []string{step.Node}}
	}
	return needs
}

// And returns what both need.
func (n Needs) And(other Needs) Needs {
	return Needs{
		Kubernetes: n.Kubernetes || other.Kubernetes, Etcd: n.Etcd || other.Etcd, Nodes: slices.Concat(n.Nodes, other.Nodes),
		Backups: slices.Concat(n.Backups, other.Backups), Releases: slices.Concat(n.Releases, other.Releases),
		Tenancies: n.Tenancies || other.Tenancies, Archives: slices.Concat(n.Archives, other.Archives),
		Downloads: slices.Concat(n.Downloads, other.Downloads), Definitions: slices.Concat(n.Definitions, other.Definitions),
		Secrets: slices.Concat(n.Secrets, other.Secrets), Charts: slices.Concat(n.Charts, other.Charts),
		HostPorts: slices.Concat(n.HostPorts, other.HostPorts),
	}
}
