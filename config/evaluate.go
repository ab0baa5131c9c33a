package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// local is one argument of a locals block.
type local struct {
	attr               *hclsyntax.Attribute
	visiting, resolved bool
	value              cty.Value
}

func (l *loader) declareLocals(d *declaration) {
	for _, attr := range sortedAttributes(d.body) {
		if first, ok := l.locals[attr.Name]; ok {
			l.errorAt(attr.NameRange, "Duplicate local value", "local.%s is already set at %s.", attr.Name, l.place(first.attr.NameRange))
			continue
		}
		l.locals[attr.Name] = &local{attr: attr}
	}
}

// resolveAll resolves what nothing may refer to as well, so that every mistake is found.
func (l *loader) resolveAll() {
	for _, name := range slices.Sorted(maps.Keys(l.locals)) {
		l.resolveLocal(name, l.locals[name].attr.NameRange)
	}
	for _, d := range l.declarations {
		l.resolveInstances(d, d.block.DefRange())
	}
	l.validateVariables()
}

// scope returns the variables that the given references need: each is resolved once, and only those. A reference that
// is wrong is reported here and stands for an unknown value, so that evaluation does not report it again.
func (l *loader) scope(references []hcl.Traversal, each bool) *hcl.EvalContext {
	roots := map[string]map[string]cty.Value{}
	whole := map[string]bool{}
	for _, t := range references {
		root := t.RootName()
		if root == "each" && each {
			continue
		}
		name, ok := l.checkReference(t)
		if !ok && name == "" {
			whole[root] = true
			continue
		}
		if roots[root] == nil {
			roots[root] = map[string]cty.Value{}
		}
		switch {
		case !ok:
			roots[root][name] = cty.DynamicVal
		case roots[root][name] == cty.NilVal:
			roots[root][name] = l.resolve(root, name, t.SourceRange())
		}
	}
	ctx := l.functions.NewChild()
	ctx.Variables = map[string]cty.Value{}
	for root, names := range roots {
		ctx.Variables[root] = cty.ObjectVal(names)
	}
	for root := range whole {
		ctx.Variables[root] = cty.DynamicVal
	}
	return ctx
}

// checkReference checks that a reference names something that is declared, and returns the name after its root.
func (l *loader) checkReference(t hcl.Traversal) (name string, ok bool) {
	root := t.RootName()
	at := t.SourceRange()
	if !l.isRoot(root) {
		l.unknownRoot(root, at)
		return "", false
	}
	if len(t) < 2 {
		l.incomplete(root, at)
		return "", false
	}
	name, ok = stepName(t[1])
	if !ok {
		l.incomplete(root, at)
		return "", false
	}
	if !l.isDeclared(root, name) {
		if l.partial {
			return name, false // it may stand in what could not be read, which is reported
		}
		candidates := l.namesUnder(root)
		what := fmt.Sprintf("There is no %s.%s.", root, name)
		if near := suggest(name, candidates); near != "" {
			what += fmt.Sprintf(" Did you mean %s.%s?", root, near)
		} else if len(candidates) == 0 {
			what += " " + howToDeclare(root, name)
		} else {
			what += fmt.Sprintf(" Declared are: %s.", list(candidates))
		}
		l.errorAt(at, "Reference to something not declared", "%s", what)
		return name, false
	}
	if root != "var" && root != "local" && !l.checkSteps(l.byAddress[root+"."+name], t) {
		return name, false
	}
	return name, true
}

func (l *loader) incomplete(root string, at hcl.Range) {
	declared := ""
	if candidates := l.namesUnder(root); len(candidates) > 0 {
		declared = fmt.Sprintf(" Declared are: %s.", list(candidates))
	}
	l.errorAt(at, "Incomplete reference", "%q must be followed by a name: %s.NAME.%s", root, root, declared)
}

// checkSteps checks what follows TYPE.NAME: a for_each key where the block has for_each, and nothing after that.
func (l *loader) checkSteps(d *declaration, t hcl.Traversal) bool {
	rest := t[2:]
	at := t.SourceRange()
	if len(rest) == 0 {
		return true
	}
	if d.forEach != nil {
		key, ok := stepName(rest[0])
		if !ok {
			l.errorAt(at, "Unknown key", "The keys of %s are strings.", d.address())
			return false
		}
		instances := l.resolveInstances(d, at)
		if d.failed || d.visiting {
			return false
		}
		if d.keys == nil {
			d.keys = make(map[string]bool, len(instances))
			for _, i := range instances {
				d.keys[i.key] = true
			}
		}
		if !d.keys[key] {
			l.errorAt(at, "Unknown key", "%s has no key %q.%s", d.address(), key, hint(key, sortedKeys(d.keys), "Its keys are"))
			return false
		}
		rest = rest[1:]
		if len(rest) == 0 {
			return true
		}
	} else if _, index := rest[0].(hcl.TraverseIndex); index {
		l.errorAt(at, "Unknown key", "%s has no for_each, so it has no keys; write %s.", d.address(), d.address())
		return false
	}
	l.errorAt(at, "Reference too long", "Only the block itself can be referred to here, not what is in it; write %s.", spelling(t[:len(t)-len(rest)]))
	return false
}

// isRoot reports whether a reference may begin with a word.
func (l *loader) isRoot(word string) bool {
	if word == "var" || word == "local" {
		return true
	}
	e, ok := l.entries[word]
	return ok && !e.single && !e.unnamed && e.Label != ""
}

// isDeclared reports whether there is something under a root.
func (l *loader) isDeclared(root, name string) bool {
	switch root {
	case "var":
		return l.variables[name] != nil
	case "local":
		return l.locals[name] != nil
	default:
		return l.byAddress[root+"."+name] != nil
	}
}

// namesUnder returns what may follow a root.
func (l *loader) namesUnder(root string) []string {
	switch root {
	case "var":
		return l.variableNames()
	case "local":
		return slices.Sorted(maps.Keys(l.locals))
	}
	var names []string
	for _, d := range l.declarations {
		if d.Name == root {
			names = append(names, d.name)
		}
	}
	return names
}

func howToDeclare(root, name string) string {
	switch root {
	case "var":
		return fmt.Sprintf("Declare it: variable %q { }", name)
	case "local":
		return fmt.Sprintf("Declare it: locals { %s = ... }", name)
	default:
		return fmt.Sprintf("Declare it: %s %q { ... }", root, name)
	}
}

func (l *loader) unknownRoot(root string, at hcl.Range) {
	switch root {
	case "each":
		l.errorAt(at, "each without for_each", "each.key and each.value have a meaning only in the arguments of a block that has for_each.")
	case "variable":
		l.errorAt(at, "Unknown reference", "The value of a variable is written var.NAME.")
	case "locals":
		l.errorAt(at, "Unknown reference", "A local value is written local.NAME.")
	default:
		roots := []string{"var", "local"}
		for name := range l.entries {
			if l.isRoot(name) {
				roots = append(roots, name)
			}
		}
		more := hint(root, roots, "A reference begins with one of")
		if !strings.Contains(more, "Did you mean") {
			more += " If text is meant, put it in quotation marks."
		}
		l.errorAt(at, "Unknown reference", "%q is not allowed here.%s", root, more)
	}
}

// stepName returns the name of a step: .name or ["name"].
func stepName(step hcl.Traverser) (string, bool) {
	switch step := step.(type) {
	case hcl.TraverseAttr:
		return step.Name, true
	case hcl.TraverseIndex:
		if !step.Key.IsNull() && step.Key.IsKnown() && step.Key.Type() == cty.String {
			return step.Key.AsString(), true
		}
	}
	return "", false
}

// spelling returns a reference as it is written.
func spelling(t hcl.Traversal) string {
	var b strings.Builder
	for _, step := range t {
		switch step := step.(type) {
		case hcl.TraverseRoot:
			b.WriteString(step.Name)
		case hcl.TraverseAttr:
			b.WriteString("." + step.Name)
		case hcl.TraverseIndex:
			b.WriteString("[" + spellKey(step.Key) + "]")
		case hcl.TraverseSplat:
			b.WriteString("[*]")
		}
	}
	return b.String()
}

// resolve returns the value of a reference that is known to be declared.
func (l *loader) resolve(root, name string, at hcl.Range) cty.Value {
	switch root {
	case "var":
		return l.variables[name].value
	case "local":
		return l.resolveLocal(name, at)
	}
	d := l.byAddress[root+"."+name]
	instances := l.resolveInstances(d, at)
	switch {
	case d.failed || d.visiting:
		return cty.DynamicVal
	case d.reference == cty.NilVal:
		d.reference = d.referenceTo(instances)
	}
	return d.reference
}

func (l *loader) resolveLocal(name string, at hcl.Range) cty.Value {
	v := l.locals[name]
	switch {
	case v.resolved:
		return v.value
	case v.visiting:
		l.reportCycle("local."+name, at)
		return cty.DynamicVal
	}
	v.visiting = true
	l.stack = append(l.stack, "local."+name)
	v.value = l.evaluate(v.attr.Expr, l.scope(v.attr.Expr.Variables(), false))
	l.stack = l.stack[:len(l.stack)-1]
	v.visiting, v.resolved = false, true
	return v.value
}

// evaluate returns the value of an expression; one that fails is reported and unknown.
func (l *loader) evaluate(expr hclsyntax.Expression, ctx *hcl.EvalContext) cty.Value {
	if l.budget.over != "" {
		return cty.DynamicVal
	}
	l.budget.begin()
	value, diags := expr.Value(ctx)
	if !diags.HasErrors() {
		l.budget.charge(value)
	}
	if len(diags) > 0 && readsSecrets(expr, ctx) {
		diags = withoutValues(diags, ctx)
	}
	diags, over := l.overspent(expr.Range(), diags)
	l.report(diags...)
	if diags.HasErrors() || over || !l.lintEvaluatedKeys(expr, ctx) {
		return cty.DynamicVal
	}
	return value
}

func (l *loader) reportCycle(address string, at hcl.Range) {
	i := slices.Index(l.stack, address)
	cycle := append(slices.Clone(l.stack[i:]), address)
	detail := cycle[0] + " refers to itself."
	if len(cycle) > 2 {
		detail = strings.Join(cycle[:2], " refers to ")
		for _, next := range cycle[2:] {
			detail += ", which refers to " + next
		}
		detail += "."
	}
	l.errorAt(at, "Cycle", "%s A value cannot depend on itself.", detail)
}
