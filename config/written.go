package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"upkeep/providers/plain"
)

// checkElements reports, for any argument, what a value of the right type must not hold: null in a list or set, and
// text that would drive a terminal or hide. It is one rule for every block type, so that none has to remember it. What
// has no type of its own, as the values of a chart, is not judged: null has a meaning there.
func (c *conformer) checkElements(v cty.Value, a Attribute, attr *hclsyntax.Attribute) bool {
	if a.Type == cty.DynamicPseudoType || a.window || v.Type().IsCapsuleType() {
		return true
	}
	before := len(c.diags)
	_ = cty.Walk(v, func(path cty.Path, element cty.Value) (bool, error) {
		element, marks := element.Unmark()
		at, where := elementAt(attr, path), elementName(a.Name, path)
		switch {
		case !element.IsKnown():
			return false, nil
		case element.IsNull() && inList(path):
			c.failAt(attr, at, "Null element", "%s is null. Write a value, or remove the element.", where)
			return false, nil
		case element.IsNull() || element.Type() != cty.String || len(marks) > 0 || a.Sensitive:
			return true, nil // a secret is compared byte by byte, and never shown
		}
		if r, bad := unprintable(element.AsString(), a.Lines); bad {
			c.failAt(attr, at, "Unprintable character", "%s holds %s. %s", where, r, remedy(r))
		}
		return true, nil
	})
	return len(c.diags) == before
}

// inList reports whether a path leads to an element of a list or set. Null in a map or an object means that the key is
// not there, so that a condition can leave it out.
func inList(path cty.Path) bool {
	if len(path) == 0 {
		return false
	}
	index, ok := path[len(path)-1].(cty.IndexStep)
	return ok && (index.Key.Type() != cty.String || index.Key.IsNull()) // an element of a set is its own key
}

// unprintable names the first character that no name, path or line may hold.
func unprintable(text string, lines bool) (string, bool) {
	for _, r := range text {
		switch {
		case plain.Safe(r), lines && (r == '\n' || r == '\t'):
		case r == '\n':
			return "a line break", true
		case r == '\t':
			return "a tab", true
		default:
			return "the character " + plain.Escape(r), true
		}
	}
	return "", false
}

func remedy(character string) string {
	if character == "a line break" {
		return "Write one line. trimspace(...) removes line breaks at the ends of a text."
	}
	return "Write the value without this character."
}

// elementAt returns where an element stands in the text; where it is not written out, where its argument stands.
func elementAt(attr *hclsyntax.Attribute, path cty.Path) hcl.Range {
	var expr hcl.Expression = attr.Expr
	for _, step := range path {
		index, ok := step.(cty.IndexStep)
		if !ok {
			break
		}
		inner := elementOf(expr, index.Key)
		if inner == nil {
			break
		}
		expr = inner
	}
	return expr.Range()
}

func elementOf(expr hcl.Expression, key cty.Value) hcl.Expression {
	switch {
	case !key.IsKnown() || key.IsNull():
	case key.Type() == cty.Number:
		items, diags := hcl.ExprList(expr)
		if i, _ := key.AsBigFloat().Int64(); !diags.HasErrors() && i >= 0 && i < int64(len(items)) {
			return items[i]
		}
	case key.Type() == cty.String:
		pairs, diags := hcl.ExprMap(expr)
		if diags.HasErrors() {
			return nil
		}
		for _, pair := range slices.Backward(pairs) {
			if k, wrong := pair.Key.Value(nil); !wrong.HasErrors() && k.RawEquals(key) {
				return pair.Value
			}
		}
	}
	return nil
}

// elementName names an argument, or one of its elements: "kubeconfigs"[1].
func elementName(argument string, path cty.Path) string {
	var out strings.Builder
	out.WriteString(strconv.Quote(argument))
	for _, step := range path {
		switch step := step.(type) {
		case cty.GetAttrStep:
			out.WriteString("." + step.Name)
		case cty.IndexStep:
			if step.Key.IsKnown() && !step.Key.IsNull() && (step.Key.Type() == cty.Number || step.Key.Type() == cty.String) {
				out.WriteString("[" + plain.Line(spellKey(step.Key)) + "]")
			} else {
				return "An element of " + strconv.Quote(argument)
			}
		}
	}
	return out.String()
}

func (c *conformer) failAt(attr *hclsyntax.Attribute, at hcl.Range, summary, format string, args ...any) {
	c.diags = append(c.diags, &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...), Subject: &at, Context: attr.SrcRange.Ptr(),
	})
}

// holdsNull reports whether a value, or an element of it at any depth, is null.
func holdsNull(v cty.Value) bool {
	found := false
	_ = cty.Walk(v, func(_ cty.Path, element cty.Value) (bool, error) {
		found = found || element.IsNull()
		return !found && element.IsKnown() && !element.IsNull(), nil
	})
	return found
}

// withoutNulls returns a map without the keys that are null, so that no type has to know of them.
func withoutNulls(v cty.Value) cty.Value {
	inner, marks := v.Unmark()
	if !inner.Type().IsMapType() || !inner.IsKnown() || inner.IsNull() {
		return v
	}
	kept := inner.AsValueMap()
	maps.DeleteFunc(kept, func(_ string, element cty.Value) bool { return element.IsNull() })
	if len(kept) == 0 {
		return cty.MapValEmpty(inner.Type().ElementType()).WithMarks(marks)
	}
	return cty.MapVal(kept).WithMarks(marks)
}
