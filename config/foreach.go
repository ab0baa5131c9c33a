package config

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"upkeep/providers/plain"
)

// resolveInstances returns the instances of a block, sorted by key: one without a key where it has no for_each.
func (l *loader) resolveInstances(d *declaration, at hcl.Range) []instance {
	switch {
	case d.resolved:
		return d.instances
	case d.visiting:
		l.reportCycle(d.address(), at)
		return nil
	case d.forEach == nil:
		d.resolved = true
		d.instances = []instance{{}}
		return d.instances
	}
	d.visiting = true
	l.stack = append(l.stack, d.address())
	before := len(l.diags)
	ctx := l.scope(d.forEach.Variables(), false)
	value := l.evaluate(d.forEach, ctx)
	instances, wrong := instancesOf(value)
	if wrong != "" {
		l.report(&hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Invalid for_each", Detail: wrong,
			Subject: d.forEach.Range().Ptr(), Expression: d.forEach, EvalContext: ctx,
		})
	}
	l.stack = l.stack[:len(l.stack)-1]
	d.visiting, d.resolved = false, true
	d.failed = wrong != "" || !value.IsKnown() || l.diags[before:].HasErrors()
	d.instances = instances
	return instances
}

// instancesOf returns the instances that a for_each value makes, or what is wrong with it. Maps, objects and sets
// iterate in the order of their keys.
func instancesOf(v cty.Value) ([]instance, string) {
	switch {
	case v.IsMarked():
		return nil, "This value is sensitive, and for_each would show it: its keys become part of addresses and reports. Use a value that is not sensitive."
	case !v.IsKnown():
		return nil, "" // reported where it failed
	case v.IsNull():
		return nil, "This value is null. for_each needs a map or a set of strings; for no blocks at all write {}."
	case holdsSelection(v) && !v.CanIterateElements():
		return nil, "This is a set of nodes, which is known only after discovery. for_each needs values from the configuration: a map, or a set of strings."
	}
	t := v.Type()
	isSet := t.IsSetType() && t.ElementType() == cty.String
	switch {
	case isSet || t.IsMapType() || t.IsObjectType():
	case t.IsSetType() && v.LengthInt() == 0:
		return nil, ""
	case t.IsTupleType() || t.IsListType():
		return nil, "This is a list. for_each needs a map or a set of strings, so that every block has a name of its own; for a list of strings write toset([...])."
	default:
		return nil, "This is a " + t.FriendlyName() + ". for_each needs a map or a set of strings."
	}
	if v.LengthInt() > mostInstances {
		return nil, fmt.Sprintf("This makes %d blocks, and for_each makes at most %d.", v.LengthInt(), mostInstances)
	}
	out := make([]instance, 0, v.LengthInt())
	for it := v.ElementIterator(); it.Next(); {
		key, element := it.Element()
		switch {
		case !key.IsKnown():
			return nil, ""
		case key.IsNull():
			return nil, "A key is null. Every key must be a string."
		case key.AsString() == "":
			return nil, "A key is the empty string. Every key must name its block."
		case strings.ContainsFunc(key.AsString(), func(r rune) bool { return !plain.Safe(r) }):
			return nil, "The key " + strconv.QuoteToASCII(key.AsString()) +
				" holds a character that cannot be printed. Keys become part of addresses and reports."
		}
		if isSet {
			element = key
		}
		out = append(out, instance{key: key.AsString(), value: element})
	}
	return out, ""
}

func holdsSelection(v cty.Value) bool { return v.Type().Equals(SelectionType) }

// referenceTo returns what a reference to the block stands for: with for_each a map from its keys, else one value.
func (d *declaration) referenceTo(instances []instance) cty.Value {
	if d.forEach == nil {
		return d.referenceToInstance(instance{})
	}
	if len(instances) == 0 {
		return cty.MapValEmpty(d.referenceToInstance(instance{}).Type())
	}
	values := make(map[string]cty.Value, len(instances))
	for _, i := range instances {
		values[i.key] = d.referenceToInstance(i)
	}
	return cty.MapVal(values)
}

func (d *declaration) referenceToInstance(i instance) cty.Value {
	r := Reference{Type: d.Name, Name: d.name, Key: i.key}
	if d.refer != nil {
		return d.refer(r)
	}
	return cty.CapsuleVal(ReferenceType, &r)
}

// nodeName returns the name of a declared node: its for_each key, else the label of its block.
func nodeName(r Reference) string {
	if r.Key != "" {
		return r.Key
	}
	return r.Name
}
