package config

import (
	"math/big"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
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

const (
	duplicateKey = "Duplicate key"
	onlyTheLast  = "Only the last value would count; remove one of them."
)

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
			l.errorAt(pair.Key.Range(), duplicateKey, "The key %q is already set at %s. "+onlyTheLast, word, l.place(at))
			continue
		}
		first[word] = pair.Key.Range()
	}
}

// lintEvaluatedKeys is lintKeys for keys that are known only with the values that they name, and reports whether each
// stands once. Keys that a `for` makes are HCL's own matter.
func (l *loader) lintEvaluatedKeys(expr hclsyntax.Expression, ctx *hcl.EvalContext) bool {
	once := true
	_ = hclsyntax.VisitAll(expr, func(node hclsyntax.Node) hcl.Diagnostics {
		object, is := node.(*hclsyntax.ObjectConsExpr)
		if !is {
			return nil
		}
		literals, evaluated := map[string]hcl.Range{}, map[string]hcl.Range{}
		for _, item := range object.Items {
			word, literal, marked, ok := keyOf(item.KeyExpr, ctx)
			if !ok {
				continue
			}
			at, twice := evaluated[word]
			if !literal && !twice {
				at, twice = literals[word]
			}
			switch {
			case twice && marked:
				l.errorAt(item.KeyExpr.Range(), duplicateKey, "This key is already set at %s. "+onlyTheLast, l.place(at))
			case twice:
				l.errorAt(item.KeyExpr.Range(), duplicateKey, "The key %q is already set at %s. "+onlyTheLast, word, l.place(at))
			case literal:
				literals[word] = item.KeyExpr.Range()
			default:
				evaluated[word] = item.KeyExpr.Range()
			}
			once = once && !twice
		}
		return nil
	})
	return once
}

// keyOf returns what a key of an object is, whether it is one without any value, and whether it is sensitive.
func keyOf(expr hclsyntax.Expression, ctx *hcl.EvalContext) (word string, literal, marked, ok bool) {
	key, diags := expr.Value(nil)
	if literal = !diags.HasErrors(); !literal {
		if key, diags = expr.Value(ctx); diags.HasErrors() {
			return "", false, false, false
		}
	}
	key, marks := key.Unmark()
	key, err := convert.Convert(key, cty.String)
	if err != nil || !key.IsKnown() || key.IsNull() {
		return "", false, false, false
	}
	return key.AsString(), literal, len(marks) > 0, true
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
