package config

import "github.com/hashicorp/hcl/v2"

// located says which instance of a block a diagnostic is about, since its place is the same for all of them.
type located struct {
	address string
	inner   any
}

// UnwrapDiagnosticExtra implements hcl.DiagnosticExtraUnwrapper.
func (l located) UnwrapDiagnosticExtra() any { return l.inner }

// at returns the diagnostics with the instance they are about, where the block has several.
func at(d *declaration, i instance, diags hcl.Diagnostics) hcl.Diagnostics {
	if d.forEach == nil {
		return diags
	}
	address := Reference{Type: d.Name, Name: d.name, Key: i.key}.String()
	for _, diag := range diags {
		diag.Extra = located{address: address, inner: diag.Extra}
	}
	return diags
}
