package config

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// decodeAll decodes the language's own blocks, then those of registered types, which may ask for nodes.
func (l *loader) decodeAll() {
	for _, d := range l.declarations {
		if !d.registered {
			l.decode(d)
		}
	}
	l.roles = l.declaredRoles()
	for _, d := range l.declarations {
		if d.registered {
			l.decode(d)
		}
	}
}

// decode evaluates the body of a block once for each of its instances.
func (l *loader) decode(d *declaration) {
	spec := specOf(d.Schema)
	before := len(l.diags)
	ctx := l.scope(l.referencesIn(d), d.forEach != nil)
	broken := l.diags[before:].HasErrors()
	if d.forEach != nil && d.failed {
		return
	}
	for _, i := range d.instances {
		ictx := ctx
		if d.forEach != nil {
			ictx = ctx.NewChild()
			ictx.Variables = map[string]cty.Value{"each": cty.ObjectVal(map[string]cty.Value{"key": cty.StringVal(i.key), "value": i.value})}
		}
		value, diags := hcldec.Decode(d.body, spec, ictx)
		c := conformer{ctx: ictx, registered: d.registered}
		value = c.object(value, d.Schema, d.body)
		diags = append(diags, c.diags...)
		l.report(diags...)
		if diags.HasErrors() || broken || !d.sound {
			continue
		}
		if !knownAll(value) {
			continue // it depends on something that was reported where it failed
		}
		l.accept(d, Block{
			Type: d.Name, Name: d.name, Key: i.key, Value: value,
			DefRange: d.block.DefRange(), Ranges: d.ranges, Directory: l.directory,
		})
	}
}

// knownAll reports whether no part of a value is unknown; marked parts count.
func knownAll(v cty.Value) bool {
	return v.IsWhollyKnown()
}

// accept hands a checked block to its type and enters the outcome into the desired state.
func (l *loader) accept(d *declaration, b Block) {
	if d.Decode == nil {
		return
	}
	value, diags := d.Decode(b)
	l.report(diags...)
	if diags.HasErrors() {
		return
	}
	position := PositionOf(b.DefRange, l.directory)
	switch value := value.(type) {
	case requiredVersion:
		l.desired.RequiredVersion = string(value)
		l.checkVersion(b, string(value))
	case State:
		l.desired.State = value
	case Cluster:
		value.Kubeconfig = expandHome(value.Kubeconfig, l.options.Environ)
		l.desired.Cluster = &value
	case Connection:
		value.KnownHosts, value.Identity, value.SSHConfig = l.path(value.KnownHosts), l.path(value.Identity), l.path(value.SSHConfig)
		l.desired.Connections = append(l.desired.Connections, value)
	case Node:
		l.acceptNode(b, value)
	case Fleet:
		l.desired.Fleets = append(l.desired.Fleets, value)
	default:
		l.checkSelections(d.Schema, b)
		l.desired.Resources = append(l.desired.Resources, Declared{Type: b.Type, Name: b.Name, Key: b.Key, Position: position, Value: value})
	}
}

// referencesIn returns every reference in the body of a block.
func (l *loader) referencesIn(d *declaration) []hcl.Traversal {
	var out []hcl.Traversal
	var walk func(*hclsyntax.Body)
	walk = func(body *hclsyntax.Body) {
		for _, attr := range sortedAttributes(body) {
			out = append(out, attr.Expr.Variables()...)
		}
		for _, block := range body.Blocks {
			walk(block.Body)
		}
	}
	walk(d.body)
	return out
}

// specOf returns the hcldec specification of a schema. Values come back as written; conformer converts them.
func specOf(s Schema) hcldec.Spec {
	spec := hcldec.ObjectSpec{}
	for _, a := range s.Attributes {
		spec[a.Name] = &hcldec.AttrSpec{Name: a.Name, Type: cty.DynamicPseudoType}
	}
	for _, b := range s.Blocks {
		inner := specOf(b.Schema)
		if b.Label != "" {
			inner.(hcldec.ObjectSpec)["label"] = &hcldec.BlockLabelSpec{Index: 0, Name: "label"}
		}
		if b.Repeatable {
			spec[b.Name] = &hcldec.BlockTupleSpec{TypeName: b.Name, Nested: inner}
		} else {
			spec[b.Name] = &hcldec.BlockSpec{TypeName: b.Name, Nested: inner}
		}
	}
	return spec
}

// conformer brings decoded values into the shape of a schema.
type conformer struct {
	ctx        *hcl.EvalContext
	registered bool
	diags      hcl.Diagnostics
}

func (c *conformer) object(v cty.Value, s Schema, body *hclsyntax.Body) cty.Value {
	out := map[string]cty.Value{}
	for _, a := range s.Attributes {
		raw := cty.NullVal(cty.DynamicPseudoType)
		if v.Type().HasAttribute(a.Name) {
			raw = v.GetAttr(a.Name)
		}
		out[a.Name] = c.attribute(raw, a, body.Attributes[a.Name])
	}
	for _, b := range s.Blocks {
		var bodies []*hclsyntax.Body
		for _, block := range body.Blocks {
			if block.Type == b.Name {
				bodies = append(bodies, block.Body)
			}
		}
		nested := v.GetAttr(b.Name)
		if !b.Repeatable {
			if len(bodies) == 0 {
				out[b.Name] = cty.NullVal(cty.EmptyObject)
			} else {
				out[b.Name] = c.nested(nested, b, bodies[0])
			}
			continue
		}
		elements := make([]cty.Value, len(bodies))
		for i := range bodies {
			elements[i] = c.nested(nested.Index(cty.NumberIntVal(int64(i))), b, bodies[i])
		}
		out[b.Name] = listOf(elements)
	}
	return cty.ObjectVal(out)
}

func (c *conformer) nested(v cty.Value, b NestedBlock, body *hclsyntax.Body) cty.Value {
	out := c.object(v, b.Schema, body)
	if b.Label == "" {
		return out
	}
	attributes := out.AsValueMap()
	if attributes == nil {
		attributes = map[string]cty.Value{}
	}
	attributes["label"] = v.GetAttr("label")
	return cty.ObjectVal(attributes)
}

// listOf returns a list where the elements have one type, else a tuple.
func listOf(elements []cty.Value) cty.Value {
	if len(elements) == 0 || slices.ContainsFunc(elements, func(e cty.Value) bool { return !e.Type().Equals(elements[0].Type()) }) {
		return cty.TupleVal(elements)
	}
	return cty.ListVal(elements)
}

// attribute converts one value. attr is nil where the argument is not set.
func (c *conformer) attribute(v cty.Value, a Attribute, attr *hclsyntax.Attribute) cty.Value {
	fallback := cty.NullVal(a.Type.WithoutOptionalAttributesDeep())
	if a.Default != cty.NilVal {
		fallback = a.Default
	}
	if a.Sensitive {
		fallback = fallback.Mark(sensitiveMark{})
	}
	if attr == nil {
		return fallback
	}
	if !a.Sensitive && isSensitive(v) {
		c.fail(attr, "Sensitive value not allowed here", "%q is shown in plans and reports, and this value is sensitive. Use a value that is not sensitive.", a.Name)
		return cty.DynamicVal
	}
	inner, _ := v.Unmark()
	switch {
	case !inner.IsKnown():
		return cty.DynamicVal
	case inner.IsNull() && a.Required:
		c.fail(attr, "Missing value", "%q is null, and a value is needed.", a.Name)
		return cty.DynamicVal
	case inner.IsNull():
		return fallback
	}
	converted, ok := c.convert(v, a, attr)
	if !ok {
		return cty.DynamicVal
	}
	if len(a.OneOf) > 0 && !c.oneOf(converted, a, attr) {
		return cty.DynamicVal
	}
	if a.Sensitive {
		converted = converted.Mark(sensitiveMark{})
	}
	return converted
}

func (c *conformer) convert(v cty.Value, a Attribute, attr *hclsyntax.Attribute) (cty.Value, bool) {
	switch {
	case a.Type.Equals(SelectionType):
		if !v.IsWhollyKnown() {
			return cty.DynamicVal, false
		}
		selection, ok := selectionIn(v)
		if !ok {
			c.fail(attr, "Nodes expected", "%q takes a set of nodes, and this is %s. Write role(\"...\"), node.NAME, node.NAME[\"KEY\"], nodes.NAME, or a list of these.", a.Name, article(v.Type().FriendlyName()))
			return cty.DynamicVal, false
		}
		return cty.CapsuleVal(SelectionType, &selection), true
	case a.Type.Equals(ConnectionType) || a.Type.Equals(ReferenceType):
		if v.Type().Equals(a.Type) {
			return v, true
		}
		if a.Type.Equals(ReferenceType) {
			c.fail(attr, "Reference expected", "%q takes a reference to a block, TYPE.NAME, and this is %s.", a.Name, article(v.Type().FriendlyName()))
			return cty.DynamicVal, false
		}
		wrote := ""
		if v.Type() == cty.String && v.IsKnown() && namePattern.MatchString(v.AsString()) {
			wrote = fmt.Sprintf(" Write connection.%s, without quotation marks.", v.AsString())
		} else if v.Type().IsMapType() && v.Type().ElementType().Equals(ConnectionType) {
			wrote = " The block has for_each, so a key must follow: connection.NAME[\"KEY\"]."
		}
		c.fail(attr, "Connection expected", "%q takes a connection, connection.NAME, and this is %s.%s", a.Name, article(v.Type().FriendlyName()), wrote)
		return cty.DynamicVal, false
	}
	converted, err := convert.Convert(v, a.Type)
	if err != nil {
		c.fail(attr, "Wrong type", "%q must be %s%s.", a.Name, wanted(a.Type), mismatch(err, v.Type(), a.Type))
		return cty.DynamicVal, false
	}
	return converted, true
}

func (c *conformer) oneOf(v cty.Value, a Attribute, attr *hclsyntax.Attribute) bool {
	inner, marks := v.Unmark()
	if !inner.IsKnown() || inner.Type() != cty.String || slices.Contains(a.OneOf, inner.AsString()) {
		return true
	}
	shown := "This value"
	if len(marks) == 0 {
		shown = fmt.Sprintf("%q", inner.AsString())
	}
	if c.registered && a.Name == windowAttribute {
		c.fail(attr, windowSummary, "%s is not a window of this version of upkeep; write window = \"always\".", shown)
		return false
	}
	more := ""
	if near := suggest(inner.AsString(), a.OneOf); near != "" && len(marks) == 0 {
		more = fmt.Sprintf(" Did you mean %q?", near)
	}
	c.fail(attr, "Unknown value", "%s is not a value of %q, which is one of %s.%s", shown, a.Name, quoted(a.OneOf), more)
	return false
}

func (c *conformer) fail(attr *hclsyntax.Attribute, summary, format string, args ...any) {
	c.diags = append(c.diags, &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...),
		Subject: attr.Expr.Range().Ptr(), Context: attr.SrcRange.Ptr(), Expression: attr.Expr, EvalContext: c.ctx,
	})
}
