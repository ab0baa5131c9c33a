package main

import (
	"time"

	"upkeep/cmd/upkeep/wiring"
	"upkeep/config"
	"upkeep/providers/node"
)

// newClient returns the client that talks to nodes, at most parallelism at a time.
func newClient(parallelism int) (*node.Client, error) {
	directory, err := helperDirectory()
	if err != nil {
		return nil, err
	}
	return node.New(node.Options{Helpers: directory, Parallelism: parallelism}), nil
}

// newNodes joins the nodes of a configuration to the client that talks to them.
func newNodes(desired config.Desired, parallelism int) (*wiring.Nodes, error) {
	client, err := newClient(parallelism)
	if err != nil {
		return nil, err
	}
	return wiring.NewNodes(client, desired, endpointsOf(desired)), nil
}

// observeTimeout bounds one observation as a whole; each node and request has a tighter bound of its own.
const observeTimeout = 5 * time.Minute
