package planner

import (
	"slices"

	"upkeep/providers"
)

// Findings that say that the kubeconfig protects nothing. A domain that looks at the kubeconfig reports its own; where
// none is declared, the planner does: every block that asks the API is asked what such a server says.
const (
	clusterInsecure     = "CLUSTER_KUBECONFIG_INSECURE"
	certificateInsecure = "CERT_KUBECONFIG_INSECURE"
)

// insecureKubeconfig reports a kubeconfig with which anybody on the way could answer as the API server, unless a domain
// does.
func insecureKubeconfig(r Request, found []providers.Finding) []providers.Finding {
	f := &r.World.Kubernetes.Kubeconfig
	told := func(f providers.Finding) bool { return f.ID == clusterInsecure || f.ID == certificateInsecure }
	if f.Insecure == "" || slices.ContainsFunc(found, told) {
		return nil
	}
	return []providers.Finding{{
		ID: clusterInsecure, Severity: providers.SeverityError, Address: providers.Address{Type: "cluster", Name: "kubeconfig"},
		Object: "cluster.kubeconfig", Summary: f.Insecure + " (" + f.Path + ")",
		Hint: "put the CA of the cluster into the kubeconfig (certificate-authority-data), remove insecure-skip-tls-verify, and use https://",
	}}
}
