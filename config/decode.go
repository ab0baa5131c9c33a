package config

import (
	"fmt"
	"maps"
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
	l.settleDefaults()
	for _, ask := range l.later {
		ask()
	}
	l.roles = l.declaredRoles()
	for _, d := range l.declarations {
		if d.registered {
			l.decode(d)
		}
	}
}

// decode evaluates the body of a block for each of its instances. What does not depend on each.key or each.value is
// evaluated once, however many instances there are.
func (l *loader) decode(d *declaration) {
	if l.budget.over != "" {
		return
	}
	before := len(l.diags)
	ctx := l.scope(referencesIn(d.body), d.forEach != nil)
	broken := l.diags[before:].HasErrors() || !d.sound
	if d.forEach != nil && d.failed || len(d.instances) == 0 {
		return
	}
	same, sameSchema, varying, varyingSchema := splitByEach(d.body, d.Schema)
	c := conformer{loader: l}
	fixed := c.decode(same, sameSchema, specOf(sameSchema), ctx)
	l.report(c.diags...)
	broken = broken || c.diags.HasErrors() || !knownIn(fixed)
	spec := specOf(varyingSchema)
	for _, i := range d.instances {
		ictx := ctx
		if d.forEach != nil {
			ictx = ctx.NewChild()
			ictx.Variables = map[string]cty.Value{"each": cty.ObjectVal(map[string]cty.Value{"key": cty.StringVal(i.key), "value": i.value})}
		}
		c := conformer{loader: l}
		attributes := c.decode(varying, varyingSchema, spec, ictx)
		l.report(at(d, i, c.diags)...)
		if l.budget.over != "" {
			return
		}
		wrong := broken || c.diags.HasErrors() || !knownIn(attributes)
		maps.Copy(attributes, fixed)
		b := Block{
			Type: d.Name, Name: d.name, Key: i.key, DefRange: d.block.DefRange(), Ranges: d.ranges, Directory: l.directory, reach: l.reach,
		}
		if wrong { // or it depends on something that was reported where it failed
			l.inspectRest(d, b, attributes)
			continue
		}
		if d.registered {
			b.meta = takeMeta(d.BlockType, attributes)
		}
		b.Value = cty.ObjectVal(attributes)
		l.accept(d, b)
	}
}

// splitByEach divides a body, and its schema with it, into what is the same for every instance of a block and what
// refers to each.key or each.value.
func splitByEach(body *hclsyntax.Body, s Schema) (same *hclsyntax.Body, sameSchema Schema, varying *hclsyntax.Body, varyingSchema Schema) {
	same = &hclsyntax.Body{Attributes: hclsyntax.Attributes{}, SrcRange: body.SrcRange, EndRange: body.EndRange}
	varying = &hclsyntax.Body{Attributes: hclsyntax.Attributes{}, SrcRange: body.SrcRange, EndRange: body.EndRange}
	for _, a := range s.Attributes {
		attr, set := body.Attributes[a.Name]
		if set && mentionsEach(attr.Expr.Variables()) {
			varying.Attributes[a.Name] = attr
			varyingSchema.Attributes = append(varyingSchema.Attributes, a)
			continue
		}
		if set {
			same.Attributes[a.Name] = attr
		}
		sameSchema.Attributes = append(sameSchema.Attributes, a)
	}
	for _, b := range s.Blocks {
		var blocks hclsyntax.Blocks
		mentions := false
		for _, block := range body.Blocks {
			if block.Type == b.Name {
				blocks = append(blocks, block)
				mentions = mentions || mentionsEach(referencesIn(block.Body))
			}
		}
		if mentions {
			varying.Blocks = append(varying.Blocks, blocks...)
			varyingSchema.Blocks = append(varyingSchema.Blocks, b)
		} else {
			same.Blocks = append(same.Blocks, blocks...)
			sameSchema.Blocks = append(sameSchema.Blocks, b)
		}
	}
	return same, sameSchema, varying, varyingSchema
}

func mentionsEach(references []hcl.Traversal) bool {
	return slices.ContainsFunc(references, func(t hcl.Traversal) bool { return t.RootName() == "each" })
}

// knownIn reports whether no part of the values is unknown.
func knownIn(attributes map[string]cty.Value) bool {
	for _, v := range attributes {
		if !v.IsWhollyKnown() {
			return false
		}
	}
	return true
}

// part is what a block of the language itself decodes to. It enters itself into the desired state.
type part interface {
	enter(l *loader, b Block)
}

// accept hands a checked block to its type and enters the outcome into the desired state.
func (l *loader) accept(d *declaration, b Block) {
	if d.Decode == nil {
		return
	}
	value, diags := d.Decode(b)
	l.report(at(d, instance{key: b.Key}, diags)...)
	wrong := diags.HasErrors()
	l.besides(diags, func() { l.checkEmpty(d.Schema, b) })
	l.checkNodeNames(d, b)
	if !d.registered {
		if own, ok := value.(part); ok && !wrong {
			own.enter(l, b)
		}
		return
	}
	l.besides(diags, func() { l.checkSelections(d.Schema, b) })
	meta, diags := l.metaOf(d, b)
	l.report(at(d, instance{key: b.Key}, diags)...)
	if wrong {
		return
	}
	l.own(d, b, value)
	l.desired.Resources = append(l.desired.Resources, Declared{
		Type: b.Type, Name: b.Name, Key: b.Key, Position: PositionOf(b.DefRange, l.directory), Meta: meta, Value: value,
	})
}

// besides runs a check, and leaves out what it says of a place of which something is said already.
func (l *loader) besides(said hcl.Diagnostics, check func()) {
	before := len(l.diags)
	check()
	kept := l.diags[:before]
	for _, d := range l.diags[before:] {
		same := func(s *hcl.Diagnostic) bool { return s.Subject != nil && d.Subject != nil && *s.Subject == *d.Subject }
		if !slices.ContainsFunc(said, same) {
			kept = append(kept, d)
		}
	}
	l.diags = kept
}

// referencesIn returns every reference in a body.
func referencesIn(body *hclsyntax.Body) []hcl.Traversal {
	var out []hcl.Traversal
	for _, attr := range sortedAttributes(body) {
		out = append(out, attr.Expr.Variables()...)
	}
	for _, block := range body.Blocks {
		out = append(out, referencesIn(block.Body)...)
	}
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
	loader *loader
	ctx    *hcl.EvalContext
	diags  hcl.Diagnostics
}

// decode evaluates a body and returns its parts in the shape of the schema.
func (c *conformer) decode(body *hclsyntax.Body, s Schema, spec hcldec.Spec, ctx *hcl.EvalContext) map[string]cty.Value {
	c.ctx = ctx
	c.loader.budget.begin()
	value, diags := hcldec.Decode(body, spec, ctx)
	diags, _ = c.loader.overspent(body.SrcRange, diags)
	c.diags = append(c.diags, diags...)
	return c.object(value, s, body)
}

func (c *conformer) object(v cty.Value, s Schema, body *hclsyntax.Body) map[string]cty.Value {
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
	return out
}

func (c *conformer) nested(v cty.Value, b NestedBlock, body *hclsyntax.Body) cty.Value {
	out := c.object(v, b.Schema, body)
	if b.Label != "" {
		out["label"] = v.GetAttr("label")
	}
	return cty.ObjectVal(out)
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
	if !c.loader.budget.charge(v) || a.Type == cty.Number && longText(inner) && !c.loader.budget.spend(largestResult+1) {
		diags, _ := c.loader.overspent(attr.Expr.Range(), nil)
		c.diags = append(c.diags, diags...)
		return cty.DynamicVal
	}
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
	if len(a.OneOf) > 0 && !c.oneOf(converted, a, attr) || !c.checkElements(converted, a, attr) {
		return cty.DynamicVal
	}
	converted = withoutNulls(converted)
	if a.Sensitive && converted.IsMarked() && a.Type == cty.DynamicPseudoType {
		converted = deeplyMarked(converted)
	}
	if a.Sensitive {
		converted = converted.Mark(sensitiveMark{})
	}
	return converted
}

func (c *conformer) convert(v cty.Value, a Attribute, attr *hclsyntax.Attribute) (cty.Value, bool) {
	switch {
	case a.window:
		return c.convertWindow(v, attr)
	case a.Type.Equals(SelectionType):
		if !v.IsWhollyKnown() {
			return cty.DynamicVal, false
		}
		selection, ok := selectionIn(v)
		if !ok && holdsNull(v) {
			c.fail(attr, "Null element", "%q holds null. Name nodes, or remove the element.", a.Name)
			return cty.DynamicVal, false
		}
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
	if v.Type().Equals(a.Type) {
		return v, true
	}
	if a.Type == cty.String && v.Type() == cty.Bool {
		c.fail(attr, "Wrong type", "%q must be a string, and this is a bool. Write text in quotation marks.", a.Name)
		return cty.DynamicVal, false
	}
	if boolForText(v.Type(), a.Type) {
		c.fail(attr, "Wrong type", "%q must be %s, and this has a bool. Write text in quotation marks.", a.Name, wanted(a.Type))
		return cty.DynamicVal, false
	}
	converted, err := convert.Convert(v, a.Type)
	if err != nil {
		c.fail(attr, "Wrong type", "%q must be %s%s.", a.Name, wanted(a.Type), mismatch(err, v.Type(), a.Type))
		return cty.DynamicVal, false
	}
	return converted, true
}

// boolForText reports whether a list, set or map of strings gets a bool, which cty would turn into the text "true".
func boolForText(got, want cty.Type) bool {
	if !want.IsCollectionType() || want.ElementType() != cty.String {
		return false
	}
	isBool := func(t cty.Type) bool { return t == cty.Bool }
	switch {
	case got.IsCollectionType():
		return isBool(got.ElementType())
	case got.IsTupleType():
		return slices.ContainsFunc(got.TupleElementTypes(), isBool)
	case got.IsObjectType():
		return slices.ContainsFunc(slices.Collect(maps.Values(got.AttributeTypes())), isBool)
	}
	return false
}

func (c *conformer) oneOf(v cty.Value, a Attribute, attr *hclsyntax.Attribute) bool {
	inner, marks := v.Unmark()
	if !inner.IsKnown() || inner.Type() != cty.String || slices.Contains(a.OneOf, inner.AsString()) {
		return true
	}
	shown := "This value"
	if len(marks) == 0 && !a.Sensitive {
		shown = fmt.Sprintf("%q", inner.AsString())
	}
	more := ""
	if near := suggest(inner.AsString(), a.OneOf); near != "" && len(marks) == 0 && !a.Sensitive {
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
