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
	// Outs are the nodes that a person has taken out. They are in no selection, so nobody asks them or plans for them.
	Outs []config.Out
	// unlabelled says why the roles of nodes that declare none are unknown; empty: they are known.
	unlabelled string
}

// UnresolvedFleet is a fleet whose members are unknown.
type UnresolvedFleet struct {
	Fleet config.Fleet
	Why   string
}

// NewInventory resolves the declared nodes and fleets against what was observed. Pure.
func NewInventory(desired config.Desired, world facts.World) Inventory {
	inv := Inventory{Outs: desired.Outs}
	out := map[string]bool{}
	for _, o := range desired.Outs {
		out[o.Node] = true
	}
	known := newKubernetesNodes(world.Kubernetes.Nodes)
	for _, n := range desired.Nodes {
		if out[n.Name] {
			continue
		}
		if len(n.Roles) == 0 {
			n.Roles = labelled(nil, known.of(n))
			if world.Kubernetes.Unknown != "" {
				inv.unlabelled = "Kubernetes: " + world.Kubernetes.Unknown
			}
		}
		inv.Nodes = append(inv.Nodes, n)
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
			if out[name] {
				continue
			}
			inv.Nodes = append(inv.Nodes, config.Node{
				Name: name, Block: fleet.Name, Fleet: true, Host: known.byName[name].Addresses[fleet.Address],
				Roles: labelled(fleet.Roles, known.byName[name]), Connection: fleet.Connection, Position: fleet.Position,
			})
		}
	}
	return inv
}

// roleLabel and a role is the label with which Kubernetes says what a node is. masterLabel is what kubeadm wrote for
// control planes before 1.24.
const (
	roleLabel   = "node-role.kubernetes.io/"
	masterLabel = roleLabel + "master"
)

// labelled returns the declared roles of a node with those that Kubernetes knows it to have.
func labelled(declared []string, node facts.KubernetesNode) []string {
	roles := declared
	for _, role := range config.KubernetesRoles() {
		if Labelled(node, role) && !slices.Contains(roles, role) {
			roles = append(slices.Clone(roles), role)
		}
	}
	return roles
}

// Labelled reports whether Kubernetes knows a node to have one of some roles.
func Labelled(node facts.KubernetesNode, roles ...string) bool {
	return slices.ContainsFunc(roles, func(role string) bool {
		_, is := node.Labels[roleLabel+role]
		_, master := node.Labels[masterLabel]
		return is || master && role == "control-plane"
	})
}

// kubernetesNodes finds the nodes of Kubernetes by what configurations call them.
type kubernetesNodes struct {
	byName, byAddress map[string]facts.KubernetesNode
}

func newKubernetesNodes(nodes []facts.KubernetesNode) kubernetesNodes {
	k := kubernetesNodes{map[string]facts.KubernetesNode{}, map[string]facts.KubernetesNode{}}
	for _, n := range nodes {
		k.byName[n.Name] = n
		for _, address := range n.Addresses {
			k.byAddress[strings.ToLower(address)] = n
		}
	}
	return k
}

// of returns the node that a declared one is: the one of its name, else the one at its host; the zero value for none.
func (k kubernetesNodes) of(n config.Node) facts.KubernetesNode {
	if found, ok := k.byName[n.Name]; ok || n.Host == "" {
		return found
	}
	return k.byAddress[strings.ToLower(n.Host)]
}

// Out returns why a node is out, and whether it is.
func (inv Inventory) Out(name string) (config.Out, bool) {
	i := slices.IndexFunc(inv.Outs, func(o config.Out) bool { return o.Node == name })
	if i < 0 {
		return config.Out{}, false
	}
	return inv.Outs[i], true
}

// Node returns a node by name.
func (inv Inventory) Node(name string) (config.Node, bool) {
	i := slices.IndexFunc(inv.Nodes, func(n config.Node) bool { return n.Name == name })
	if i < 0 {
		return config.Node{}, false
	}
	return inv.Nodes[i], true
}

// Of returns the node of the inventory that a node of Kubernetes is: the one of its name, else the one that is reached
// at one of its addresses.
func (inv Inventory) Of(node facts.KubernetesNode) (config.Node, bool) { return inv.Finder()(node) }

// Finder returns Of for many nodes: after one pass over the inventory each question costs the same however many nodes
// it has.
func (inv Inventory) Finder() func(facts.KubernetesNode) (config.Node, bool) {
	byName, byHost := make(map[string]int, len(inv.Nodes)), make(map[string]int, len(inv.Nodes))
	note := func(in map[string]int, key string, i int) {
		if _, taken := in[key]; !taken && key != "" {
			in[key] = i
		}
	}
	for i, n := range inv.Nodes {
		note(byName, n.Name, i)
		note(byHost, strings.ToLower(n.Host), i)
	}
	return func(node facts.KubernetesNode) (config.Node, bool) {
		found, ok := byName[node.Name]
		if ok {
			return inv.Nodes[found], true
		}
		for _, address := range node.Addresses {
			if i, reached := byHost[strings.ToLower(address)]; reached && (!ok || i < found) {
				found, ok = i, true
			}
		}
		if !ok {
			return config.Node{}, false
		}
		return inv.Nodes[found], true
	}
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
	var untold []string
	if len(nodes) == 0 {
		untold = labels(s)
	}
	for _, u := range inv.Unresolved {
		mightBelong := config.Node{Block: u.Fleet.Name, Fleet: true, Roles: slices.Concat(u.Fleet.Roles, untold)}
		if has(mightBelong) {
			return nodes, u.Why
		}
	}
	if len(untold) > 0 {
		return nodes, inv.unlabelled
	}
	return nodes, ""
}

// labels are the roles of a selection that Kubernetes could tell of. They count where the selection has no node yet:
// where one is declared, nothing waits for Kubernetes, since a cluster whose API is down must be repairable.
func labels(s config.Selection) (roles []string) {
	for _, role := range config.KubernetesRoles() {
		if slices.Contains(s.Roles, role) {
			roles = append(roles, role)
		}
	}
	return roles
}
