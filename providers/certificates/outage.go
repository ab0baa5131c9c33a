package certificates

import (
	"fmt"
	"slices"
	"strings"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// reviewOutage says that the cluster is down because its certificates have expired. Where no source tells kubeadm's
// configuration it says what to do by hand, since without that upkeep renews nothing.
func (r *review) reviewOutage() {
	if r.down {
		what := "the cluster is down"
		if !r.outage.dark && !r.outage.etcd {
			what = "a part of the control plane is down"
		}
		r.add(providers.Finding{
			ID: "CERT_CLUSTER_DOWN", Severity: providers.SeverityError, Object: "control plane",
			Summary: what + " because its certificates expired " + r.sinceWhen() + ", on " + r.outage.left(),
			Hint:    "`upkeep apply` renews them, one control plane after the other, and then checks the complete cluster",
		})
		return
	}
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

// headline is what a plan says first of an outage: what is down, since when, and what the steps do about it.
func (r *review) headline() string {
	if r.kubeconfigFirst != "" {
		leaf, _ := r.in.World.Kubernetes.Kubeconfig.Leaf()
		return "The API refuses upkeep: " + operatorObject + " " + ends(leaf.NotAfter, r.in.Now) +
			". upkeep renews the kubeconfig first, and then looks at the cluster."
	}
	if !r.down || len(r.out.Steps) == 0 {
		return ""
	}
	var order []string
	for _, s := range r.out.Steps {
		if !slices.Contains(order, s.Node) {
			order = append(order, s.Node)
		}
	}
	what := "The cluster is DOWN"
	if !r.outage.dark && !r.outage.etcd {
		what = "A part of the control plane is DOWN"
	}
	text := what + " because its certificates expired " + r.sinceWhen() + ". upkeep renews the certificates on " +
		strings.Join(order, ", then ")
	if r.outage.dark {
		text += ". While the API is down, upkeep locks the control planes instead of the cluster's Lease"
	}
	return text + "."
}

// sinceWhen says when the first certificate expired.
func (r *review) sinceWhen() string {
	since := r.outage.since()
	return span(r.in.Now.Sub(since)) + " ago (" + since.UTC().Format("2006-01-02 15:04 UTC") + ")"
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
