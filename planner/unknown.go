package planner

import "upkeep/providers"

// Unknown is a node, or a fleet of nodes, of which nothing is known.
type Unknown struct {
	// Name is the node's name, or "nodes.NAME" for a fleet whose members are unknown.
	Name string `json:"name"`
	Why  string `json:"why"`
}

// Waiting lists the work that is due and stands after the last step: something else must be mended before it can be planned.
func (p Plan) Waiting() []providers.Finding {
	var waiting []providers.Finding
	for _, finding := range p.Remaining {
		if finding.Waits {
			waiting = append(waiting, finding)
		}
	}
	return waiting
}

// Unknown lists the nodes that did not answer, in the inventory's order, and the fleets that could not be discovered.
func (p Plan) Unknown() []Unknown {
	var unknown []Unknown
	inventory := providers.NewInventory(p.Request.Desired, p.Request.World)
	for _, node := range inventory.Nodes {
		if facts := p.Request.World.Nodes[node.Name]; facts != nil && facts.Unknown != "" {
			unknown = append(unknown, Unknown{node.Name, facts.Unknown})
		}
	}
	for _, u := range inventory.Unresolved {
		unknown = append(unknown, Unknown{"nodes." + u.Fleet.Name, u.Why})
	}
	return unknown
}
