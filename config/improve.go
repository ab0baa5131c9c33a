package config

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// improve adds to the messages of HCL what this package knows and HCL does not: the words that would have been right.
func (l *loader) improve(d *hcl.Diagnostic) *hcl.Diagnostic {
	switch expr := d.Expression.(type) {
	case *hclsyntax.FunctionCallExpr:
		if _, known := l.functions.Functions[expr.Name]; !known {
			var names []string
			for name := range l.functions.Functions {
				if namePattern.MatchString(name) {
					names = append(names, name)
				}
			}
			out := *d
			out.Summary = "Unknown function"
			out.Detail = fmt.Sprintf("There is no function %q.%s", expr.Name, hint(expr.Name, names, "Functions are"))
			return &out
		}
	case *hclsyntax.ScopeTraversalExpr:
		if d.Summary != "Unsupported attribute" {
			return d
		}
		for i := 1; i < len(expr.Traversal); i++ {
			step, ok := expr.Traversal[i].(hcl.TraverseAttr)
			v, found := lookUp(expr.Traversal[:i], d.EvalContext)
			if !ok || !found || !v.Type().IsObjectType() || v.Type().HasAttribute(step.Name) {
				continue
			}
			var names []string
			for name := range v.Type().AttributeTypes() {
				names = append(names, name)
			}
			out := *d
			out.Detail = fmt.Sprintf("%s has no attribute %q.%s", spelling(expr.Traversal[:i]), step.Name, hint(step.Name, names, "It has"))
			return &out
		}
	}
	return d
}

// withoutEchoes leaves out the errors that the scanner reports again on every line after a missing quotation mark.
func withoutEchoes(diags hcl.Diagnostics) hcl.Diagnostics {
	var out hcl.Diagnostics
	open := false
	for _, d := range diags {
		echo := d.Summary == "Invalid multi-line string" || d.Summary == "Unterminated template string"
		if echo && open {
			continue
		}
		open = open || echo
		out = append(out, d)
	}
	return out
}
