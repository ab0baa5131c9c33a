package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// namePattern is what a block may be called: what an address can name.
var namePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// collect goes over every block of every file: its type, its labels, its structure.
func (l *loader) collect() {
	for _, body := range l.files {
		l.lint(body)
		boundBody(body, l.functions.Functions)
		for _, attr := range sortedAttributes(body) {
			detail := "An argument stands inside a block."
			if owners := l.ownersOf(attr.Name); len(owners) > 0 {
				detail += fmt.Sprintf(" %q is an argument of: %s.", attr.Name, list(owners))
			} else if near := suggest(attr.Name, l.typeNames()); near != "" || l.entries[attr.Name].Name != "" {
				detail += fmt.Sprintf(" To write a block, leave out the equals sign: %s { ... }", firstOf(near, attr.Name))
			}
			l.errorAt(attr.NameRange, "Argument outside of a block", "%s", detail)
		}
		for _, block := range body.Blocks {
			l.collectBlock(block)
		}
	}
}

// ownersOf returns the block types that have an argument.
func (l *loader) ownersOf(argument string) []string {
	var owners []string
	for name, e := range l.entries {
		if hasAttribute(e.Schema, argument) {
			owners = append(owners, name)
		}
	}
	return owners
}

func firstOf(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}

func (l *loader) typeNames() []string {
	var names []string
	for name := range l.entries {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (l *loader) collectBlock(block *hclsyntax.Block) {
	e, known := l.entries[block.Type]
	switch {
	case !known:
		l.errorAt(block.TypeRange, "Unknown block type", "There is no block type %q.%s", block.Type, hint(block.Type, l.typeNames(), "Block types are"))
		return
	}
	d := &declaration{entry: e, block: block, sound: true, ranges: map[string]hcl.Range{}}
	if !l.checkLabel(e.Name, e.Label, e.names, block) {
		d.sound = false
	} else if e.Label != "" {
		d.name = block.Labels[0]
	}
	body := block.Body
	if attr, ok := body.Attributes["for_each"]; ok && !hasAttribute(e.Schema, "for_each") && !e.Schema.AnyName {
		body = without(body, "for_each")
		if e.plain {
			d.sound = false
			l.errorAt(attr.NameRange, "for_each not possible here", "for_each makes several blocks, and a %s block describes one thing only.", e.Name)
		} else {
			d.forEach = attr.Expr
			d.ranges["for_each"] = attr.Expr.Range()
		}
	}
	var sound bool
	d.body, sound = l.prune(body, e.Schema, aBlock(e.Name), block.DefRange(), "", d.ranges)
	d.sound = d.sound && sound
	l.admit(d)
}

// checkLabel checks a block's labels against what its type wants: one that names allows, or none.
func (l *loader) checkLabel(word, label string, names *regexp.Regexp, block *hclsyntax.Block) bool {
	if names == nil {
		names = namePattern
	}
	switch {
	case label == "" && len(block.Labels) > 0:
		l.errorAt(block.LabelRanges[0], "Unexpected label", "%s has no label; write %s { ... }", aBlock(word), word)
	case label != "" && len(block.Labels) == 0:
		l.errorAt(block.TypeRange, "Missing label", "%s needs a label (%s); write %s \"%s\" { ... }", aBlock(word), brief(label), word, exampleLabel(label))
	case label != "" && len(block.Labels) > 1:
		l.errorAt(block.LabelRanges[1], "Unexpected label", "%s has one label (%s).", aBlock(word), brief(label))
	case label != "" && !names.MatchString(block.Labels[0]):
		l.errorAt(block.LabelRanges[0], "Invalid name", "%q is not a name. A name begins with a letter or underscore and has only letters, digits, underscores and hyphens.", block.Labels[0])
	default:
		return true
	}
	return false
}

// brief returns the first part of a label's description.
func brief(label string) string {
	first, _, _ := strings.Cut(label, ";")
	return first
}

func exampleLabel(label string) string {
	switch {
	case label == backendLabel:
		return "local"
	case strings.HasPrefix(label, "the name of a node"):
		return "gpu7"
	}
	return "main"
}

// admit enters a declaration into the loader's lists, where it is not there yet.
func (l *loader) admit(d *declaration) {
	if d.declare != nil {
		d.declare(l, d)
		return
	}
	key := d.address()
	if d.single {
		key = d.Name
	} else if d.name == "" {
		return
	}
	if first, ok := l.byAddress[key]; ok {
		what := aBlock(d.Name)
		if !d.single {
			what += fmt.Sprintf(" named %q", d.name)
		}
		l.errorAt(d.block.DefRange(), "Duplicate "+d.Name+" block", "%s is already declared at %s.", what, l.place(first.block.DefRange()))
		return
	}
	l.byAddress[key] = d
	l.declarations = append(l.declarations, d)
}

// itemRanges puts the ranges of the items of an object under their paths, at any depth. Keys that are computed have none.
func itemRanges(expr hclsyntax.Expression, path string, ranges map[string]hcl.Range) {
	object, ok := expr.(*hclsyntax.ObjectConsExpr)
	if !ok {
		return
	}
	for _, item := range object.Items {
		key, diags := item.KeyExpr.Value(nil)
		if diags.HasErrors() || key.IsNull() || !key.IsKnown() || key.Type() != cty.String {
			continue
		}
		ranges[path+key.AsString()] = hcl.RangeBetween(item.KeyExpr.Range(), item.ValueExpr.Range())
		itemRanges(item.ValueExpr, path+key.AsString()+".", ranges)
	}
}

// prune checks a body against a schema and returns a copy that holds only what the schema knows, so that decoding finds
// the mistakes that are left. The ranges of its arguments go into ranges under their paths.
func (l *loader) prune(body *hclsyntax.Body, s Schema, what string, header hcl.Range, path string, ranges map[string]hcl.Range) (*hclsyntax.Body, bool) {
	sound := true
	meant := map[string]bool{} // a word that was misspelt is not missing as well
	out := &hclsyntax.Body{Attributes: hclsyntax.Attributes{}, SrcRange: body.SrcRange, EndRange: body.EndRange}
	for _, attr := range sortedAttributes(body) {
		switch {
		case hasAttribute(s, attr.Name) || s.AnyName:
			out.Attributes[attr.Name] = attr
			ranges[path+attr.Name] = attr.Expr.Range()
			itemRanges(attr.Expr, path+attr.Name+".", ranges)
		case hasBlock(s, attr.Name):
			sound = false
			l.errorAt(attr.NameRange, "Block expected", "%q is a block, not an argument; leave out the equals sign: %s { ... }", attr.Name, attr.Name)
		default:
			sound = false
			meant[suggest(attr.Name, namesIn(s))] = true
			l.errorAt(attr.NameRange, "Unknown argument", "%s has no argument %q.%s", what, attr.Name, hint(attr.Name, namesIn(s), "It takes"))
		}
	}
	count := map[string]int{}
	first := map[string]*hclsyntax.Block{}
	for _, block := range body.Blocks {
		nested, ok := findBlock(s, block.Type)
		switch {
		case !ok && hasAttribute(s, block.Type):
			sound = false
			l.errorAt(block.TypeRange, "Argument expected", "%q is an argument, not a block; write %s = ...", block.Type, block.Type)
			continue
		case !ok:
			sound = false
			meant[suggest(block.Type, namesIn(s))] = true
			l.errorAt(block.TypeRange, "Unknown block", "%s has no block %q.%s", what, block.Type, hint(block.Type, namesIn(s), "It takes"))
			continue
		case count[block.Type] > 0 && !nested.Repeatable:
			sound = false
			l.errorAt(block.DefRange(), "Duplicate block", "%s takes one %s block; the first is at %s.", what, block.Type, l.place(first[block.Type].DefRange()))
			continue
		}
		if !l.checkLabel(nested.Name, nested.Label, nil, block) {
			sound = false
			continue
		}
		inner := path + block.Type
		if nested.Repeatable {
			inner = fmt.Sprintf("%s.%d", inner, count[block.Type])
		}
		ranges[inner] = block.DefRange()
		if count[block.Type] == 0 {
			first[block.Type] = block
		}
		count[block.Type]++
		copied := *block
		innerBody, innerSound := l.prune(block.Body, nested.Schema, aBlock(block.Type), block.DefRange(), inner+".", ranges)
		copied.Body = innerBody
		sound = sound && innerSound
		out.Blocks = append(out.Blocks, &copied)
	}
	var missing []Attribute
	for _, a := range s.Attributes {
		if _, set := body.Attributes[a.Name]; a.Required && !set && !meant[a.Name] && !hasBlockNamed(body, a.Name) {
			missing = append(missing, a)
		}
	}
	if len(missing) > 0 {
		sound = false
		l.errorAt(header, "Missing argument", "%s needs %s.", what, notSet(missing))
	}
	for _, b := range s.Blocks {
		if _, set := body.Attributes[b.Name]; b.Required && count[b.Name] == 0 && !set && !meant[b.Name] && !hasBlockNamed(body, b.Name) {
			sound = false
			l.errorAt(header, "Missing block", "%s needs a %s { ... } block.", what, b.Name)
		}
	}
	return out, sound
}

// notSet says which arguments are missing, all of them at once.
func notSet(missing []Attribute) string {
	names := make([]string, len(missing))
	for i, a := range missing {
		names[i] = a.Name
	}
	switch last := missing[len(missing)-1]; {
	case len(missing) > 1:
		return quoted(names[:len(names)-1]) + " and " + quoted(names[len(names)-1:]) + ", which are not set"
	case len(last.OneOf) > 0:
		return quoted(names) + ", which is not set; it is one of " + quoted(last.OneOf)
	default:
		return quoted(names) + ", which is not set"
	}
}

// aBlock names a block at the beginning of a sentence: "A node block", "An out block".
func aBlock(word string) string {
	name := article(word)
	return strings.ToUpper(name[:1]) + name[1:] + " block"
}

func hasAttribute(s Schema, name string) bool {
	return slices.ContainsFunc(s.Attributes, func(a Attribute) bool { return a.Name == name })
}

func findBlock(s Schema, name string) (NestedBlock, bool) {
	i := slices.IndexFunc(s.Blocks, func(b NestedBlock) bool { return b.Name == name })
	if i < 0 {
		return NestedBlock{}, false
	}
	return s.Blocks[i], true
}

func hasBlock(s Schema, name string) bool {
	_, ok := findBlock(s, name)
	return ok
}

func hasBlockNamed(body *hclsyntax.Body, name string) bool {
	return slices.ContainsFunc(body.Blocks, func(b *hclsyntax.Block) bool { return b.Type == name })
}

func namesIn(s Schema) []string {
	var names []string
	for _, a := range s.Attributes {
		names = append(names, a.Name)
	}
	for _, b := range s.Blocks {
		names = append(names, b.Name)
	}
	return names
}

// without returns the body less one attribute.
func without(body *hclsyntax.Body, name string) *hclsyntax.Body {
	out := &hclsyntax.Body{Attributes: hclsyntax.Attributes{}, Blocks: body.Blocks, SrcRange: body.SrcRange, EndRange: body.EndRange}
	for n, attr := range body.Attributes {
		if n != name {
			out.Attributes[n] = attr
		}
	}
	return out
}

// sortedAttributes returns the attributes of a body in the order they stand in.
func sortedAttributes(body *hclsyntax.Body) []*hclsyntax.Attribute {
	var out []*hclsyntax.Attribute
	for _, attr := range body.Attributes {
		out = append(out, attr)
	}
	slices.SortFunc(out, func(a, b *hclsyntax.Attribute) int { return a.NameRange.Start.Byte - b.NameRange.Start.Byte })
	return out
}
