package config

import (
	"fmt"
	"math/big"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// What the expressions of a configuration may cost. A file that another person wrote must not fill the memory, nor keep
// a machine busy.
const (
	// largestResult bounds what one expression, and each part of one, comes to, in bytes.
	largestResult = 16 << 20
	// largestTotal bounds what all expressions of a configuration make on their way, in bytes.
	largestTotal = 128 << 20
	// longestEvaluation bounds one expression.
	longestEvaluation = 10 * time.Second
	// mostInstances bounds for_each.
	mostInstances = 10000
	// longestNumber bounds the text that becomes a number: reading one takes time that grows with its square.
	longestNumber = 4096
	// valueCost is what a value costs beside its text, in bytes.
	valueCost = 64
)

// The functions that bound puts around parts of expressions. No file can call them: these are no names.
const (
	measure  = "\x00measure"
	operand  = "\x00operand" // measure for what becomes a number
	tooLarge = "The result of this expression is larger than %d MiB. Nothing in a configuration needs that much."
)

// budget is what the evaluation of a configuration may still cost. Once it is over, evaluation comes to unknown values
// at once.
type budget struct {
	now      func() time.Time
	spent    int64
	deadline time.Time
	// over says what was too much; empty: nothing.
	over string
}

// begin gives an expression its time.
func (b *budget) begin() { b.deadline = b.now().Add(longestEvaluation) }

// charge takes the cost of a value, and reports whether evaluation may go on.
func (b *budget) charge(v cty.Value) bool { return b.spend(costOf(v, largestResult)) }

// spend takes a cost, of something that one expression makes.
func (b *budget) spend(cost int64) bool {
	b.spent += cost
	switch {
	case b.over != "":
	case cost > largestResult:
		b.over = fmt.Sprintf(tooLarge, largestResult>>20)
	case b.spent > largestTotal:
		b.over = fmt.Sprintf("All expressions of this configuration together make more than %d MiB of values; this is where it becomes too much.", largestTotal>>20)
	case b.now().After(b.deadline):
		b.over = fmt.Sprintf("This expression takes longer than %s to evaluate.", longestEvaluation)
	}
	return b.over == ""
}

// costOf returns about how many bytes a value takes where nothing in it is shared, and stops counting above most.
func costOf(v cty.Value, most int64) int64 {
	v, _ = v.Unmark()
	cost := int64(valueCost)
	switch {
	case v == cty.NilVal || v.IsNull() || !v.IsKnown():
	case v.Type() == cty.String:
		cost += int64(len(v.AsString()))
	case v.Type() == cty.Number:
		if e := v.AsBigFloat().MantExp(new(big.Float)); e > 16*largestExponent || e < -16*largestExponent {
			return most + 1 // written out it has that many digits
		}
	case v.CanIterateElements():
		for it := v.ElementIterator(); it.Next() && cost <= most; {
			key, element := it.Element()
			if v.Type().IsMapType() || v.Type().IsObjectType() {
				cost += costOf(key, most-cost)
			}
			cost += costOf(element, most-cost)
		}
	}
	return cost
}

// hooks returns the functions that bound puts into expressions. They return what they are given, and something unknown
// once the budget is over.
func (b *budget) hooks() map[string]function.Function {
	pass := func(check func(cty.Value) bool) function.Function {
		return function.New(&function.Spec{
			Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowMarked: true, AllowDynamicType: true}},
			Type:   func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
			Impl: func(args []cty.Value, typ cty.Type) (cty.Value, error) {
				if !check(args[0]) {
					return cty.UnknownVal(typ), nil
				}
				return args[0], nil
			},
		})
	}
	return map[string]function.Function{
		measure: pass(b.charge),
		operand: pass(func(v cty.Value) bool {
			if inner, _ := v.Unmark(); longText(inner) {
				return b.spend(largestResult + 1)
			}
			return b.charge(v)
		}),
	}
}

// longText reports whether a value is a text that is no number that anybody meant.
func longText(v cty.Value) bool {
	return v.Type() == cty.String && v.IsKnown() && !v.IsNull() && len(v.AsString()) > longestNumber
}

// bound puts the budget's hooks around those parts of expressions that are evaluated many times or become part of
// something larger: HCL itself can neither be stopped nor limited.
func bound(body hclsyntax.Node, functions map[string]function.Function) {
	around := func(hook string, expr hclsyntax.Expression) hclsyntax.Expression {
		switch literal := expr.(type) {
		case *hclsyntax.LiteralValueExpr:
			return expr
		case *hclsyntax.TemplateExpr:
			if literal.IsStringLiteral() {
				return expr
			}
		}
		start := expr.StartRange()
		return &hclsyntax.FunctionCallExpr{Name: hook, Args: []hclsyntax.Expression{expr}, NameRange: start, OpenParenRange: start, CloseParenRange: expr.Range()}
	}
	_ = hclsyntax.VisitAll(body, func(node hclsyntax.Node) hcl.Diagnostics {
		switch node := node.(type) {
		case *hclsyntax.ForExpr:
			node.CollExpr, node.ValExpr = around(measure, node.CollExpr), around(measure, node.ValExpr)
			if node.KeyExpr != nil {
				node.KeyExpr = around(measure, node.KeyExpr)
			}
		case *hclsyntax.TemplateExpr:
			for i, part := range node.Parts {
				node.Parts[i] = around(measure, part)
			}
		case *hclsyntax.BinaryOpExpr:
			node.LHS, node.RHS = around(operand, node.LHS), around(operand, node.RHS)
		case *hclsyntax.UnaryOpExpr:
			node.Val = around(operand, node.Val)
		case *hclsyntax.FunctionCallExpr:
			if node.Name == measure || node.Name == operand {
				return nil
			}
			for i, arg := range node.Args {
				hook := measure
				if f, known := functions[node.Name]; known && parameterOf(f, i) == cty.Number {
					hook = operand
				}
				node.Args[i] = around(hook, arg)
			}
		}
		return nil
	})
}

// parameterOf returns the type of a function's parameter; cty.NilType where it has none there.
func parameterOf(f function.Function, i int) cty.Type {
	switch params := f.Params(); {
	case i < len(params):
		return params[i].Type
	case f.VarParam() != nil:
		return f.VarParam().Type
	}
	return cty.NilType
}

// boundBody is bound for all of a body but types, which are no expressions.
func boundBody(body *hclsyntax.Body, functions map[string]function.Function) {
	for _, attr := range body.Attributes {
		bound(attr, functions)
	}
	for _, block := range body.Blocks {
		inner := block.Body
		if block.Type == "variable" {
			inner = without(inner, "type")
		}
		boundBody(inner, functions)
	}
}

// constant evaluates an expression of a file of variables, in which nothing can be called or referred to.
func (l *loader) constant(expr hclsyntax.Expression) (cty.Value, hcl.Diagnostics) {
	var ctx *hcl.EvalContext
	_ = hclsyntax.VisitAll(expr, func(node hclsyntax.Node) hcl.Diagnostics {
		if _, loop := node.(*hclsyntax.ForExpr); loop && ctx == nil {
			ctx = &hcl.EvalContext{Functions: l.budget.hooks()}
		}
		return nil
	})
	if ctx != nil {
		bound(expr, nil)
	}
	l.budget.begin()
	value, diags := expr.Value(ctx)
	if !diags.HasErrors() {
		l.budget.charge(value)
	}
	if more, over := l.overspent(expr.Range(), diags); over {
		return cty.DynamicVal, more
	}
	return value, diags
}

// overspent reports what was too much, once, in place of what HCL says of values that the budget made unknown.
func (l *loader) overspent(at hcl.Range, diags hcl.Diagnostics) (hcl.Diagnostics, bool) {
	if l.budget.over == "" {
		return diags, false
	}
	if l.budgetReported {
		return nil, true
	}
	l.budgetReported = true
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Expression too large", Detail: l.budget.over, Subject: &at}}, true
}
