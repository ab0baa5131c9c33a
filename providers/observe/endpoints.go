package observe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// Endpoint is an etcd that the configuration names, and the nodes through which it may be reached.
type Endpoint struct {
	facts.EtcdEndpoint
	Through config.Selection
}

// endpoints returns the names of the endpoints, which are their URLs, and a dialer to them: through the first of the
// nodes that connects.
func (o *Observer) endpoints(inventory providers.Inventory, world *facts.World) (names []string, dial func(context.Context, string) (net.Conn, error)) {
	for _, e := range o.Endpoints {
		if !slices.Contains(names, e.URL) {
			names = append(names, e.URL)
		}
	}
	dial = func(ctx context.Context, name string) (net.Conn, error) {
		var failed []error
		for _, e := range o.Endpoints {
			if e.URL != name {
				continue
			}
			through, _ := inventory.Select(e.Through) // an incomplete selection is the domain's to report
			for _, node := range through {
				if why := world.Node(node.Name).Unknown; why != "" {
					failed = append(failed, fmt.Errorf("%s is unknown: %s", node.Name, why))
					continue
				}
				conn, err := o.Nodes.Reach(ctx, node, e.EtcdEndpoint)
				if err == nil {
					return conn, nil
				}
				failed = append(failed, err)
			}
		}
		if len(failed) == 0 {
			return nil, fmt.Errorf("%s: there is no node to reach it through", name)
		}
		return nil, fmt.Errorf("%s: %w", name, errors.Join(failed...))
	}
	return names, dial
}
