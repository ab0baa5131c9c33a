package providers

import (
	"slices"
	"strings"

	"upkeep/config"
	"upkeep/providers/facts"
)

// Inventory is the nodes that selections resolve to: declared ones, and those that fleets were discovered to have.
type Inventory struct {
	// Nodes are in declared order; discovered nodes follow, by fleet in declared order, then by name.
	Nodes []config.Node
	// Unresolved are the fleets whose members are unknown, with the reason.
	Unresolved []UnresolvedFleet
}

// UnresolvedFleet is a fleet whose members are unknown.
type UnresolvedFleet struct {
	Fleet config.Fleet
	Why   string
}

// NewInventory resolves the declared nodes and fleets against what was observed. Pure.
func NewInventory(desired config.Desired, world facts.World) Inventory {
	inv := Inventory{Nodes: slices.Clone(desired.Nodes)}
	addresses := map[string]map[string]string{}
	for _, n := range world.Kubernetes.Nodes {
		addresses[n.Name] = n.Addresses
	}
	for _, fleet := range desired.Fleets {
		found, asked := world.Fleets[fleet.Name]
		switch {
		case !asked:
			inv.Unresolved = append(inv.Unresolved, UnresolvedFleet{fleet, "nodes." + fleet.Name + " was not discovered"})
			continue
		case found.Unknown != "":
			inv.Unresolved = append(inv.Unresolved, UnresolvedFleet{fleet, found.Unknown})
			continue
		}
		for _, name := range slices.Sorted(slices.Values(found.Members)) {
			inv.Nodes = append(inv.Nodes, config.Node{
				Name: name, Block: fleet.Name, Fleet: true, Host: addresses[name][fleet.Address],
				Roles: fleet.Roles, Connection: fleet.Connection, Position: fleet.Position,
			})
		}
	}
	return inv
}

// Node returns a node by name.
func (inv Inventory) Node(name string) (config.Node, bool) {
	i := slices.IndexFunc(inv.Nodes, func(n config.Node) bool { return n.Name == name })
	if i < 0 {
		return config.Node{}, false
	}
	return inv.Nodes[i], true
}

// Of returns the node of the inventory that a node of Kubernetes is: the one of its name, else the one that is reached at
// one of its addresses.
func (inv Inventory) Of(node facts.KubernetesNode) (config.Node, bool) {
	if found, ok := inv.Node(node.Name); ok {
		return found, true
	}
	i := slices.IndexFunc(inv.Nodes, func(n config.Node) bool {
		for _, address := range node.Addresses {
			if n.Host != "" && strings.EqualFold(n.Host, address) {
				return true
			}
		}
		return false
	})
	if i < 0 {
		return config.Node{}, false
	}
	return inv.Nodes[i], true
}

// Select returns the nodes of a selection, the primary first and else in the inventory's order, and the reason why the
// selection may be incomplete (empty: it is complete).
func (inv Inventory) Select(s config.Selection) (nodes []config.Node, incomplete string) {
	has := s.Matcher()
	for _, n := range inv.Nodes {
		if has(n) {
			nodes = append(nodes, n)
		}
	}
	slices.SortStableFunc(nodes, func(a, b config.Node) int {
		switch {
		case a.Primary == b.Primary:
			return 0
		case a.Primary:
			return -1
		default:
			return 1
		}
	})
	for _, u := range inv.Unresolved {
		mightBelong := config.Node{Block: u.Fleet.Name, Fleet: true, Roles: u.Fleet.Roles}
		if has(mightBelong) {
			return nodes, u.Why
		}
	}
	return nodes, ""
}
