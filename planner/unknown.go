package planner

import (
	"slices"

	"upkeep/providers"
)

// Unknown is something that could not be checked: a node or a fleet of which nothing is known, or a part of one.
type Unknown struct {
	// Name is the node's name, "nodes.NAME" for a fleet whose members are unknown, or the address of what is on no node.
	Name string `json:"name"`
	Why  string `json:"why"`
	// Objects are the parts that could not be checked, where something is known of the rest.
	Objects []string `json:"objects,omitempty"`
	// Exempt says who named this as something that does not count: "-exclude", "-target" or "ignore.NAME". Empty: it
	// counts.
	Exempt string `json:"exempt,omitempty"`
}

// Waiting lists the work that is due and stands after the last step: something else must be repaired before upkeep can
// plan it.
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
	exempt := p.exempt(inventory)
	for _, node := range inventory.Nodes {
		if facts := p.Request.World.Nodes[node.Name]; facts != nil && facts.Unknown != "" {
			unknown = append(unknown, Unknown{Name: node.Name, Why: facts.Unknown, Exempt: exempt(node.Name)})
		}
	}
	for _, u := range inventory.Unresolved {
		unknown = append(unknown, Unknown{Name: "nodes." + u.Fleet.Name, Why: u.Why})
	}
	return unknown
}

// exempt returns what says why a node that did not answer does not count: it was left out, or an ignore block accepts
// everything that is not known of it.
func (p Plan) exempt(inventory providers.Inventory) func(node string) string {
	s := scope{targets: p.Request.Targets, exclude: p.Request.Exclude}
	asked := func(string) bool { return true }
	if !s.everything() {
		asked = s.asks(providers.Declared[providers.Resource](p.Request.Desired), inventory)
	}
	return func(node string) string {
		at := func(f providers.Finding) bool { return f.Unknown && f.Address.Node == node }
		i := slices.IndexFunc(p.Ignored, func(i Ignored) bool { return i.By != "" && at(i.Finding) })
		switch {
		case !asked(node):
			return s.flag()
		case i >= 0 && !slices.ContainsFunc(p.Findings, at):
			return "ignore." + p.Ignored[i].By
		}
		return ""
	}
}

// LeftOutBy names the flag that LeftOut is left out by; empty where nothing can be.
func (p Plan) LeftOutBy() string {
	s := scope{targets: p.Request.Targets, exclude: p.Request.Exclude}
	if s.everything() {
		return ""
	}
	return s.flag()
}

// uncertain reports whether something that counts could not be checked.
func (p Plan) uncertain() bool {
	return slices.ContainsFunc(p.Findings, func(f providers.Finding) bool { return f.Unknown }) ||
		slices.ContainsFunc(p.Unknown(), func(u Unknown) bool { return u.Exempt == "" })
}
