package main

import (
	"context"
	"net"

	"upkeep/providers/etcd"
	"upkeep/providers/facts"
	"upkeep/providers/kube"
)

// kubernetes is what observation asks of a cluster: the API server, and what Helm's connection knows of its kinds and Secrets.
type kubernetes struct {
	kube.Cluster
	clusterCharts
}

// etcdMembers fits the etcd adapter to what observe asks for.
type etcdMembers struct{}

func (etcdMembers) Observe(ctx context.Context, nodes []string, dial func(context.Context, string) (net.Conn, error)) facts.Etcd {
	return etcd.Observe(ctx, nodes, dial)
}

func (etcdMembers) Get(ctx context.Context, nodes []string, dial func(context.Context, string) (net.Conn, error), key string) ([]byte, error) {
	return etcd.Get(ctx, nodes, dial, key)
}
