package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// typeName returns a type as it is written in a variable's type, or in words where it cannot be written there.
func typeName(t cty.Type) string {
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
		return "list(" + typeName(t.ElementType()) + ")"
	case t.IsSetType():
		return "set(" + typeName(t.ElementType()) + ")"
	case t.IsMapType():
		return "map(" + typeName(t.ElementType()) + ")"
	case t.IsTupleType():
		var parts []string
		for _, e := range t.TupleElementTypes() {
			parts = append(parts, typeName(e))
		}
		return "tuple([" + strings.Join(parts, ", ") + "])"
	case t.IsObjectType():
		var parts []string
		for name, e := range t.AttributeTypes() {
			inner := typeName(e)
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

// message returns what cty says of a failed conversion, with the path to the part that failed.
func message(err error) string {
	var pathError cty.PathError
	if !errors.As(err, &pathError) || len(pathError.Path) == 0 {
		return err.Error()
	}
	var b strings.Builder
	for _, step := range pathError.Path {
		switch step := step.(type) {
		case cty.GetAttrStep:
			b.WriteString("." + step.Name)
		case cty.IndexStep:
			switch {
			case step.Key.IsMarked() || !step.Key.IsKnown() || step.Key.IsNull():
				b.WriteString("[...]")
			case step.Key.Type() == cty.String:
				fmt.Fprintf(&b, "[%q]", step.Key.AsString())
			case step.Key.Type() == cty.Number:
				fmt.Fprintf(&b, "[%s]", step.Key.AsBigFloat().Text('g', -1))
			}
		}
	}
	return "in " + b.String() + ", " + pathError.Error()
}
