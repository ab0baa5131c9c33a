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
	trusted, found := trustedBy(world.Kubernetes), authoritiesOf(world.Node(name))
	if !trusted.known() || !found.known() || trusted.share(found) {
		return ""
	}
	return fmt.Sprintf("%s is not of the cluster of the kubeconfig: the CA of its control plane is %s, and the kubeconfig trusts %s",
		name, found.fingerprints[0], trusted.fingerprints[0])
}

// authorities are CAs, by the fingerprints of their certificates and the ids of their keys. A CA is its key: one that
// was issued again with its old key has another fingerprint and trusts and signs as before. Facts of an older upkeep
// have fingerprints alone.
type authorities struct{ fingerprints, keys []string }

func (a authorities) known() bool { return len(a.fingerprints) > 0 }

// share reports whether one CA is among both.
func (a authorities) share(other authorities) bool {
	among := func(list []string) func(string) bool {
		return func(id string) bool { return slices.Contains(list, id) }
	}
	return slices.ContainsFunc(a.fingerprints, among(other.fingerprints)) || slices.ContainsFunc(a.keys, among(other.keys))
}

func authoritiesOf(n facts.Node) (a authorities) {
	a.fingerprints, a.keys = n.ClusterAuthorities()
	return a
}

// trustedBy returns the CAs that the kubeconfig trusts.
func trustedBy(k facts.Kubernetes) (a authorities) {
	a.fingerprints, a.keys = k.Kubeconfig.Authorities, slices.Clone(k.Kubeconfig.AuthorityKeys)
	if len(a.fingerprints) == 0 && k.Authority != "" {
		a.fingerprints = []string{k.Authority}
	}
	if k.AuthorityKey != "" {
		a.keys = append(a.keys, k.AuthorityKey)
	}
	return a
}

// strangers says which nodes of a world are of another cluster than the kubeconfig's, in the inventory's order; where
// no kubeconfig tells, which differ from the first node that answers.
func strangers(in providers.Input) (nodes, why []string) {
	trusted := trustedBy(in.World.Kubernetes)
	first, reference := "", authorities{}
	for _, node := range in.Inventory.Nodes {
		reason := OtherCluster(in.World, node.Name)
		if found := authoritiesOf(in.World.Node(node.Name)); !trusted.known() && found.known() {
			switch {
			case first == "":
				first, reference = node.Name, found
			case !found.share(reference):
				reason = fmt.Sprintf("%s and %s are not of one cluster: the CA of the one is %s, of the other %s",
					node.Name, first, found.fingerprints[0], reference.fingerprints[0])
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
