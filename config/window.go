package config

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// WindowType is the type of the blocks that `window` refers to. The language knows its name alone: like a domain's,
// the block is registered from outside.
const WindowType = "maintenance_window"

// WindowAlways is what `window` says where nothing holds the steps of a block back.
const WindowAlways = "always"

const windowAttribute = "window"

// windowArgument is the argument that names maintenance windows, without a default.
func windowArgument() Attribute {
	return Attribute{
		Name: windowAttribute, Type: cty.List(cty.String), window: true, word: "maintenance_window",
		Doc: "When disruptive steps may begin: `maintenance_window.NAME`, a list of them (any of them will do), or `\"always\"`.",
	}
}

// convertWindow turns what `window` was given into the list of what it names: addresses of windows, or "always"
// alone.
func (c *conformer) convertWindow(v cty.Value, attr *hclsyntax.Attribute) (cty.Value, bool) {
	if !v.IsWhollyKnown() {
		return cty.DynamicVal, false
	}
	given := []cty.Value{v}
	if t := v.Type(); t.IsTupleType() || t.IsListType() || t.IsSetType() {
		given = v.AsValueSlice()
	}
	var names []string
	for _, one := range given {
		name, ok := c.windowName(one, attr)
		if !ok {
			return cty.DynamicVal, false
		}
		if slices.Contains(names, name) {
			c.fail(attr, "Window named twice", "%s stands twice in \"window\". Remove one of them.", name)
			return cty.DynamicVal, false
		}
		names = append(names, name)
	}
	switch {
	case len(names) == 0:
		c.fail(attr, "No window", "\"window\" is an empty list. Name a window, or write window = \"always\".")
		return cty.DynamicVal, false
	case len(names) > 1 && slices.Contains(names, WindowAlways):
		c.fail(attr, "Window expected", "\"always\" stands alone: with it no other window has a meaning.")
		return cty.DynamicVal, false
	}
	out := make([]cty.Value, 0, len(names))
	for _, name := range names {
		out = append(out, cty.StringVal(name))
	}
	return cty.ListVal(out), true
}

// windowName returns what one value of `window` names.
func (c *conformer) windowName(v cty.Value, attr *hclsyntax.Attribute) (string, bool) {
	switch {
	case v.IsNull():
		c.fail(attr, "Window expected", "\"window\" holds null. Name a window, or write window = \"always\".")
	case v.Type().Equals(ReferenceType):
		r := *v.EncapsulatedValue().(*Reference)
		if r.Type == WindowType {
			return r.String(), true
		}
		c.fail(attr, "Window expected", "%s is no window. Write %s.NAME, or \"always\".", r, WindowType)
	case v.Type() == cty.String && v.AsString() == WindowAlways:
		return WindowAlways, true
	case v.Type() == cty.String && namePattern.MatchString(v.AsString()):
		c.fail(attr, "Window expected", "%q is text. Write %s.%s, without quotation marks, or \"always\".", v.AsString(), WindowType, v.AsString())
	case v.Type().IsMapType() && v.Type().ElementType().Equals(ReferenceType):
		c.fail(attr, "Window expected", "The block has for_each, so a key must follow: %s.NAME[\"KEY\"].", WindowType)
	default:
		c.fail(attr, "Window expected", "\"window\" takes %s.NAME, a list of these, or \"always\", and this is %s.", WindowType, article(v.Type().FriendlyName()))
	}
	return "", false
}

// checkWindows reports windows that Load would not have let in.
func checkWindows(names []string, known map[Reference]bool) error {
	for _, name := range names {
		if name == WindowAlways && len(names) == 1 {
			continue
		}
		if !slices.ContainsFunc(windowsIn(known), func(r Reference) bool { return r.String() == name }) {
			return fmt.Errorf("there is no window %q", name)
		}
	}
	return nil
}

func windowsIn(known map[Reference]bool) (out []Reference) {
	for r := range known {
		if r.Type == WindowType {
			out = append(out, r)
		}
	}
	return out
}
