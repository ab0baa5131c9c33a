package wiring_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"upkeep/cmd/upkeep/wiring"
	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/claim"
	"upkeep/providers/facts"
	"upkeep/providers/node"
	"upkeep/providers/node/protocol"
	"upkeep/providers/observe"
)

// client answers for every node, and counts the locks that it gave by the host that was asked.
type client struct {
	mu    sync.Mutex
	locks map[string]int
	// refused are the hosts that give no tunnel to an endpoint.
	refused []string
}

func (c *client) Observe(_ context.Context, target node.Target, _ facts.Question) (facts.Node, error) {
	return facts.Node{Name: target.Name, Host: target.Host}, nil
}

func (c *client) CallFenced(_ context.Context, target node.Target, method string, request, result any, _ func(string), _ func(context.Context) error) error {
	lock, ok := request.(protocol.LockRequest)
	if !ok || method != protocol.MethodLock {
		return fmt.Errorf("%s: %s is not expected here", target.Name, method)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.locks == nil {
		c.locks = map[string]int{}
	}
	c.locks[target.Host]++
	*result.(*protocol.LockResult) = protocol.LockResult{Holder: lock.Holder, Generation: lock.Generation, Held: true}
	return nil
}

func (c *client) Tunnel(_ context.Context, target node.Target, service string) (net.Conn, error) {
	return conn{name: target.Host + " " + service}, nil
}

func (c *client) Endpoint(_ context.Context, target node.Target, endpoint facts.EtcdEndpoint) (net.Conn, error) {
	if slices.Contains(c.refused, target.Host) {
		return nil, fmt.Errorf("%s: no answer", target.Name)
	}
	return conn{name: target.Host + " " + endpoint.URL}, nil
}

func (c *client) Cold(_ context.Context, target node.Target) (io.ReadCloser, error) {
	return conn{name: target.Host}, nil
}

// conn is a connection that knows where it goes.
type conn struct {
	net.Conn
	name string
}

// api is a Kubernetes whose nodes change with each look.
type api struct {
	mu    sync.Mutex
	looks int
}

func (*api) FromNodes(known facts.Kubernetes, _ []facts.ConfigurationAnswer) facts.Kubernetes {
	return known
}

func (a *api) Observe(context.Context) facts.Kubernetes {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.looks++
	out := facts.Kubernetes{}
	for i := range 1 + a.looks%5 {
		out.Nodes = append(out.Nodes, facts.KubernetesNode{
			Name: fmt.Sprintf("w%d", i), Addresses: map[string]string{"InternalIP": fmt.Sprintf("10.0.1.%d", i)},
		})
	}
	return out
}

func (*api) Match(_ string, nodes []facts.KubernetesNode) (names []string, err error) {
	for _, n := range nodes {
		names = append(names, n.Name)
	}
	return names, nil
}

func (*api) FromEtcd(facts.Kubernetes) (string, func([]byte, error) facts.Kubernetes) { return "", nil }
func (*api) Tenancies(context.Context) facts.Tenancies                                { return facts.Tenancies{} }
func (*api) Maintenance(context.Context) facts.Maintenance                            { return facts.Maintenance{} }
func (*api) Residents(context.Context) facts.Residents                                { return facts.Residents{} }
func (*api) Drain(context.Context, facts.DrainQuestion) facts.Drain                   { return facts.Drain{} }
func (*api) Definition(context.Context, string) facts.Definition                      { return facts.Definition{} }
func (*api) Secret(context.Context, facts.SecretQuestion) facts.Existence             { return facts.Existence{} }
func (*api) HostPorts(context.Context, []int) facts.HostPorts                         { return facts.HostPorts{} }

// block is a resource that asks every node of the configuration.
type block struct{ nodes config.Selection }

func (b block) Address() providers.Address { return providers.Address{Type: "block", Name: "a"} }
func (b block) Needs() providers.Needs {
	return providers.Needs{Kubernetes: providers.KubernetesNeeds{Cluster: true}, Nodes: []providers.NodeNeed{{Nodes: b.nodes, Question: facts.Question{Marks: true}}}}
}
func (block) Diff(providers.Input) providers.Outcome { return providers.Outcome{} }

const elsewhere = "https://etcd.example.net:2379"

// house is a configuration of three control planes, a fleet and an etcd elsewhere.
func house() (config.Desired, []observe.Endpoint) {
	everyone := config.Selection{Names: []string{"cp1", "cp2", "cp3"}, Fleets: []string{"workers"}}
	desired := config.Desired{
		Fleets:    []config.Fleet{{Name: "workers", Address: "InternalIP"}},
		Resources: []config.Declared{{Value: block{everyone}}},
	}
	for i, name := range everyone.Names {
		desired.Nodes = append(desired.Nodes, config.Node{Name: name, Host: fmt.Sprintf("10.0.0.%d", i+1), Roles: []string{"control-plane"}})
	}
	return desired, []observe.Endpoint{{EtcdEndpoint: facts.EtcdEndpoint{URL: elsewhere}, Through: everyone}}
}

func looker(nodes *wiring.Nodes, desired config.Desired) wiring.Looker {
	return wiring.Looker{
		Nodes: nodes, Desired: desired, Memory: func() facts.Memory { return facts.Memory{} },
		Observer: &observe.Observer{Nodes: nodes, Kubernetes: &api{}, Now: func() time.Time { return time.Unix(0, 0) }},
	}
}

// Each look of a run discovers nodes, while the renewal of the node locks, in a goroutine of its own, and operations look names
// up. This is what died of "concurrent map read and map write" while the API of a cluster was down; it is one of the tests that
// `make race` is for.
func TestLooksAndRenewalsRunSideBySide(t *testing.T) {
	const rounds = 300
	desired, endpoints := house()
	asked := &client{}
	nodes := wiring.NewNodes(asked, desired, endpoints)
	look := looker(nodes, desired)
	locks, err := claim.LockNodes(t.Context(), nodes, []string{"cp1", "cp2", "cp3"}, protocol.LockRequest{Holder: "us", Generation: 1})
	if err != nil {
		t.Fatal(err)
	}
	held := &claim.Upgrade{First: locks, Take: func(context.Context) (claim.Holding, error) { return nil, fmt.Errorf("the API is down") }}
	step := providers.Step{ID: "block.a/do", Address: providers.Address{Type: "block", Name: "a"}}
	var work sync.WaitGroup
	side := func(what string, once func() error) {
		work.Go(func() {
			for range rounds {
				if err := once(); err != nil {
					t.Errorf("%s: %v", what, err)
					return
				}
			}
		})
	}
	side("renew", func() error { return held.Renew(t.Context()) })
	side("look for a step", func() error {
		input, err := look.Step(t.Context(), step)
		if err == nil && len(input.Inventory.Nodes) < 4 {
			err = fmt.Errorf("only %d nodes", len(input.Inventory.Nodes))
		}
		return err
	})
	side("identify", func() error { _, err := look.Identity(t.Context()); return err })
	side("reach etcd", func() error { _, err := nodes.Member(t.Context(), elsewhere); return err })
	side("open a tunnel", func() error { _, err := nodes.Tunnel(t.Context(), "cp2", protocol.ServiceFiles); return err })
	work.Wait()
	for _, host := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"} {
		if asked.locks[host] != rounds+1 {
			t.Errorf("%s was asked for its lock %d times, want %d", host, asked.locks[host], rounds+1)
		}
	}
}
