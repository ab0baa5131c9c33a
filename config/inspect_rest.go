package config

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// inspectRest reports what a type has to say of those arguments of a block that are right, where others are not: a
// person corrects all of them at once. What it says of the block as one, or of what is wrong anyway, may follow from
// that.
func (l *loader) inspectRest(d *declaration, b Block, attributes map[string]cty.Value) {
	if d.Decode == nil {
		return
	}
	right := map[hcl.Range]bool{}
	for path, r := range b.Ranges {
		name, _, _ := strings.Cut(path, ".")
		if v, ok := attributes[name]; ok && v.IsWhollyKnown() {
			right[r] = true
		}
	}
	for _, a := range d.Schema.Attributes {
		if attributes[a.Name].IsWhollyKnown() {
			continue
		}
		switch {
		case a.Default != cty.NilVal:
			attributes[a.Name] = a.Default
		case a.Required && a.Type == cty.String: // which a type never sees as null
			attributes[a.Name] = cty.StringVal("")
		default:
			attributes[a.Name] = cty.NullVal(a.Type.WithoutOptionalAttributesDeep())
		}
		if a.Sensitive {
			attributes[a.Name] = attributes[a.Name].Mark(sensitiveMark{})
		}
	}
	for _, n := range d.Schema.Blocks {
		if !complete(attributes[n.Name], n) {
			attributes[n.Name] = cty.NullVal(cty.EmptyObject)
			if n.Repeatable {
				attributes[n.Name] = cty.EmptyTupleVal
			}
		}
	}
	if d.registered {
		b.meta = takeMeta(d.BlockType, attributes)
	}
	b.Value = cty.ObjectVal(attributes)
	before := len(l.diags)
	l.checkEmpty(d.Schema, b)
	l.checkNodeNames(d, b)
	if d.registered {
		l.checkSelections(d.Schema, b)
	}
	diags := slices.Clone(l.diags[before:])
	l.diags = l.diags[:before]
	_, more := d.Decode(b)
	diags = append(diags, more...)
	if d.registered {
		_, more := l.metaOf(d, b)
		diags = append(diags, more...)
	}
	for _, diag := range diags {
		if diag.Subject != nil && right[*diag.Subject] {
			l.report(at(d, instance{key: b.Key}, hcl.Diagnostics{diag})...)
		}
	}
}

// complete reports whether a nested block, or each of them, has all that its type counts on.
func complete(v cty.Value, n NestedBlock) bool {
	switch {
	case !v.IsWhollyKnown():
		return false
	case v.IsNull():
		return true
	case n.Repeatable:
		n.Repeatable = false
		for it := v.ElementIterator(); it.Next(); {
			if _, element := it.Element(); !complete(element, n) {
				return false
			}
		}
		return true
	}
	for _, a := range n.Schema.Attributes {
		if a.Required && v.GetAttr(a.Name).IsNull() {
			return false
		}
	}
	for _, inner := range n.Schema.Blocks {
		if value := v.GetAttr(inner.Name); inner.Required && value.IsNull() || !complete(value, inner) {
			return false
		}
	}
	return true
}
