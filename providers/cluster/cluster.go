// Package cluster is the domain of what the Kubernetes API alone tells of a cluster: which nodes are Ready, who leads,
// and when the operator's own kubeconfig ends. It has no block in the language and plans no steps: `upkeep doctor
// -kubeconfig` asks it.
//
// It is pure: it reads facts and returns findings. What could not be observed is reported as unknown, never as healthy.
package cluster

import (
	"fmt"
	"time"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// controlPlaneLabel marks the nodes that kubeadm made control planes (kubeadm since v1.20,
// constants.LabelNodeRoleControlPlane).
const controlPlaneLabel = "node-role.kubernetes.io/control-plane"

// leaseSlack is how long after its duration a lease may be silent before it counts as lost: the clocks of two machines
// differ.
const leaseSlack = 30 * time.Second

// Spec asks for a cluster's health.
type Spec struct {
	Name string `json:"name"`
	// Alone: no other resource says when the operator's kubeconfig ends, and that the API does not answer.
	Alone bool `json:"alone"`
	// RenewBefore is how long before the kubeconfig's end is soon.
	RenewBefore config.Duration `json:"renew_before"`
}

// Address returns cluster.NAME.
func (s Spec) Address() providers.Address { return providers.Address{Type: "cluster", Name: s.Name} }

// Needs asks for the API.
func (s Spec) Needs() providers.Needs {
	return providers.Needs{Kubernetes: providers.KubernetesNeeds{Cluster: true}}
}

// Diff reports what the API says is not well. It plans nothing.
func (s Spec) Diff(in providers.Input) providers.Outcome {
	var out providers.Outcome
	k := &in.World.Kubernetes
	add := func(f providers.Finding) {
		f.Address = s.Address()
		out.Findings = append(out.Findings, f)
	}
	if s.Alone {
		s.reviewKubeconfig(&out, k.Kubeconfig, in.Clock(), add)
	}
	if k.Unknown != "" && !s.Alone {
		return out
	}
	if k.Unknown != "" {
		add(providers.Finding{ID: "CLUSTER_UNREACHABLE", Severity: providers.SeverityError, Unknown: true, Summary: k.Unknown,
			Hint: "see whether `kubectl get --raw /readyz` answers with the same kubeconfig; `upkeep doctor USER@HOST` looks at a control plane without the API"})
		return out
	}
	for _, n := range k.Nodes {
		object := providers.Object{Address: s.Address(), Name: "node " + n.Name, Status: "ok", Detail: n.Version}
		switch _, plane := n.Labels[controlPlaneLabel]; {
		case !n.Ready && plane:
			add(providers.Finding{ID: "CLUSTER_NODE_NOT_READY", Severity: providers.SeverityError, Object: n.Name, Summary: "this control plane is not Ready",
				Hint: "`kubectl describe node " + n.Name + "`, and `journalctl -u kubelet` on it"})
			object.Status, object.Detail = "problem", "not Ready"
		case !n.Ready:
			add(providers.Finding{ID: "CLUSTER_NODE_NOT_READY", Severity: providers.SeverityWarning, Object: n.Name, Summary: "this node is not Ready",
				Hint: "`kubectl describe node " + n.Name + "`, and `journalctl -u kubelet` on it"})
			object.Status, object.Detail = "problem", "not Ready"
		case n.Unschedulable:
			add(providers.Finding{ID: "CLUSTER_NODE_CORDONED", Severity: providers.SeverityNote, Object: n.Name, Summary: "it is cordoned: no new pod is placed on it"})
			object.Detail = "cordoned"
		}
		out.Objects = append(out.Objects, object)
	}
	if len(k.Nodes) == 0 {
		add(providers.Finding{ID: "CLUSTER_NODE_NOT_READY", Severity: providers.SeverityError, Summary: "the cluster has no nodes"})
	}
	for _, name := range []string{"kube-controller-manager", "kube-scheduler"} {
		s.reviewLease(&out, k, name, in.Clock(), add)
	}
	return out
}

func (s Spec) reviewLease(
	out *providers.Outcome, k *facts.Kubernetes, name string, clock providers.Clock, add func(providers.Finding),
) {
	object := providers.Object{Address: s.Address(), Name: "lease " + name, Status: "ok"}
	lease, ok := k.Lease(name)
	limit := time.Duration(lease.DurationSeconds)*time.Second + leaseSlack
	why := ""
	switch {
	case !ok || lease.Holder == "":
		why = "no process holds the lease of " + name
	case clock.Beyond(lease.RenewedAt.Add(limit)):
		why = fmt.Sprintf("%s has not renewed the lease of %s for %s",
			lease.Holder, name, clock.Now().Sub(lease.RenewedAt).Round(time.Second))
	}
	if why != "" {
		add(providers.Finding{ID: "CLUSTER_LEADER_LOST", Severity: providers.SeverityError, Object: name, Summary: why,
			Hint: "no " + name + " works in this cluster, or the clock here is wrong: look at its pods in kube-system, and at their kubeconfig on the control planes"})
		object.Status, object.Detail = "problem", why
	} else {
		object.Detail = "held by " + lease.Holder
	}
	out.Objects = append(out.Objects, object)
}

func (s Spec) reviewKubeconfig(
	out *providers.Outcome, f facts.CertificateFile, clock providers.Clock, add func(providers.Finding),
) {
	if f.Insecure != "" {
		add(providers.Finding{ID: "CLUSTER_KUBECONFIG_INSECURE", Severity: providers.SeverityError, Object: "kubeconfig", Summary: f.Insecure + " (" + f.Path + ")",
			Hint: "put the CA of the cluster into the kubeconfig (certificate-authority-data), remove insecure-skip-tls-verify, and use https://"})
	}
	leaf, ok := f.Leaf()
	if !ok {
		return // a token or a program: there is no certificate that ends
	}
	object := providers.Object{Address: s.Address(), Name: "kubeconfig", Path: f.Path, Status: "ok", Expires: leaf.NotAfter}
	finding := providers.Finding{ID: "CLUSTER_KUBECONFIG_EXPIRES", Severity: providers.SeverityWarning, Object: "kubeconfig",
		Hint: "copy the client certificate and key of a renewed /etc/kubernetes/admin.conf into it"}
	switch {
	case f.Key == "mismatch":
		object.Status = "problem"
		finding.Severity, finding.Summary = providers.SeverityError, "its key does not belong to its client certificate ("+f.Path+")"
		add(finding)
	case clock.Passed(leaf.NotAfter):
		object.Status = "problem"
		finding.Severity, finding.Summary = providers.SeverityError, fmt.Sprintf("its client certificate expired %s (%s)", leaf.NotAfter.UTC().Format(time.RFC3339), f.Path)
		add(finding)
	case clock.Passed(leaf.NotAfter.Add(-time.Duration(s.RenewBefore))):
		object.Status = "due"
		finding.Summary = fmt.Sprintf("its client certificate ends %s (%s)", leaf.NotAfter.UTC().Format(time.RFC3339), f.Path)
		add(finding)
	}
	out.Objects = append(out.Objects, object)
}

// Findings declares what this domain can find; docs/findings has a page for each.
func Findings() []providers.FindingDoc {
	return []providers.FindingDoc{
		{ID: "CLUSTER_UNREACHABLE", Class: providers.ClassUnknown},
		{ID: "CLUSTER_NODE_NOT_READY", Class: providers.ClassUnhealthy},
		{ID: "CLUSTER_NODE_CORDONED", Class: providers.ClassChanged},
		{ID: "CLUSTER_LEADER_LOST", Class: providers.ClassUnhealthy},
		{ID: "CLUSTER_KUBECONFIG_EXPIRES", Class: providers.ClassExpiring},
		{ID: "CLUSTER_KUBECONFIG_INSECURE", Class: providers.ClassUnhealthy},
	}
}
