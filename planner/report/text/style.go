// Package text writes plans, drift, status, rehearsals and bundles for people at a terminal.
//
// It decides nothing and reads nothing: the data of package report in, text out, the same bytes for the same data.
// Whatever came from a node or a user is cleaned of control characters before it reaches a terminal. Whether a terminal
// is there, how wide it is and whether it wants colour is the caller's business (Style).
package text

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"upkeep/planner/report"
	"upkeep/providers/plain"
)

// Style says how text is to look. The caller decides it from the terminal, the environment and its flags.
type Style struct {
	Color bool
	// Width is the number of columns to wrap at; 0 is 80. Less than 60 counts as 60.
	Width int
	// Verbose unfolds what is folded and shows what is left out.
	Verbose bool
}

func (s Style) width() int {
	if s.Width == 0 {
		return 80
	}
	return max(s.Width, 60)
}

// The colours, as parameters of the escape sequence "select graphic rendition" (ECMA-48, 8.3.117).
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

// page collects lines.
type page struct {
	Style
	text strings.Builder
	// first and now are for findings whose age is shown; nil: it is not.
	first report.FirstSeen
	now   time.Time
}

func (p *page) paint(code, text string) string {
	if !p.Color || code == "" || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// line writes one line; trailing spaces are dropped.
func (p *page) line(parts ...string) {
	p.text.WriteString(strings.TrimRight(strings.Join(parts, ""), " "))
	p.text.WriteByte('\n')
}

// wrapped writes text behind a first prefix, wrapped at the width, each further line indented as deep as the prefix.
func (p *page) wrapped(code, prefix, text string) {
	indent := strings.Repeat(" ", length(prefix))
	for i, line := range wrap(text, p.width()-length(prefix)) {
		if i > 0 {
			prefix = indent
		}
		text := strings.TrimLeft(prefix, " ")
		p.line(prefix[:len(prefix)-len(text)], p.paint(code, text+line))
	}
}

func (p *page) flush(w io.Writer) error {
	_, err := io.WriteString(w, p.text.String())
	return err
}

// length is the number of columns of a text, one for each character.
func length(s string) int { return utf8.RuneCountInString(s) }

// pad fills a text up with spaces.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-length(s)))
}

// wrap breaks a text at spaces into lines of at most width columns. A word that is longer stands alone.
func wrap(text string, width int) []string {
	width = max(width, 20)
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case length(line)+1+length(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}

// Clean is for texts that others print next to a report: see clean.
func Clean(s string) string { return clean(s) }

// clean makes a text fit to be in a line on a terminal. Texts from nodes could otherwise rewrite what the operator
// approves.
func clean(s string) string { return plain.Line(s) }

// told is clean for a name that somebody else chose: one that reads as a sentence stands in quotes.
func told(s string) string { return plain.Told(clean(s)) }

// Plural is for texts that others print next to a report: a number of things, such as "1,204 steps".
func Plural(n int, thing string) string { return plural(n, thing) }

// plural spells a number of things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%s %ss", thousands(n), thing)
}

// thousands writes a number with a comma between thousands.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// span spells a duration as operators say it: its two largest units.
func span(d time.Duration) string {
	d = d.Round(time.Second)
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	units := []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}}
	for i, u := range units {
		if d < u.size {
			continue
		}
		out := fmt.Sprintf("%s%d%s", sign, d/u.size, u.name)
		if i+1 < len(units) {
			if rest := d % u.size / units[i+1].size; rest > 0 {
				out += fmt.Sprintf("%d%s", rest, units[i+1].name)
			}
		}
		return out
	}
	return "0s"
}

// seconds turns a number of seconds into a duration.
func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// few lists names, all of them where all is set or they are few, else the first and how many more there are.
func few(names []string, separator string, limit int, all bool) string {
	if all || len(names) <= limit {
		return strings.Join(names, separator)
	}
	return fmt.Sprintf("%s and %s more", names[0], thousands(len(names)-1))
}
