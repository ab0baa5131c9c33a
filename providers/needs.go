package providers

import (
	"errors"
	"slices"

	"upkeep/config"
)

// ErrNoCluster says why nothing can be asked of a cluster, or changed in it.
var ErrNoCluster = errors.New("the configuration has no cluster block; write cluster { kubeconfig = \"~/.kube/config\" }")

// NeedsOfResource is what the complete block of a step needs: the answer of Effect.Needs where the step's neighbours
// matter, as the other control planes and etcd do for a control plane. Once the block's first needs are answered it
// asks what the block wants to know in its second stage. Of a block that is not declared nothing is asked.
func NeedsOfResource(in Input, step Step) Needs {
	resource, declared := in.Resources[step.Address.Resource()]
	if !declared {
		return Needs{}
	}
	needs := resource.Needs()
	if staged, ok := resource.(Staged); ok {
		needs = needs.And(staged.SecondNeeds(in.World, in.Inventory, false))
	}
	return needs
}

// NeedsOfNode is what the block of a step needs, but of the nodes only the step's own is asked, and etcd, which is
// reached through nodes, is not: the answer of Effect.Needs for a step that its neighbours do not matter to.
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

// And returns what both need: lists one after the other, and what either asks for. It writes into no list. Not by
// reflection: what reflect.AppendSlice copies may lie on its caller's stack (Go 1.26).
func (n Needs) And(other Needs) Needs {
	return Needs{
		Nodes: slices.Concat(n.Nodes, other.Nodes),
		Kubernetes: KubernetesNeeds{
			Cluster:     n.Kubernetes.Cluster || other.Kubernetes.Cluster,
			Tenancies:   n.Kubernetes.Tenancies || other.Kubernetes.Tenancies,
			Residents:   n.Kubernetes.Residents || other.Kubernetes.Residents,
			Maintenance: n.Kubernetes.Maintenance || other.Kubernetes.Maintenance,
			Definitions: slices.Concat(n.Kubernetes.Definitions, other.Kubernetes.Definitions),
			Secrets:     slices.Concat(n.Kubernetes.Secrets, other.Kubernetes.Secrets),
			HostPorts:   slices.Concat(n.Kubernetes.HostPorts, other.Kubernetes.HostPorts),
			Drains:      slices.Concat(n.Kubernetes.Drains, other.Kubernetes.Drains),
		},
		Etcd:   n.Etcd || other.Etcd,
		Stores: slices.Concat(n.Stores, other.Stores),
		Helm: HelmNeeds{
			Releases: slices.Concat(n.Helm.Releases, other.Helm.Releases),
			Charts:   slices.Concat(n.Helm.Charts, other.Helm.Charts),
		},
		Files: FileNeeds{
			Archives:  slices.Concat(n.Files.Archives, other.Files.Archives),
			Downloads: slices.Concat(n.Files.Downloads, other.Files.Downloads),
		},
		Prices: slices.Concat(n.Prices, other.Prices),
		Public: slices.Concat(n.Public, other.Public),
	}
}
