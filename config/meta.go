package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// Meta is what a block says of the steps that it plans, whatever its type is. These arguments are the language's, as
// Terraform's lifecycle is: no type declares or reads them.
type Meta struct {
	// Windows are the addresses of the windows in which disruptive steps may begin, or "always" alone. Empty: the block
	// says nothing.
	Windows []string `json:"windows,omitempty"`
	// Without are the guards that the block's steps do not ask for, sorted by guard.
	Without []Waiver `json:"without,omitempty"`
}

// Waiver is a guard that a block does not ask for.
type Waiver struct {
	Guard    string   `json:"guard"`  // "backup"
	Reason   string   `json:"reason"` // the operator's
	Position Position `json:"position,omitzero"`
}

// Waives returns the waiver of a guard; false where the block asks for it.
func (m Meta) Waives(guard string) (Waiver, bool) {
	i := slices.IndexFunc(m.Without, func(w Waiver) bool { return w.Guard == guard })
	if i < 0 {
		return Waiver{}, false
	}
	return m.Without[i], true
}

// Names of the meta-arguments.
const (
	withoutAttribute = "without"
	// guardNoneAttribute is the older spelling of the reason for the guard backup, the only one that it was ever about. It
	// is read for one more version.
	guardNoneAttribute = "guard_none"
	guardNoneGuard     = "backup"
)

// metaAttributes are the arguments of every block of a registered type whose steps may need some guards.
func metaAttributes(guards []string) []Attribute {
	window := windowArgument()
	window.Doc += " Without it the one of the `defaults` block. A block that can interrupt something needs one of them."
	without := Attribute{
		Name: withoutAttribute, Type: cty.Map(cty.String), Lines: true,
		Doc: "Guards that the steps of this block do not wait for. The steps of this block wait for no guard.",
	}
	if len(guards) == 0 {
		return []Attribute{window, without}
	}
	without.Doc = fmt.Sprintf("Guards that the steps of this block do not wait for, each with the reason: `without = { %s = \"REASON\" }`. "+
		"Every plan shows them. Guards of this block: `%s`.", guards[0], strings.Join(guards, "`, `"))
	out := []Attribute{window, without}
	if slices.Contains(guards, guardNoneGuard) {
		out = append(out, Attribute{
			Name: guardNoneAttribute, Type: cty.String, Lines: true,
			Doc: fmt.Sprintf("Deprecated: the older spelling of `without = { %s = \"REASON\" }`.", guardNoneGuard),
		})
	}
	return out
}

// registeredEntry is what the language knows of a registered type: its own arguments, then those of every type.
func registeredEntry(t BlockType) entry {
	if !t.NoSteps {
		t.Schema.Attributes = slices.Concat(t.Schema.Attributes, metaAttributes(t.Guards))
	}
	return entry{BlockType: t, registered: true}
}

// WithMetaArguments returns registered types with the arguments that every one of them has, as a configuration may
// write them.
func WithMetaArguments(types []BlockType) []BlockType {
	out := make([]BlockType, 0, len(types))
	for _, t := range types {
		out = append(out, registeredEntry(t).BlockType)
	}
	return out
}

// takeMeta takes the meta-arguments of a type out of a block's values.
func takeMeta(t BlockType, attributes map[string]cty.Value) cty.Value {
	if t.NoSteps {
		return cty.EmptyObjectVal
	}
	meta := map[string]cty.Value{}
	for _, a := range metaAttributes(t.Guards) {
		meta[a.Name] = attributes[a.Name]
		delete(attributes, a.Name)
	}
	return cty.ObjectVal(meta)
}

// metaOf decodes the meta-arguments of a block.
func (l *loader) metaOf(d *declaration, b Block) (Meta, hcl.Diagnostics) {
	if d.NoSteps {
		return Meta{}, nil
	}
	b.Value = b.meta
	m := Meta{Windows: b.Strings(windowAttribute)}
	if len(m.Windows) == 0 {
		m.Windows = l.defaults.windows
	}
	var diags hcl.Diagnostics
	waived := b.StringMap(withoutAttribute)
	for _, guard := range slices.Sorted(maps.Keys(waived)) {
		reason, at := waived[guard], b.Item(withoutAttribute, guard)
		switch reason = strings.TrimSpace(reason); {
		case !slices.Contains(d.Guards, guard):
			diags = append(diags, b.Diagnose(at, "Unknown guard", unknownGuard(d, guard)))
		case reason == "":
			diags = append(diags, b.Diagnose(at, "No reason", fmt.Sprintf("%q is waived without a reason. Write the reason, or remove the guard from \"without\".", guard)))
		default:
			m.Without = append(m.Without, Waiver{Guard: guard, Reason: reason, Position: b.Position(at)})
		}
	}
	return m, append(diags, l.guardNone(d, b, &m)...)
}

func unknownGuard(d *declaration, guard string) string {
	if len(d.Guards) == 0 {
		return fmt.Sprintf("The steps of a %s block wait for no guard, so \"without\" has no meaning here. Remove %q.", d.Name, guard)
	}
	return fmt.Sprintf("The steps of a %s block wait for no guard %q.%s", d.Name, guard, hint(guard, d.Guards, "Guards are"))
}

// guardNone reads the older spelling of a waiver, and says how to write it now.
func (l *loader) guardNone(d *declaration, b Block, m *Meta) hcl.Diagnostics {
	if _, set := b.Ranges[guardNoneAttribute]; !set || b.attribute(guardNoneAttribute).IsNull() {
		return nil
	}
	reason := strings.TrimSpace(b.String(guardNoneAttribute))
	_, both := b.Ranges[withoutAttribute]
	switch {
	case both:
		return hcl.Diagnostics{b.Diagnose(guardNoneAttribute, "Two spellings of one thing", "\"guard_none\" is the older spelling of \"without\", and both are set. Remove \"guard_none\".")}
	case reason == "":
		return hcl.Diagnostics{b.Diagnose(guardNoneAttribute, "No reason", fmt.Sprintf("%q is empty. Write the reason, or remove the argument.", guardNoneAttribute))}
	}
	m.Without = append(m.Without, Waiver{Guard: guardNoneGuard, Reason: reason, Position: b.Position(guardNoneAttribute)})
	warning := b.Diagnose(guardNoneAttribute, "Deprecated argument", fmt.Sprintf(
		"The next version of upkeep does not read \"guard_none\". Write instead:\n%s = { %s = %s }", withoutAttribute, guardNoneGuard, l.written(d, guardNoneAttribute)))
	warning.Severity = hcl.DiagWarning
	return hcl.Diagnostics{warning}
}

// written returns the expression of an argument as it is written.
func (l *loader) written(d *declaration, name string) string {
	attr, ok := d.body.Attributes[name]
	if !ok {
		return "\"REASON\""
	}
	r := attr.Expr.Range()
	return string(r.SliceBytes(l.sources[r.Filename].Bytes))
}

// StringMap returns a map of strings without the elements that are null.
func (b Block) StringMap(name string) map[string]string {
	v := b.attribute(name)
	if v.IsNull() {
		return nil
	}
	out := map[string]string{}
	for key, element := range v.AsValueMap() {
		if !element.IsNull() {
			out[key] = element.AsString()
		}
	}
	return out
}

// check reports meta-arguments that Load would not have let in.
func (m Meta) check(t BlockType) error {
	seen := map[string]bool{}
	for _, w := range m.Without {
		switch {
		case seen[w.Guard] || !slices.Contains(t.Guards, w.Guard):
			return fmt.Errorf("the guard %q is unknown or waived twice", w.Guard)
		case strings.TrimSpace(w.Reason) == "":
			return fmt.Errorf("the guard %q is waived without a reason", w.Guard)
		}
		seen[w.Guard] = true
	}
	return nil
}
