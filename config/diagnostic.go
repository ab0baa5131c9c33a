package config

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcled"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Diagnostic is a problem as `upkeep validate -json` writes it, in the shape of `terraform validate -json`. The text
// form is rendered from it too, so that both say the same.
type Diagnostic struct {
	Severity string `json:"severity"` // "error" or "warning"
	Summary  string `json:"summary"`
	Detail   string `json:"detail"`
	// Address is the block that the problem is with, or a resource; empty where there is none.
	Address string   `json:"address,omitempty"`
	Range   *Range   `json:"range,omitempty"`
	Snippet *Snippet `json:"snippet,omitempty"`
}

// Range is a part of a file.
type Range struct {
	Filename string `json:"filename"`
	Start    Pos    `json:"start"`
	End      Pos    `json:"end"`
}

// Pos is a place in a file: line and column (in characters) from 1, bytes from 0.
type Pos struct {
	Line   int `json:"line"`
	Column int `json:"column"`
	Byte   int `json:"byte"`
}

// Snippet is the source that a diagnostic is about.
type Snippet struct {
	// Context is the block it is in: `node "cp"`; null outside of blocks.
	Context *string `json:"context"`
	// Code is full lines, the first of which is StartLine.
	Code      string `json:"code"`
	StartLine int    `json:"start_line"`
	// The offsets are of the culprit, in bytes of Code.
	HighlightStartOffset int `json:"highlight_start_offset"`
	HighlightEndOffset   int `json:"highlight_end_offset"`
	// Values are those of the references in the expression that failed.
	Values []ExpressionValue `json:"values"`
	// FunctionCall is the function that failed.
	FunctionCall *FunctionCall `json:"function_call,omitempty"`
}

// ExpressionValue says what a reference stands for: `var.x`, `is 3`.
type ExpressionValue struct {
	Traversal string `json:"traversal"`
	Statement string `json:"statement"`
}

// FunctionCall names a called function.
type FunctionCall struct {
	CalledAs string `json:"called_as"`
}

// Validation is the complete answer of `upkeep validate -json`.
type Validation struct {
	FormatVersion string       `json:"format_version"`
	Valid         bool         `json:"valid"`
	ErrorCount    int          `json:"error_count"`
	WarningCount  int          `json:"warning_count"`
	Diagnostics   []Diagnostic `json:"diagnostics"`
}

// Validate returns the answer of `upkeep validate -json` for the outcome of Load.
func Validate(diags hcl.Diagnostics, sources Sources) Validation {
	v := Validation{FormatVersion: "1.0", Diagnostics: Describe(diags, sources)}
	for _, d := range v.Diagnostics {
		if d.Severity == "error" {
			v.ErrorCount++
		} else {
			v.WarningCount++
		}
	}
	v.Valid = v.ErrorCount == 0
	return v
}

// Describe turns diagnostics into their JSON type, with the source they are about. It never returns nil, so that an
// empty list is written as [].
func Describe(diags hcl.Diagnostics, sources Sources) []Diagnostic {
	out := make([]Diagnostic, 0, len(diags))
	for _, d := range diags {
		out = append(out, describe(d, sources))
	}
	return out
}

func describe(d *hcl.Diagnostic, sources Sources) Diagnostic {
	out := Diagnostic{Severity: "error", Summary: cut(d.Summary, longestLine), Detail: cut(d.Detail, longestText)}
	if d.Severity == hcl.DiagWarning {
		out.Severity = "warning"
	}
	if where, ok := hcl.DiagnosticExtra[located](d); ok {
		out.Address = cut(where.address, longestLine)
	}
	if d.Subject == nil {
		return out
	}
	r := *d.Subject
	file, ok := sources[r.Filename]
	if ok && file != nil {
		r = within(r, len(file.Bytes))
	}
	out.Range = &Range{Filename: r.Filename, Start: posOf(r.Start), End: posOf(r.End)}
	if ok && file != nil && len(file.Bytes) > 0 {
		out.Snippet = snippetOf(d, r, file)
	}
	return out
}

func posOf(p hcl.Pos) Pos { return Pos{Line: p.Line, Column: p.Column, Byte: p.Byte} }

// within makes a range are in a file and cover at least one byte where there is one.
func within(r hcl.Range, size int) hcl.Range {
	r.Start.Byte = min(max(r.Start.Byte, 0), size)
	r.End.Byte = min(max(r.End.Byte, r.Start.Byte), size)
	if r.End.Byte == r.Start.Byte && r.End.Byte < size {
		r.End.Byte++
		r.End.Line, r.End.Column = r.Start.Line, r.Start.Column+1
	}
	return r
}

// mostLines bounds how many lines of source are shown.
const mostLines = 6

// longestLine bounds, in bytes, how much of a line is shown before its culprit.
// longestText bounds what a diagnostic says.
const (
	longestLine = 500
	longestText = 4000
)

func snippetOf(d *hcl.Diagnostic, r hcl.Range, file *hcl.File) *Snippet {
	src := file.Bytes
	from := bytes.LastIndexByte(src[:r.Start.Byte], '\n') + 1
	to := r.End.Byte
	if lines := bytes.SplitAfterN(src[r.Start.Byte:to], []byte("\n"), mostLines+1); len(lines) > mostLines {
		// A long construct: its first line is enough to find it.
		to = r.Start.Byte + len(bytes.TrimRight(lines[0], "\r\n"))
	}
	to = r.Start.Byte + len(bytes.TrimRight(src[r.Start.Byte:to], "\r\n"))
	end := len(src)
	if i := bytes.IndexByte(src[to:], '\n'); i >= 0 {
		end = to + i
	}
	from, end = excerpt(src, from, r.Start.Byte, max(end, from))
	code := strings.TrimSuffix(string(src[from:end]), "\r")
	s := &Snippet{
		Code:                 code,
		StartLine:            r.Start.Line,
		HighlightStartOffset: min(r.Start.Byte-from, len(code)),
		HighlightEndOffset:   min(max(to, r.Start.Byte)-from, len(code)),
		Values:               valuesIn(d),
	}
	if context := hcled.ContextString(file, r.Start.Byte); file.Nav != nil && context != "" {
		context = cut(context, longestLine)
		s.Context = &context
	}
	if extra, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](d); ok && extra.CalledFunctionName() != "" {
		s.FunctionCall = &FunctionCall{CalledAs: extra.CalledFunctionName()}
	}
	return s
}

// excerpt narrows a piece of a source to what is shown of it around a place, at whole characters.
func excerpt(src []byte, from, at, to int) (int, int) {
	from, to = max(from, at-longestLine), min(to, at+mostLines*longestLine)
	for from < at && !utf8.RuneStart(src[from]) {
		from++
	}
	for to < len(src) && to > at && !utf8.RuneStart(src[to]) {
		to--
	}
	return from, to
}

// cut shortens a text to about most bytes.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most] + "..."
}

// valuesIn returns the values of the references in the expression that failed, sorted, without those that are not
// known.
func valuesIn(d *hcl.Diagnostic) []ExpressionValue {
	out := []ExpressionValue{}
	if d.Expression == nil {
		return out
	}
	seen := map[string]bool{}
	for _, t := range d.Expression.Variables() {
		for ; len(t) > 1; t = t[:len(t)-1] {
			v, ok := lookUp(t, d.EvalContext)
			if !ok {
				continue // show the longest part of the reference that has a value
			}
			name := spelling(t)
			if statement := statementOf(v); statement != "" && !seen[name] {
				seen[name] = true
				out = append(out, ExpressionValue{Traversal: name, Statement: statement})
			}
			break
		}
	}
	slices.SortFunc(out, func(a, b ExpressionValue) int { return cmp.Compare(a.Traversal, b.Traversal) })
	return out
}

// longestValue bounds how much of a string is shown.
const longestValue = 80

// statementOf says in a few words what a value is; empty where it is not known.
func statementOf(v cty.Value) string {
	switch {
	case v.IsMarked():
		return "has a sensitive value"
	case !v.IsKnown():
		return ""
	case v.IsNull():
		return "is null"
	}
	t := v.Type()
	switch {
	case t == cty.String:
		s := v.AsString()
		if len(s) > longestValue {
			return fmt.Sprintf("is a string of %d bytes", len(s))
		}
		return fmt.Sprintf("is %q", s)
	case t == cty.Number:
		return "is " + v.AsBigFloat().Text('g', -1)
	case t == cty.Bool:
		return fmt.Sprintf("is %t", v.True())
	case t.Equals(SelectionType):
		return "is a set of nodes"
	case t.IsCapsuleType():
		return "is " + article(t.FriendlyName())
	case t.IsObjectType():
		return fmt.Sprintf("is an object with %s", counted(len(t.AttributeTypes()), "attribute"))
	case t.IsTupleType():
		return fmt.Sprintf("is a tuple with %s", counted(len(t.TupleElementTypes()), "element"))
	case t.IsCollectionType():
		return fmt.Sprintf("is %s with %s", article(t.FriendlyName()), counted(v.LengthInt(), "element"))
	default:
		return "is " + article(t.FriendlyName())
	}
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
