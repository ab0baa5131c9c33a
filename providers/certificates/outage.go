package certificates

import (
	"fmt"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// reviewOutage says what to do by hand where the cluster went dark because its certificates have expired: neither the API nor etcd
// says what kubeadm's configuration is, and without it upkeep renews nothing.
func (r *review) reviewOutage() {
	if r.in.World.Kubernetes.Unknown == "" || r.policyUnknown == "" {
		return
	}
	for _, n := range r.nodes {
		observed := r.in.World.Nodes[n.Name]
		if observed == nil || observed.Unknown != "" {
			continue
		}
		expired, first := expiredFiles(r, observed)
		if expired == 0 {
			continue
		}
		what := first.Name + " " + ends(first.Blocks[0].NotAfter, r.in.Now)
		if expired > 1 {
			what += fmt.Sprintf(", and %d more", expired-1)
		}
		r.on(n.Name, providers.Finding{
			ID: "CERT_CLUSTER_DOWN", Severity: providers.SeverityError, Object: "control plane",
			Summary: "neither the API nor etcd answers, and " + what,
			Hint: "by hand, one control plane after the other: `tar -czf /root/kubernetes.tar.gz -C / etc/kubernetes`; " +
				"`kubeadm certs renew all --config FILE`, where FILE is the cluster's own ClusterConfiguration (in a plan that upkeep applied before: `zcat -f journal/PLAN.plan | jq -r .request.world.kubernetes.cluster_configuration`); " +
				"then restart kube-controller-manager and kube-scheduler; see `docs/findings/CERT_CLUSTER_DOWN.md`",
		})
	}
}

// expiredFiles counts the certificates of a node that have expired and that kubeadm renews, and returns the first of them.
func expiredFiles(r *review, n *facts.Node) (count int, first *facts.CertificateFile) {
	for i := range n.Certificates.Files {
		f := &n.Certificates.Files[i]
		if rank(f.Name) == notRenewable || len(f.Blocks) == 0 || !r.clock.Passed(f.Blocks[0].NotAfter) {
			continue
		}
		if count++; first == nil || rank(f.Name) < rank(first.Name) {
			first = f
		}
	}
	return count, first
}
