package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// lookUp returns the value of a reference in a context; false where it has none.
func lookUp(t hcl.Traversal, ctx *hcl.EvalContext) (cty.Value, bool) {
	if ctx == nil || t.IsRelative() {
		return cty.NilVal, false
	}
	v, diags := t.TraverseAbs(ctx)
	if diags.HasErrors() {
		return cty.NilVal, false
	}
	return v, true
}
