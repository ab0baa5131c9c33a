package config

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// TextOptions is how diagnostics are written for people.
type TextOptions struct {
	// Color uses ANSI escapes; without it the culprit is underlined by a line of its own.
	Color bool
	// Width is where the detail is wrapped, in columns; 0 does not wrap.
	Width int
}

// WriteText writes diagnostics for people, each in a frame of its own.
func WriteText(w io.Writer, diagnostics []Diagnostic, o TextOptions) error {
	for _, d := range diagnostics {
		if _, err := io.WriteString(w, d.Text(o)); err != nil {
			return err
		}
	}
	return nil
}

// Text returns a diagnostic for people, framed, with a line break at the end.
func (d Diagnostic) Text(o TextOptions) string {
	p := paint{on: o.Color, rule: red}
	word := "Error"
	if d.Severity == "warning" {
		p.rule, word = yellow, "Warning"
	}
	var lines []string
	lines = append(lines, p.text(p.rule+bold, word+": ")+p.text(bold, printable(d.Summary)))
	if where := d.where(p); len(where) > 0 {
		lines = append(lines, "")
		lines = append(lines, where...)
	}
	if d.Detail != "" {
		lines = append(lines, "")
		lines = append(lines, wrap(d.Detail, o.Width-2)...)
	}
	var b strings.Builder
	b.WriteString("\n" + p.text(p.rule, "╷") + "\n")
	for _, line := range lines {
		b.WriteString(strings.TrimRight(p.text(p.rule, "│")+" "+line, " ") + "\n")
	}
	b.WriteString(p.text(p.rule, "╵") + "\n")
	return b.String()
}

// where returns the lines that say which block, file and source line a diagnostic is about.
func (d Diagnostic) where(p paint) []string {
	var lines []string
	if d.Address != "" {
		lines = append(lines, "  with "+printable(d.Address)+",")
	}
	if d.Range == nil {
		return lines
	}
	on := fmt.Sprintf("  on %s line %d", printable(d.Range.Filename), d.Range.Start.Line)
	if d.Snippet == nil {
		return append(lines, on+".")
	}
	if d.Snippet.Context != nil {
		on += ", in " + printable(*d.Snippet.Context)
	}
	lines = append(lines, on+":")
	lines = append(lines, d.Snippet.lines(p)...)
	if len(d.Snippet.Values) > 0 {
		lines = append(lines, "    "+p.text(dim, "├────────────────"))
		for _, v := range d.Snippet.Values {
			lines = append(lines, "    "+p.text(dim, "│")+" "+p.text(bold, v.Traversal)+" "+printable(v.Statement))
		}
	}
	return lines
}

// lines returns the source with line numbers, the culprit underlined.
func (s Snippet) lines(p paint) []string {
	var out []string
	offset := 0
	for i, line := range strings.Split(s.Code, "\n") {
		number := fmt.Sprintf("%4d: ", s.StartLine+i)
		start := min(max(s.HighlightStartOffset-offset, 0), len(line))
		end := min(max(s.HighlightEndOffset-offset, start), len(line))
		offset += len(line) + 1
		before, culprit, after := printable(line[:start]), printable(line[start:end]), printable(line[end:])
		if p.on {
			out = append(out, number+before+p.text(underline, culprit)+after)
			continue
		}
		out = append(out, number+before+culprit+after)
		mark := strings.TrimSpace(culprit)
		atEnd := s.HighlightStartOffset == s.HighlightEndOffset && i == 0 // what is missing stands at the end of its line
		if mark != "" || atEnd {
			indent := culprit[:len(culprit)-len(strings.TrimLeft(culprit, " "))]
			out = append(out, strings.Repeat(" ", len(number)+uniseg.StringWidth(before+indent))+strings.Repeat("^", max(uniseg.StringWidth(mark), 1)))
		}
	}
	return out
}

// printable makes a source line safe for a terminal: tabs become blanks, and what would move the cursor is escaped.
func printable(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\t':
			b.WriteString("  ")
		case r == '\r':
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, "\\x%02x", s[i])
		case !strconv.IsPrint(r):
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		default:
			b.WriteRune(r)
		}
		i += size
	}
	return b.String()
}

// wrap breaks paragraphs at blanks; lines that begin with a blank are kept as they are.
func wrap(text string, width int) []string {
	var out []string
	for paragraph := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		paragraph = printable(paragraph)
		if width < 20 || strings.HasPrefix(paragraph, " ") {
			out = append(out, paragraph)
			continue
		}
		line, length := "", 0
		for word := range strings.FieldsSeq(paragraph) {
			w := uniseg.StringWidth(word)
			if length > 0 && length+1+w > width {
				out = append(out, line)
				line, length = "", 0
			}
			if length > 0 {
				line, length = line+" ", length+1
			}
			line, length = line+word, length+w
		}
		out = append(out, line)
	}
	return out
}

// ANSI select graphic rendition parameters (ECMA-48, 8.3.117).
const (
	bold      = "\x1b[1m"
	dim       = "\x1b[90m"
	underline = "\x1b[4m"
	red       = "\x1b[31m"
	yellow    = "\x1b[33m"
	reset     = "\x1b[0m"
)

// paint writes text in colour, or plainly.
type paint struct {
	on   bool
	rule string
}

func (p paint) text(style, s string) string {
	if !p.on || s == "" {
		return s
	}
	return style + s + reset
}
