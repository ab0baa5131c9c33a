package planner

import (
	"fmt"
	"slices"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// ignoreEnded is the finding of an ignore block whose last day has passed.
const ignoreEnded = "IGNORE_ENDED"

// Ignored is a finding that a person has accepted for a while. It is shown and not counted.
type Ignored struct {
	Finding providers.Finding `json:"finding"`
	// By is the name of the ignore block; empty: the finding's node is out.
	By       string          `json:"by,omitempty"`
	Reason   string          `json:"reason"`
	Owner    string          `json:"owner"`
	Until    config.Until    `json:"until"`
	Position config.Position `json:"position,omitzero"`
}

// ignoring splits findings into those that count and those that a block accepts at the clock of the request. What is
// unknown counts unless a block names the very node: nobody can accept what was not seen on nodes that nobody thought
// of. Work that is due and could not be planned always counts: an ignore hides no step. What is found on a node that is
// out (Kubernetes calls it not ready, say) never counts.
func ignoring(r Request, findings []providers.Finding) (counted []providers.Finding, ignored []Ignored) {
	counted = make([]providers.Finding, 0, len(findings))
	for _, f := range findings {
		if o, out := outOf(r.Desired, f.Address.Node); out {
			ignored = append(ignored, Ignored{Finding: f, Reason: o.Reason, Owner: o.Owner, Until: o.Until, Position: o.Position})
			continue
		}
		i := slices.IndexFunc(r.Desired.Ignores, func(i config.Ignore) bool { return accepts(r, i, f) || silenced(r, i, f, findings) })
		if i < 0 {
			counted = append(counted, f)
			continue
		}
		by := r.Desired.Ignores[i]
		ignored = append(ignored, Ignored{Finding: f, By: by.Name, Reason: by.Reason, Owner: by.Owner, Until: by.Until, Position: by.Position})
	}
	return counted, ignored
}

func accepts(r Request, i config.Ignore, f providers.Finding) bool {
	return i.Finding == f.ID && !f.Waits && !i.Until.Ended(r.Now) &&
		(len(i.Nodes) == 0 && !f.Unknown || slices.Contains(i.Nodes, f.Address.Node))
}

// silenced reports whether a block accepts that nothing is known of the node of a finding: it then accepts whatever
// else is not known of that node.
func silenced(r Request, i config.Ignore, f providers.Finding, all []providers.Finding) bool {
	node := r.World.Nodes[f.Address.Node]
	return f.Unknown && node != nil && node.Unknown != "" && slices.ContainsFunc(all, func(other providers.Finding) bool {
		return other.Unknown && other.Object == "" && other.Address.Node == f.Address.Node && accepts(r, i, other)
	})
}

// endedIgnores reports the ignore blocks whose last day has passed, in declared order.
func endedIgnores(r Request) ([]providers.Finding, error) {
	var findings []providers.Finding
	for _, i := range r.Desired.Ignores {
		if !i.Until.Ended(r.Now) {
			continue
		}
		address, err := facts.ParseAddress("ignore." + i.Name)
		if err != nil {
			return nil, fmt.Errorf("the name of an ignore block: %w", err)
		}
		findings = append(findings, providers.Finding{
			ID: ignoreEnded, Severity: providers.SeverityWarning, Address: address, Position: i.Position.String(),
			Summary: fmt.Sprintf("held until %s (%q); %s counts again", i.Until, i.Reason, i.Finding),
			Hint:    fmt.Sprintf("ask %s: remove the block, or set a later \"until\"", i.Owner),
		})
	}
	return findings, nil
}
