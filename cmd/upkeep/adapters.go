package main

import (
	"context"
	"net"

	"upkeep/providers/etcd"
	"upkeep/providers/facts"
	"upkeep/providers/kube"
)

// kubernetes fits the Kubernetes adapter to what observe asks for. A kubeconfig that cannot be opened makes the cluster
// unknown; it does not stop the nodes from being observed.
type kubernetes struct {
	path, context string
	clusterCharts
}

func (k kubernetes) Observe(ctx context.Context) facts.Kubernetes {
	client, err := kube.Open(k.path, k.context)
	if err != nil {
		return facts.Kubernetes{Unknown: err.Error(), Kubeconfig: facts.CertificateFile{
			Name: k.path, Kind: facts.Kubeconfig, Path: k.path, Unknown: err.Error(),
		}}
	}
	return client.Observe(ctx)
}

func (kubernetes) Match(selector string, nodes []facts.KubernetesNode) ([]string, error) {
	return kube.Match(selector, nodes)
}

func (kubernetes) FromEtcd(known facts.Kubernetes) (string, func([]byte, error) facts.Kubernetes) {
	return kube.FromEtcd(known)
}

func (k kubernetes) Tenancies(ctx context.Context) facts.Tenancies {
	client, err := kube.Open(k.path, k.context)
	if err != nil {
		return facts.Tenancies{Unknown: err.Error()}
	}
	return client.Tenancies(ctx)
}

func (k kubernetes) HostPorts(ctx context.Context, ports []int) facts.HostPorts {
	client, err := kube.Open(k.path, k.context)
	if err != nil {
		return facts.HostPorts{Unknown: err.Error()}
	}
	return client.HostPorts(ctx, ports)
}

// etcdMembers fits the etcd adapter to what observe asks for.
type etcdMembers struct{}

func (etcdMembers) Observe(ctx context.Context, nodes []string, dial func(context.Context, string) (net.Conn, error)) facts.Etcd {
	return etcd.Observe(ctx, nodes, dial)
}

func (etcdMembers) Get(ctx context.Context, nodes []string, dial func(context.Context, string) (net.Conn, error), key string) ([]byte, error) {
	return etcd.Get(ctx, nodes, dial, key)
}
