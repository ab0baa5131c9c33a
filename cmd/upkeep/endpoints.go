package main

import (
	"context"
	"errors"
	"net"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/backup"
	"upkeep/providers/facts"
	"upkeep/providers/observe"
)

// endpointsOf returns the etcds that a configuration names. They are one cluster's, whichever block names them.
func endpointsOf(desired config.Desired) (out []observe.Endpoint) {
	for _, resource := range resourcesOf(desired) {
		spec, ok := resource.(backup.Spec)
		if !ok {
			continue
		}
		for _, e := range spec.Endpoints {
			out = append(out, observe.Endpoint{EtcdEndpoint: e, Through: spec.Nodes})
		}
	}
	return out
}

// route is one way to an endpoint.
type route struct {
	node     config.Node
	endpoint facts.EtcdEndpoint
}

func routesOf(desired config.Desired, inventory providers.Inventory) map[string][]route {
	routes := map[string][]route{}
	for _, e := range endpointsOf(desired) {
		through, _ := inventory.Select(e.Through)
		for _, node := range through {
			routes[e.URL] = append(routes[e.URL], route{node, e.EtcdEndpoint})
		}
	}
	return routes
}

// reach connects to an etcd elsewhere through a node.
func (n *nodes) reach(ctx context.Context, c config.Node, endpoint facts.EtcdEndpoint) (net.Conn, error) {
	return n.client.Endpoint(ctx, n.target(c), endpoint)
}

// member connects to a member of etcd by the name of the node that runs it, or by the endpoint that it was found at.
func (n *nodes) member(ctx context.Context, name string) (net.Conn, error) {
	routes, elsewhere := n.routes[name]
	if !elsewhere {
		return n.tunnel(ctx, name, etcdService)
	}
	var failed []error
	for _, r := range routes {
		conn, err := n.reach(ctx, r.node, r.endpoint)
		if err == nil {
			return conn, nil
		}
		failed = append(failed, err)
	}
	return nil, errors.Join(failed...)
}
