package planner

import (
	"fmt"
	"slices"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// WrongCluster is the id of the finding that nodes, kubeconfig and state are not of one cluster.
const WrongCluster = "WRONG_CLUSTER"

// identityAddress stands for the cluster's identity, which belongs to no resource.
var identityAddress = providers.Address{Type: "cluster", Name: "identity"}

// NotRemembered says in which parts a cluster is not the one that the state belongs to, and what to do. Unknown parts
// do not count.
func NotRemembered(remembered, found Identity) (reasons []string) {
	for _, d := range remembered.Differences(found) {
		reasons = append(reasons, fmt.Sprintf(
			"this is not the cluster that this state belongs to: the %s is %s, and the state has %s; for another cluster use another state path, or, if this cluster was rebuilt or its CA rotated: upkeep state forget-cluster",
			d.What, d.There, d.Here))
	}
	return reasons
}

// OtherCluster says why a node is not of the cluster whose kubeconfig is used; empty where it is, or where that cannot
// be told. A node is of the cluster when one of the authorities that its control plane uses is one that the kubeconfig
// trusts: during a rotation both may be bundles.
func OtherCluster(world facts.World, name string) string {
	trusted := authorities(world.Kubernetes)
	found := world.Node(name).ClusterAuthorities()
	if len(trusted) == 0 || len(found) == 0 || slices.ContainsFunc(found, func(ca string) bool { return slices.Contains(trusted, ca) }) {
		return ""
	}
	return fmt.Sprintf("%s is not of the cluster of the kubeconfig: the CA of its control plane is %s, and the kubeconfig trusts %s", name, found[0], trusted[0])
}

// authorities are the fingerprints of the CAs that the kubeconfig trusts.
func authorities(k facts.Kubernetes) []string {
	if len(k.Kubeconfig.Authorities) > 0 {
		return k.Kubeconfig.Authorities
	}
	if k.Authority != "" {
		return []string{k.Authority}
	}
	return nil
}

// strangers says which nodes of a world are of another cluster than the kubeconfig's, in the inventory's order; where
// no kubeconfig tells, which differ from the first node that answers.
func strangers(in providers.Input) (nodes, why []string) {
	trusted := authorities(in.World.Kubernetes)
	first := ""
	for _, node := range in.Inventory.Nodes {
		reason := OtherCluster(in.World, node.Name)
		if found := in.World.Node(node.Name).ClusterAuthorities(); len(trusted) == 0 && len(found) > 0 {
			switch reference := in.World.Node(first).ClusterAuthorities(); {
			case first == "":
				first = node.Name
			case !slices.ContainsFunc(found, func(ca string) bool { return slices.Contains(reference, ca) }):
				reason = fmt.Sprintf("%s and %s are not of one cluster: the CA of the one is %s, of the other %s", node.Name, first, found[0], reference[0])
			}
		}
		if reason != "" {
			nodes, why = append(nodes, node.Name), append(why, reason)
		}
	}
	return nodes, why
}

// rightCluster compares everything that says which cluster this is (rule 15). A node that disagrees refuses the plan
// unless it was left out of it.
func rightCluster(r Request, in providers.Input, asked func(node string) bool) (findings []providers.Finding, refusals []string) {
	nodes, why := strangers(in)
	for i, node := range nodes {
		findings = append(findings, providers.Finding{
			ID: WrongCluster, Severity: providers.SeverityError, Address: identityAddress.On(node), Object: "ca", Summary: why[i],
			Hint: "correct the host of " + node + " or cluster.kubeconfig, or leave the node out with -exclude",
		})
		if asked(node) {
			refusals = append(refusals, why[i]+"; correct its host or cluster.kubeconfig, or leave the node out with -exclude=ADDRESS@"+node)
		}
	}
	for _, reason := range NotRemembered(r.Memory.Cluster, r.Identity()) {
		findings = append(findings, providers.Finding{
			ID: WrongCluster, Severity: providers.SeverityError, Address: identityAddress, Object: "state", Summary: reason,
		})
		refusals = append(refusals, reason)
	}
	return findings, refusals
}

// asks returns whether anything that was asked for is about a node.
func (s scope) asks(resources []providers.Resource, inventory providers.Inventory) func(node string) bool {
	asked := map[string]bool{}
	for _, resource := range resources {
		for _, need := range resource.Needs().Nodes {
			nodes, _ := inventory.Select(need.Nodes)
			for _, node := range nodes {
				if s.has(resource.Address().On(node.Name)) {
					asked[node.Name] = true
				}
			}
		}
	}
	return func(node string) bool { return asked[node] }
}
