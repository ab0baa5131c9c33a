package kube

import (
	"context"

	"upkeep/providers/facts"
)

// Cluster asks the API server that a kubeconfig names. It opens the kubeconfig when it is asked: one that cannot be
// opened makes the cluster unknown, and does not stop nodes from being observed.
type Cluster struct {
	Kubeconfig, Context string
}

// Observe returns what the cluster is and how it does; see Client.Observe.
func (c Cluster) Observe(ctx context.Context) facts.Kubernetes {
	client, err := Open(c.Kubeconfig, c.Context)
	if err != nil {
		return facts.Kubernetes{Unknown: err.Error(), Kubeconfig: facts.CertificateFile{
			Name: c.Kubeconfig, Kind: facts.Kubeconfig, Path: c.Kubeconfig, Unknown: err.Error(),
		}}
	}
	return client.Observe(ctx)
}

// Match returns the names of the nodes that a label selector selects.
func (Cluster) Match(selector string, nodes []facts.KubernetesNode) ([]string, error) {
	return Match(selector, nodes)
}

// FromEtcd says what etcd has of what the API server did not tell.
func (Cluster) FromEtcd(known facts.Kubernetes) (string, func([]byte, error) facts.Kubernetes) {
	return FromEtcd(known)
}

// FromNodes says what nodes have of what the API server did not tell.
func (Cluster) FromNodes(known facts.Kubernetes, answers []facts.ConfigurationAnswer) facts.Kubernetes {
	return FromNodes(known, answers)
}

// Tenancies returns the leases of an Akash provider's tenants.
func (c Cluster) Tenancies(ctx context.Context) facts.Tenancies {
	client, err := Open(c.Kubeconfig, c.Context)
	if err != nil {
		return facts.Tenancies{Unknown: err.Error()}
	}
	return client.Tenancies(ctx)
}

// Residents returns the pods that matter when their node is taken down.
func (c Cluster) Residents(ctx context.Context) facts.Residents {
	client, err := Open(c.Kubeconfig, c.Context)
	if err != nil {
		return facts.Residents{Unknown: err.Error()}
	}
	return client.Residents(ctx)
}

// Maintenance returns which nodes other programs have for their work.
func (c Cluster) Maintenance(ctx context.Context) facts.Maintenance {
	client, err := Open(c.Kubeconfig, c.Context)
	if err != nil {
		return facts.Maintenance{Unknown: err.Error()}
	}
	return client.Maintenance(ctx)
}

// HostPorts returns which pods hold some TCP ports of nodes.
func (c Cluster) HostPorts(ctx context.Context, ports []int) facts.HostPorts {
	client, err := Open(c.Kubeconfig, c.Context)
	if err != nil {
		return facts.HostPorts{Unknown: err.Error()}
	}
	return client.HostPorts(ctx, ports)
}

// Drain says what draining a node would do.
func (c Cluster) Drain(ctx context.Context, question facts.DrainQuestion) facts.Drain {
	client, err := Open(c.Kubeconfig, c.Context)
	if err != nil {
		return facts.Drain{Unknown: err.Error()}
	}
	return client.Drain(ctx, question)
}
