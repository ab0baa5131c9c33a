package planner

import (
	"fmt"
	"slices"
	"time"

	"upkeep/config"
	"upkeep/providers"
)

// CheckOuts returns an error for the first node that was taken out until a day that has passed: whether the node is well
// again, only a person knows.
func CheckOuts(desired config.Desired, now time.Time) error {
	for _, o := range desired.Outs {
		if !o.Until.Ended(now) {
			continue
		}
		if o.Position.File == "" {
			return fmt.Errorf("node %s was out until %s (%q, owner %s), and that day has passed; run `upkeep node back %s`, or take the node out again with a later -until",
				o.Node, o.Until, o.Reason, o.Owner, o.Node)
		}
		return fmt.Errorf("node %s was out until %s (%q, owner %s), and that day has passed; remove the out block (%s), or set a later \"until\"",
			o.Node, o.Until, o.Reason, o.Owner, o.Position)
	}
	return nil
}

// outOf returns why a node is out, and whether it is.
func outOf(desired config.Desired, node string) (config.Out, bool) {
	i := slices.IndexFunc(desired.Outs, func(o config.Out) bool { return o.Node == node })
	if i < 0 {
		return config.Out{}, false
	}
	return desired.Outs[i], true
}

// Outs lists the nodes that a person has taken out, in the order in which they were declared.
func (p Plan) Outs() []config.Out { return p.Request.Desired.Outs }

// strangeOuts warns of nodes that are out and that nobody knows: not declared, in no fleet, not in Kubernetes. Where a
// fleet is unknown, any name may be one of its nodes.
func strangeOuts(r Request, inventory providers.Inventory) (warnings []string) {
	if len(inventory.Unresolved) > 0 {
		return nil
	}
	known := map[string]bool{}
	for _, n := range r.Desired.Nodes {
		known[n.Name] = true
	}
	for _, fleet := range r.World.Fleets {
		for _, name := range fleet.Members {
			known[name] = true
		}
	}
	for _, n := range r.World.Kubernetes.Nodes {
		known[n.Name] = true
	}
	for _, o := range r.Desired.Outs {
		if known[o.Node] {
			continue
		}
		place := ""
		if o.Position.File != "" {
			place = " (" + o.Position.String() + ")"
		}
		warnings = append(warnings, fmt.Sprintf("node %s is out%s, and neither the configuration nor Kubernetes knows a node of that name", o.Node, place))
	}
	return warnings
}
