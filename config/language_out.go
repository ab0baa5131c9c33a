package config

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
)

// Out is a node that a person has taken out: it is not asked, nothing is planned for it, and every report shows it.
type Out struct {
	Node     string   `json:"node"`
	Reason   string   `json:"reason"`
	Owner    string   `json:"owner"`
	Until    Until    `json:"until"`
	Position Position `json:"position,omitzero"` // empty where `upkeep node out` said it
}

func outBlock() entry {
	return entry{unnamed: true, names: nodeNamePattern, check: checkOuts, BlockType: BlockType{
		Name:  "out",
		Label: "the name of a node; with `for_each` a name for the group, and the keys are the nodes' names",
		Doc:   "Takes a node out for a while: a dead one, or one that somebody else works on. The node is not asked and nothing is planned for it. Every plan and report shows the node, and it changes no exit code. After its last day the block is an error. `upkeep node out` does the same without a configuration file.",
		Example: `out "gpu7" {
  reason = "RMA 1234"
  owner  = "ops"
  until  = "2027-01-31"
}
`,
		Schema: Schema{Attributes: exemptionAttributes()},
		Decode: func(b Block) (any, hcl.Diagnostics) {
			e, diags := exemptionOf(b)
			name := nodeName(Reference{Name: b.Name, Key: b.Key})
			if !nodeNamePattern.MatchString(name) {
				diags = append(diags, b.Diagnose("for_each", "Invalid node name", fmt.Sprintf("%q is not the name of a node.", name)))
			}
			return Out{Node: name, Reason: e.reason, Owner: e.owner, Until: e.until, Position: PositionOf(b.DefRange, b.Directory)}, diags
		},
	}}
}

func (o Out) enter(l *loader, b Block) {
	for _, first := range l.desired.Outs {
		if first.Node == o.Node {
			l.report(b.Diagnose("", "Duplicate out block", fmt.Sprintf("The node %q is already out at %s.", o.Node, first.Position)))
			return
		}
	}
	l.desired.Outs = append(l.desired.Outs, o)
	l.later = append(l.later, func() { l.checkDeclared(b, "", o.Node) })
}

// Check reports what no out block would have said: a name that no node can have, a missing reason or owner, a bad date.
func (o Out) Check() error {
	if !nodeNamePattern.MatchString(o.Node) {
		return fmt.Errorf("%q is not the name of a node", o.Node)
	}
	if err := (exemption{o.Reason, o.Owner, o.Until}).check(); err != nil {
		return fmt.Errorf("node %s: %w", o.Node, err)
	}
	return nil
}

func checkOuts(d Desired) error {
	seen := map[string]bool{}
	for _, o := range d.Outs {
		if seen[o.Node] {
			return fmt.Errorf("out %q: it occurs twice", o.Node)
		}
		seen[o.Node] = true
		if err := o.Check(); err != nil {
			return err
		}
	}
	return nil
}
