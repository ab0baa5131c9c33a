package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty/function"
)

// generatedNotice heads every generated page.
const generatedNotice = "<!-- Generated from the block types of the program; change them there, not here. -->\n\n"

// ReferencePages returns the pages of docs/reference by file name: one for each block type, the language's own and the
// given ones, one for the functions, and the index README.md. The same types give the same bytes.
func ReferencePages(types []BlockType) map[string][]byte {
	pages := map[string][]byte{}
	var index bytes.Buffer
	index.WriteString(generatedNotice + "# Reference\n\n")
	index.WriteString("A configuration is every file of a directory that ends in `.upkeep.hcl`. These are its blocks:\n\n")
	index.WriteString("| Block | |\n|---|---|\n")
	for _, e := range entriesOf(types) {
		pages[e.Name+".md"] = blockPage(e)
		fmt.Fprintf(&index, "| [`%s`](%s.md) | %s |\n", e.Name, e.Name, cell(firstSentence(e.Doc)))
	}
	index.WriteString("\nExpressions may call [functions](functions.md). `upkeep schema -json` has the same for programs.\n")
	pages["functions.md"] = functionsPage(functions(reach{}))
	pages["README.md"] = index.Bytes()
	return pages
}

func blockPage(e entry) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s# %s\n\n%s\n", generatedNotice, e.Name, e.Doc)
	if e.Label != "" {
		fmt.Fprintf(&b, "\nLabel: %s.\n", e.Label)
	}
	if e.Example != "" {
		fmt.Fprintf(&b, "\n```hcl\n%s\n```\n", strings.TrimRight(e.Example, "\n"))
	}
	writeBody(&b, e.Schema, "##", !e.plain)
	return b.Bytes()
}

func writeBody(b *bytes.Buffer, s Schema, level string, forEach bool) {
	if s.AnyName {
		b.WriteString("\nIts arguments may have any name.\n")
	}
	if len(s.Attributes) > 0 || forEach {
		fmt.Fprintf(b, "\n%s Arguments\n\n| Name | Type | Default | |\n|---|---|---|---|\n", level)
	}
	for _, a := range s.Attributes {
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", a.Name, cell("`"+a.typeWord()+"`"), cell(defaultWord(a)), cell(attributeDoc(a)))
	}
	if forEach {
		b.WriteString("| `for_each` | `map` or `set(string)` | | Makes one block for each element, named by its key; `each.key` and `each.value` are then its key and value. |\n")
	}
	for _, nested := range s.Blocks {
		title := "`" + nested.Name + "`"
		if nested.Label != "" {
			title += " \"" + nested.Label + "\""
		}
		fmt.Fprintf(b, "\n%s Block %s\n\n%s %s\n", level, title, nested.Doc, howMany(nested))
		writeBody(b, nested.Schema, level+"#", false)
	}
}

func howMany(b NestedBlock) string {
	switch {
	case b.Required && b.Repeatable:
		return "One or more."
	case b.Required:
		return "Required."
	case b.Repeatable:
		return "Any number."
	default:
		return "Optional."
	}
}

func defaultWord(a Attribute) string {
	if a.Required {
		return "required"
	}
	data := a.defaultJSON()
	if data == nil {
		return ""
	}
	var indented bytes.Buffer
	if err := json.Compact(&indented, data); err != nil {
		return ""
	}
	return "`" + indented.String() + "`"
}

func attributeDoc(a Attribute) string {
	doc := a.Doc
	if len(a.OneOf) > 0 {
		doc += " One of " + strings.ReplaceAll(quoted(a.OneOf), `"`, "`") + "."
	}
	if a.Sensitive {
		doc += " Takes a sensitive value, which is never shown."
	}
	return strings.TrimSpace(doc)
}

func functionsPage(all map[string]function.Function) []byte {
	var b bytes.Buffer
	b.WriteString(generatedNotice + "# Functions\n\nNames that Terraform has too mean what they mean there. No function gives another result on the same input tomorrow.\n\n")
	b.WriteString("| Function | |\n|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		f := all[name]
		var parameters []string
		for _, p := range f.Params() {
			parameters = append(parameters, p.Name)
		}
		if p := f.VarParam(); p != nil {
			parameters = append(parameters, p.Name+"...")
		}
		fmt.Fprintf(&b, "| `%s(%s)` | %s |\n", name, strings.Join(parameters, ", "), cell(strings.ReplaceAll(f.Description(), `\"`, `"`)))
	}
	return b.Bytes()
}

func firstSentence(doc string) string {
	if i := strings.Index(doc, ". "); i >= 0 {
		return doc[:i+1]
	}
	return doc
}

// cell makes a text fit for a cell of a Markdown table.
func cell(s string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", "\\|")
}
