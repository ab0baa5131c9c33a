package config

import (
	"math/big"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// largestExponent bounds numbers to what a person could mean: 2^4096 has more than 1,200 digits. Written out, a number
// such as 1e999999999 would fill the memory.
const largestExponent = 4096

// lint finds what the evaluation of expressions does not: HCL keeps the last of duplicate object keys in silence.
func (l *loader) lint(body *hclsyntax.Body) {
	_ = hclsyntax.VisitAll(body, func(node hclsyntax.Node) hcl.Diagnostics {
		switch node := node.(type) {
		case *hclsyntax.ObjectConsExpr:
			l.lintKeys(node)
		case *hclsyntax.LiteralValueExpr:
			l.lintNumber(node)
		}
		return nil
	})
}

func (l *loader) lintKeys(expr *hclsyntax.ObjectConsExpr) {
	pairs, diags := hcl.ExprMap(expr)
	if diags.HasErrors() {
		return
	}
	first := map[string]hcl.Range{}
	for _, pair := range pairs {
		key, diags := pair.Key.Value(nil)
		if diags.HasErrors() || key.IsNull() || !key.IsKnown() || key.Type() != cty.String {
			continue
		}
		word := key.AsString()
		if at, ok := first[word]; ok {
			l.errorAt(pair.Key.Range(), "Duplicate key", "The key %q is already set at %s. Only the last value would count; remove one of them.", word, l.place(at))
			continue
		}
		first[word] = pair.Key.Range()
	}
}

func (l *loader) lintNumber(expr *hclsyntax.LiteralValueExpr) {
	if expr.Val.IsNull() || expr.Val.Type() != cty.Number {
		return
	}
	if e := expr.Val.AsBigFloat().MantExp(new(big.Float)); e > largestExponent || e < -largestExponent {
		l.errorAt(expr.Range(), "Number out of range", "This number is too large or too small to be meant.")
		expr.Val = cty.DynamicVal
	}
}
