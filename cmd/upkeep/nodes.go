package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/node"
)

// nodes joins the configuration's nodes and connections to the client that talks to them.
type nodes struct {
	client      *node.Client
	connections map[string]config.Connection
	// byName is filled once fleets are resolved; operations look nodes up here.
	byName map[string]config.Node
	// routes are the nodes through which each endpoint of the configuration may be reached, by its URL; they are filled in
	// with byName.
	routes map[string][]route
}

func newNodes(desired config.Desired, parallelism int) (*nodes, error) {
	directory, err := helperDirectory()
	if err != nil {
		return nil, err
	}
	n := &nodes{connections: map[string]config.Connection{}, byName: map[string]config.Node{}}
	n.client = node.New(node.Options{Helpers: directory, Parallelism: parallelism})
	for _, c := range desired.Connections {
		n.connections[c.Name] = c
	}
	n.know(desired.Nodes)
	return n, nil
}

// know adds nodes that were discovered.
func (n *nodes) know(list []config.Node) {
	for _, node := range list {
		n.byName[node.Name] = node
	}
}

func (n *nodes) target(c config.Node) node.Target {
	return node.TargetOf(c, n.connections[c.Connection])
}

// Observe asks one node.
func (n *nodes) Observe(ctx context.Context, c config.Node, question facts.Question) (facts.Node, error) {
	observed, err := n.client.Observe(ctx, n.target(c), question)
	if err != nil { // it ends up beside the node's name, which it need not repeat
		err = errors.New(strings.TrimPrefix(err.Error(), c.Name+": "))
	}
	return observed, err
}

// Etcd connects to the etcd member on a node.
func (n *nodes) Etcd(ctx context.Context, c config.Node) (net.Conn, error) {
	return n.client.Tunnel(ctx, n.target(c), etcdService)
}

// Call runs a typed request on a node. A fence, where there is one, is asked just before the request is sent; see
// node.Client.CallFenced.
func (n *nodes) Call(ctx context.Context, name, method string, request, result any, progress func(string), fence func(context.Context) error) error {
	c, ok := n.byName[name]
	if !ok {
		return fmt.Errorf("%s is not a node of this configuration", name)
	}
	return n.client.CallFenced(ctx, n.target(c), method, request, result, progress, fence)
}

// inventory resolves the nodes of a world and remembers them for operations.
func (n *nodes) inventory(desired config.Desired, world facts.World) providers.Inventory {
	inventory := providers.NewInventory(desired, world)
	n.know(inventory.Nodes)
	n.routes = routesOf(desired, inventory)
	return inventory
}

// observeTimeout bounds one observation as a whole; each node and request has a tighter bound of its own.
const observeTimeout = 5 * time.Minute

// etcdService is the helper's name for the tunnel to the node's etcd member.
const etcdService = "etcd"
