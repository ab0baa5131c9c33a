package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// variable is one variable block.
type variable struct {
	name     string
	declared *declaration
	// typ is the type constraint; typed is false where none is written.
	typ      cty.Type
	typed    bool
	defaults *typeexpr.Defaults
	// fallback is the default; cty.NilVal where a value must be given.
	fallback            cty.Value
	sensitive, nullable bool
	// value is DynamicVal where the variable has none, which was then reported.
	value cty.Value
}

// declareVariable reads a variable block. Its arguments are constants; only its validations may refer to values.
func (l *loader) declareVariable(d *declaration) {
	if d.name == "" {
		return
	}
	if first, ok := l.variables[d.name]; ok {
		l.errorAt(d.block.DefRange(), "Duplicate variable block", "The variable %q is already declared at %s.", d.name, l.place(first.declared.block.DefRange()))
		return
	}
	v := &variable{name: d.name, declared: d, typ: cty.DynamicPseudoType, nullable: true, value: cty.DynamicVal}
	l.variables[d.name] = v
	sound := true
	if attr, ok := d.body.Attributes["type"]; ok {
		typ, defaults, diags := typeexpr.TypeConstraintWithDefaults(attr.Expr)
		l.report(diags...)
		if diags.HasErrors() {
			sound = false
		} else {
			v.typ, v.defaults, v.typed = typ, defaults, true
		}
	}
	v.sensitive = l.constantBool(d.body, "sensitive", false)
	v.nullable = l.constantBool(d.body, "nullable", true)
	l.constantString(d.body, "description")
	if attr, ok := d.body.Attributes["default"]; ok {
		value := l.evaluate(attr.Expr, &hcl.EvalContext{Functions: l.functions.Functions})
		fallback := cty.DynamicVal
		if sound && value.IsKnown() {
			fallback = l.fit(v, assigned{value: value, source: "its default", at: attr.Expr.Range()})
		}
		v.fallback = fallback
	}
}

// assignVariables gives every variable its value.
func (l *loader) assignVariables() {
	given := l.assignments()
	names := l.variableNames()
	slices.Sort(names)
	for _, name := range names {
		v := l.variables[name]
		a, ok := given[name]
		switch {
		case ok && a.value == cty.NilVal:
			v.value = l.fit(v, l.parseText(v, a))
		case ok:
			v.value = l.fit(v, a)
		case v.fallback != cty.NilVal:
			v.value = v.fallback
		case l.valuesPartial: // it may be given where the file could not be read
		default:
			l.errorAt(v.declared.block.DefRange(), "No value for a variable",
				"The variable %q has no default, so it needs a value: -var '%s=...', a file named by -var-file or ending in %s, or the environment variable %s%s.",
				name, name, VariablesSuffix, environmentPrefix, name)
		}
		if v.sensitive {
			v.value = v.value.Mark(sensitiveMark{})
		}
	}
}

// parseText reads a value given as text: the text itself where a string, number or bool is wanted, else an expression.
func (l *loader) parseText(v *variable, a assigned) assigned {
	if !v.typed || v.typ.IsPrimitiveType() {
		a.value = cty.StringVal(a.text)
		return a
	}
	name := fmt.Sprintf("<value of var.%s>", v.name)
	if found, over := tooMuch([]byte(a.text), name); over {
		l.report(found.in(fmt.Sprintf("the value of %q, given by %s", v.name, a.source)))
		a.value = cty.DynamicVal
		return a
	}
	expr, diags := hclsyntax.ParseExpression([]byte(a.text), name, hcl.InitialPos)
	var value cty.Value
	if !diags.HasErrors() {
		var more hcl.Diagnostics
		value, more = l.constant(expr)
		diags = append(diags, more...)
	}
	a.value = value
	if !diags.HasErrors() {
		return a
	}
	a.value = cty.DynamicVal
	if v.sensitive {
		l.report(problem("Invalid value for a variable", fmt.Sprintf("The value of %q, given by %s, is not an expression. It must be a constant of type %s.", v.name, a.source, TypeName(v.typ))))
		return a
	}
	l.sources[name] = &hcl.File{Bytes: []byte(a.text)}
	l.report(diags...)
	return a
}

// fit converts a value to the type of its variable.
func (l *loader) fit(v *variable, a assigned) cty.Value {
	value := a.value
	if !value.IsKnown() {
		return cty.DynamicVal
	}
	if value.IsNull() && !v.nullable {
		if v.fallback != cty.NilVal {
			return v.fallback
		}
		l.misfit(v, a, "; null is not allowed, for the variable has nullable = false")
		return cty.DynamicVal
	}
	if v.defaults != nil {
		value = v.defaults.Apply(value)
	}
	converted, err := convert.Convert(value, v.typ)
	if err != nil {
		l.misfit(v, a, mismatch(err, value.Type(), v.typ))
		return cty.DynamicVal
	}
	return converted
}

// misfit reports a value of the wrong type; of a sensitive value the declaration is
// shown, not the value.
func (l *loader) misfit(v *variable, a assigned, why string) {
	d := problem("Invalid value for a variable", fmt.Sprintf("The value of %q, given by %s, must be %s%s.", v.name, a.source, wanted(v.typ), why))
	switch {
	case v.sensitive:
		d.Subject = v.declared.block.DefRange().Ptr()
	case a.at.Filename != "":
		d.Subject = a.at.Ptr()
	}
	l.report(d)
}

// validateVariables evaluates the validation blocks.
func (l *loader) validateVariables() {
	names := l.variableNames()
	slices.Sort(names)
	for _, name := range names {
		v := l.variables[name]
		for _, block := range v.declared.body.Blocks {
			l.validate(v, block.Body)
		}
	}
}

func (l *loader) validate(v *variable, body *hclsyntax.Body) {
	condition, text := body.Attributes["condition"], body.Attributes["error_message"]
	if condition == nil || text == nil {
		return // reported as missing
	}
	ctx := l.scope(append(condition.Expr.Variables(), text.Expr.Variables()...), false)
	result, _ := l.evaluate(condition.Expr, ctx).Unmark()
	if !result.IsKnown() {
		return
	}
	result, err := convert.Convert(result, cty.Bool)
	if err != nil || result.IsNull() {
		l.errorAt(condition.Expr.Range(), "Invalid condition", "A condition must be true or false.")
		return
	}
	explanation := l.evaluate(text.Expr, ctx)
	if isSensitive(explanation) {
		l.errorAt(text.Expr.Range(), "Sensitive value not allowed here", "The message would show a sensitive value. Leave it out.")
		return
	}
	if !explanation.IsKnown() {
		return
	}
	if explanation, err = convert.Convert(explanation, cty.String); err != nil || explanation.IsNull() {
		l.errorAt(text.Expr.Range(), "Invalid error message", "error_message must be a string.")
		return
	}
	if strings.TrimSpace(explanation.AsString()) == "" {
		l.errorAt(text.Expr.Range(), "Invalid error message", "error_message is empty. Say what is wrong with a value that breaks the condition.")
		return
	}
	if !result.True() {
		l.report(&hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Invalid value for a variable", Detail: explanation.AsString(),
			Subject: condition.Expr.Range().Ptr(), Expression: condition.Expr, EvalContext: ctx,
		})
	}
}

// constantBool returns an argument that must be true or false as written.
func (l *loader) constantBool(body *hclsyntax.Body, name string, fallback bool) bool {
	attr, ok := body.Attributes[name]
	if !ok {
		return fallback
	}
	value := l.evaluate(attr.Expr, nil)
	if !value.IsKnown() {
		return fallback
	}
	if value.IsNull() || value.Type() != cty.Bool {
		l.errorAt(attr.Expr.Range(), "Wrong type", "%q must be true or false.", name)
		return fallback
	}
	return value.True()
}

func (l *loader) constantString(body *hclsyntax.Body, name string) {
	attr, ok := body.Attributes[name]
	if !ok {
		return
	}
	value := l.evaluate(attr.Expr, nil)
	if value.IsKnown() && (value.IsNull() || value.Type() != cty.String) {
		l.errorAt(attr.Expr.Range(), "Wrong type", "%q must be a string.", name)
	}
}
