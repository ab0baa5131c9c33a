package planner

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// CheckOuts returns an error for the first node that was taken out until a day that has passed: whether the node is
// well again, only a person knows.
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

// outOwner is the section of the memory that holds the nodes which were taken out without a configuration file.
var outOwner = providers.Address{Type: "node", Name: "out"}

// outVersion is the version of that section.
const outVersion = 1

type outSection struct {
	Version int          `json:"version"`
	Nodes   []config.Out `json:"nodes"`
}

// RememberedOuts returns the nodes that were taken out by `upkeep node out`, sorted by name.
func RememberedOuts(memory facts.Memory) ([]config.Out, error) {
	var section outSection
	if err := facts.DecodeSection(outOwner, memory.Sections[outOwner], outVersion, &section); err != nil {
		return nil, err
	}
	for _, o := range section.Nodes {
		if err := o.Check(); err != nil {
			return nil, fmt.Errorf("the state's memory of %s cannot be read: %w; put back a copy of the state", outOwner, err)
		}
	}
	return section.Nodes, nil
}

// RememberOuts returns a memory with other nodes taken out; m is not changed.
func RememberOuts(m facts.Memory, outs []config.Out) (facts.Memory, error) {
	if len(outs) == 0 {
		return m.WithSections(facts.Sections{outOwner: nil}), nil
	}
	outs = slices.Clone(outs)
	slices.SortFunc(outs, func(a, b config.Out) int { return strings.Compare(a.Node, b.Node) })
	section, err := json.Marshal(outSection{outVersion, outs})
	if err != nil {
		return m, fmt.Errorf("remembering the nodes that are out: %w", err)
	}
	return m.WithSections(facts.Sections{outOwner: section}), nil
}

// WithOuts returns a desired state with the nodes that the memory knows to be out. What a configuration says of a node
// holds before what the memory says.
func WithOuts(desired config.Desired, memory facts.Memory) (config.Desired, error) {
	outs, err := RememberedOuts(memory)
	if err != nil {
		return desired, err
	}
	for _, o := range outs {
		if _, said := outOf(desired, o.Node); !said {
			desired.Outs = append(slices.Clone(desired.Outs), o)
		}
	}
	return desired, nil
}

// OutSince returns the nodes with steps in a plan that the memory knows to be out, and the plan does not: somebody has
// taken them out since it was made.
func (p Plan) OutSince(memory facts.Memory) ([]config.Out, error) {
	outs, err := RememberedOuts(memory)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(outs, func(o config.Out) bool {
		return !slices.ContainsFunc(p.Steps, func(s providers.Step) bool { return s.Node == o.Node })
	}), nil
}
