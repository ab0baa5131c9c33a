package planner

import "upkeep/providers"

// FindingDocs documents the findings that belong to no domain; docs/findings holds a page for each.
func FindingDocs() []providers.FindingDoc {
	return []providers.FindingDoc{{
		ID: WrongCluster, Title: "Nodes, kubeconfig and state are not of one cluster",
		Meaning: "The CA of a node is not one that `cluster.kubeconfig` trusts, or the cluster that was observed (its CA, the uid of namespace kube-system, its etcd cluster id) is not the one that the first apply with this state has changed. So a host, the kubeconfig or the state belongs to another cluster, and work planned with the one would be done to the other.",
		Remedy:  "Nothing is applied. Correct the host of the node or `cluster.kubeconfig`; `-exclude=ADDRESS@NODE` leaves one node out meanwhile. For another cluster give the configuration another state (`state \"local\" { path = ... }`). Where the cluster itself has changed, because its CA was rotated or it was built anew, say so once: `upkeep state forget-cluster`.",
	}, {
		ID: fleetSize, Title: "A set of discovered nodes has another size than expected",
		Meaning: "The block says `expect = N`, and another number of Kubernetes nodes matches its selector. A node that is missing was " +
			"deregistered or lost its label, and nothing of this plan is about it; a node too many was added, or the label went to a machine that " +
			"should not have it, and the plan would act on that too.",
		Remedy: "Compare `kubectl get nodes -l SELECTOR` with the machines that should be there. Bring the missing node back or correct its label; " +
			"if the fleet did change, correct `expect`.",
	}, {
		ID: ignoreEnded, Title: "An ignore block has ended",
		Meaning: "An `ignore` block accepts a finding until a day, and that day has passed. The finding counts again.",
		Remedy: "Ask the owner that the block names. If the cause is gone, remove the block. If the cause stays, set a later `until` and say why in `reason`. " +
			"upkeep changes neither.",
	}}
}
