// Package wiring joins a configuration to what talks to its nodes and its cluster: names to nodes, looks to steps, requests
// to runs, and a run to the claim on its cluster.
//
// It decides nothing about a cluster and prints nothing. It links no SDK (client-go, Helm, an etcd client): clients come in
// through the interfaces that are declared here. So all that goroutines of a run share is in one package, which is tested
// with the race detector without an instrumented build of those SDKs. It promises that everything exported is safe for
// use by several goroutines at once.
package wiring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/node"
	"upkeep/providers/node/protocol"
	"upkeep/providers/observe"
)

// Client talks to nodes: *node.Client.
type Client interface {
	Observe(ctx context.Context, target node.Target, question facts.Question) (facts.Node, error)
	CallFenced(ctx context.Context, target node.Target, method string, request, result any, progress func(string), fence func(context.Context) error) error
	Tunnel(ctx context.Context, target node.Target, service string) (net.Conn, error)
	Endpoint(ctx context.Context, target node.Target, endpoint facts.EtcdEndpoint) (net.Conn, error)
	Cold(ctx context.Context, target node.Target) (io.ReadCloser, error)
}

// Nodes joins the nodes and connections of a configuration to the client that talks to them.
type Nodes struct {
	client      Client
	connections map[string]config.Connection
	endpoints   []observe.Endpoint

	mu sync.RWMutex
	// known is replaced and never written to, so what was read of it stays as it was.
	known known
}

// known is what operations resolve names in.
type known struct {
	byName map[string]config.Node
	// routes are the ways to each endpoint of the configuration, by its URL.
	routes map[string][]route
}

// route is one way to an endpoint.
type route struct {
	node     config.Node
	endpoint facts.EtcdEndpoint
}

// NewNodes returns the nodes that a configuration declares. Those of fleets are added by Know, once they are discovered.
func NewNodes(client Client, desired config.Desired, endpoints []observe.Endpoint) *Nodes {
	n := &Nodes{client: client, connections: map[string]config.Connection{}, endpoints: slices.Clone(endpoints)}
	for _, c := range desired.Connections {
		n.connections[c.Name] = c
	}
	n.Know(providers.NewInventory(desired, facts.World{}))
	return n
}

// Know sets what names resolve to from now on: the nodes of an inventory, and the ways to endpoints through them. What an
// inventory does not name keeps what it resolved to: a fleet that cannot be discovered for a moment still has the nodes that
// a run works on.
func (n *Nodes) Know(inventory providers.Inventory) {
	n.mu.Lock()
	defer n.mu.Unlock()
	next := known{byName: maps.Clone(n.known.byName), routes: maps.Clone(n.known.routes)}
	if next.byName == nil {
		next = known{byName: map[string]config.Node{}, routes: map[string][]route{}}
	}
	for _, node := range inventory.Nodes {
		next.byName[node.Name] = node
	}
	for _, e := range n.endpoints {
		through, incomplete := inventory.Select(e.Through)
		if incomplete != "" && len(next.routes[e.URL]) > 0 {
			continue
		}
		var ways []route
		for _, node := range through {
			ways = append(ways, route{node, e.EtcdEndpoint})
		}
		next.routes[e.URL] = ways
	}
	n.known = next
}

func (n *Nodes) resolve() known {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.known
}

// Endpoints are the etcds that the configuration names.
func (n *Nodes) Endpoints() []observe.Endpoint { return slices.Clone(n.endpoints) }

// Target says how to reach a node.
func (n *Nodes) Target(c config.Node) node.Target {
	return node.TargetOf(c, n.connections[c.Connection])
}

// target says how to reach the node of a name.
func (n *Nodes) target(name string) (node.Target, error) {
	c, ok := n.resolve().byName[name]
	if !ok {
		return node.Target{}, fmt.Errorf("%s is not a node of this configuration", name)
	}
	return n.Target(c), nil
}

// Observe asks one node.
func (n *Nodes) Observe(ctx context.Context, c config.Node, question facts.Question) (facts.Node, error) {
	observed, err := n.client.Observe(ctx, n.Target(c), question)
	if err != nil { // it ends up beside the node's name, which it need not repeat
		err = errors.New(strings.TrimPrefix(err.Error(), c.Name+": "))
	}
	return observed, err
}

// Etcd connects to the etcd member on a node.
func (n *Nodes) Etcd(ctx context.Context, c config.Node) (net.Conn, error) {
	return n.client.Tunnel(ctx, n.Target(c), etcdService)
}

// Stored asks a node for the cluster's kubeadm configuration.
func (n *Nodes) Stored(ctx context.Context, c config.Node) (found facts.ConfigurationSources, err error) {
	err = n.client.CallFenced(ctx, n.Target(c), protocol.MethodKubeadm, protocol.KubeadmRequest{}, &found, nil, nil)
	if err != nil {
		err = errors.New(strings.TrimPrefix(err.Error(), c.Name+": "))
	}
	return found, err
}

// Reach connects to an etcd elsewhere through a node.
func (n *Nodes) Reach(ctx context.Context, c config.Node, endpoint facts.EtcdEndpoint) (net.Conn, error) {
	return n.client.Endpoint(ctx, n.Target(c), endpoint)
}

// Call runs a typed request on a node. A fence, where there is one, is asked just before the request is sent; see
// node.Client.CallFenced.
func (n *Nodes) Call(ctx context.Context, name, method string, request, result any, progress func(string), fence func(context.Context) error) error {
	target, err := n.target(name)
	if err != nil {
		return err
	}
	return n.client.CallFenced(ctx, target, method, request, result, progress, fence)
}

// Lock implements claim.NodeLocker: a helper says in its result who is in the way, and any error means that this node
// cannot be locked, so that it cannot be changed either.
func (n *Nodes) Lock(ctx context.Context, name string, request protocol.LockRequest) (protocol.LockResult, error) {
	var result protocol.LockResult
	err := n.Call(ctx, name, protocol.MethodLock, request, &result, nil, nil)
	return result, err
}

// etcdService is the helper's name for the tunnel to the node's etcd member.
const etcdService = "etcd"
