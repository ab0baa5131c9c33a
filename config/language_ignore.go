package config

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// Ignore is a finding that a person has accepted for a while: it is shown and not counted.
type Ignore struct {
	Name    string `json:"name"`
	Finding string `json:"finding"` // its id
	// Nodes are the nodes that it is about; empty: every node, and what is on no node.
	Nodes    []string `json:"nodes,omitempty"`
	Reason   string   `json:"reason"`
	Owner    string   `json:"owner"`
	Until    Until    `json:"until"`
	Position Position `json:"position,omitzero"`
}

// findingPattern is what the id of a finding looks like.
var findingPattern = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)

func ignoreBlock() entry {
	return entry{unnamed: true, check: checkIgnores, BlockType: BlockType{
		Name:  "ignore",
		Label: "a name for what is ignored",
		Doc:   "Accepts a finding for a while. Reports show it in a section of its own, and it is not counted. An ignore block hides no step, and what is unknown only on nodes that it names. After its last day the finding counts again, and the block itself is a finding (`IGNORE_ENDED`).",
		Example: `ignore "old_copy" {
  finding = "CERT_KUBECONFIG_STALE"
  nodes   = ["cp1"]
  reason  = "nobody uses this copy"
  owner   = "ops"
  until   = "2027-01-31"
}
`,
		Schema: Schema{Attributes: slices.Concat([]Attribute{
			{Name: "finding", Type: cty.String, Required: true, Doc: "The id of the finding, such as `CERT_EXPIRES_SOON`."},
			{Name: "nodes", Type: cty.List(cty.String), Node: true,
				Doc: "Names of the nodes that it is about. Every node where it is not set, and what is on no node."},
		}, exemptionAttributes())},
		Decode: decodeIgnore,
	}}
}

func decodeIgnore(b Block) (any, hcl.Diagnostics) {
	e, diags := exemptionOf(b)
	i := Ignore{
		Name: Reference{Name: b.Name, Key: b.Key}.instance(), Finding: b.String("finding"), Nodes: b.Strings("nodes"),
		Reason: e.reason, Owner: e.owner, Until: e.until, Position: PositionOf(b.DefRange, b.Directory),
	}
	if !findingPattern.MatchString(i.Finding) {
		diags = append(diags, b.Diagnose("finding", "Invalid finding", fmt.Sprintf("%q is not the id of a finding. An id is a word such as CERT_EXPIRES_SOON.", i.Finding)))
	}
	if _, set := b.Ranges["nodes"]; set && !b.attribute("nodes").IsNull() && len(i.Nodes) == 0 {
		diags = append(diags, b.Diagnose("nodes", "Empty set of nodes", "There is no node in this list, so the block would do nothing. Name some nodes, or remove the argument."))
	}
	return i, diags
}

func (i Ignore) enter(l *loader, b Block) {
	if known := l.options.Findings; known != nil && !slices.Contains(known, i.Finding) {
		l.report(b.Diagnose("finding", "Unknown finding", fmt.Sprintf("There is no finding %q.%s", i.Finding, hint(i.Finding, known, "Findings are"))))
	}
	l.desired.Ignores = append(l.desired.Ignores, i)
}

func checkIgnores(d Desired) error {
	seen := map[string]bool{}
	for _, i := range d.Ignores {
		if seen[i.Name] || i.Name == "" || !findingPattern.MatchString(i.Finding) {
			return fmt.Errorf("ignore %q: the name is empty or occurs twice, or %q is not the id of a finding", i.Name, i.Finding)
		}
		seen[i.Name] = true
		if err := (exemption{i.Reason, i.Owner, i.Until}).check(); err != nil {
			return fmt.Errorf("ignore %q: %w", i.Name, err)
		}
	}
	return nil
}
