package config

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// TypeName returns a type as written in a variable's type, or in words where it cannot be written there.
func TypeName(t cty.Type) string {
	switch {
	case t == cty.String:
		return "string"
	case t == cty.Number:
		return "number"
	case t == cty.Bool:
		return "bool"
	case t == cty.DynamicPseudoType:
		return "any"
	case t.IsCapsuleType():
		return t.FriendlyName()
	case t.IsListType():
		return "list(" + TypeName(t.ElementType()) + ")"
	case t.IsSetType():
		return "set(" + TypeName(t.ElementType()) + ")"
	case t.IsMapType():
		return "map(" + TypeName(t.ElementType()) + ")"
	case t.IsTupleType():
		var parts []string
		for _, e := range t.TupleElementTypes() {
			parts = append(parts, TypeName(e))
		}
		return "tuple([" + strings.Join(parts, ", ") + "])"
	case t.IsObjectType():
		var parts []string
		for name, e := range t.AttributeTypes() {
			inner := TypeName(e)
			if t.AttributeOptional(name) {
				inner = "optional(" + inner + ")"
			}
			parts = append(parts, name+" = "+inner)
		}
		slices.Sort(parts)
		return "object({ " + strings.Join(parts, ", ") + " })"
	default:
		return t.FriendlyName()
	}
}

// article puts "a" or "an" before a noun.
func article(noun string) string {
	if strings.ContainsAny(noun[:1], "aeiou") {
		return "an " + noun
	}
	return "a " + noun
}

// wanted returns a type for "must be ...".
func wanted(t cty.Type) string {
	switch t {
	case cty.Bool:
		return "true or false"
	case cty.DynamicPseudoType:
		return "a value"
	default:
		return article(TypeName(t))
	}
}

// mismatch says, after "must be ...", why a conversion failed.
func mismatch(err error, got, want cty.Type) string {
	var pathError cty.PathError
	if errors.As(err, &pathError) && len(pathError.Path) > 0 {
		return ": " + spellPath(pathError.Path) + ": " + pathError.Error()
	}
	if got == cty.String && want == cty.Number {
		return ", and this string is not; write only digits and a point, such as 1.5"
	}
	if got == cty.String && want.IsPrimitiveType() {
		return ", and this string is not"
	}
	if got.IsPrimitiveType() || want.IsPrimitiveType() || got.IsCapsuleType() {
		return ", and this is " + article(got.FriendlyName())
	}
	return ": " + err.Error()
}

// spellPath returns the way to a part of a value: .name or ["key"].
func spellPath(path cty.Path) string {
	var b strings.Builder
	for _, step := range path {
		switch step := step.(type) {
		case cty.GetAttrStep:
			b.WriteString("." + step.Name)
		case cty.IndexStep:
			b.WriteString("[" + spellKey(step.Key) + "]")
		}
	}
	return b.String()
}

// spellKey returns an index as written.
func spellKey(key cty.Value) string {
	switch {
	case key.IsMarked() || !key.IsKnown() || key.IsNull():
		return "..."
	case key.Type() == cty.String:
		return strconv.Quote(key.AsString())
	case key.Type() == cty.Number:
		return key.AsBigFloat().Text('g', -1)
	default:
		return "..."
	}
}
