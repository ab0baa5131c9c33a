package text

import (
	"slices"
	"strings"
	"time"

	"upkeep/planner/report"
	"upkeep/providers"
)

// row is findings that read alike, on one line: the same id, summary and objects on some nodes.
type row struct {
	first    providers.Finding
	nodes    []string
	objects  []string
	findings int
	since    time.Time // the earliest time at which one of them was seen; zero: not known
}

// rows folds findings: first those of one node that differ in their object alone, then the nodes on which the objects
// are the same. The gravest come first; else the order stands.
func rows(findings []providers.Finding, first report.FirstSeen) []row {
	type alike struct {
		id, summary, hint string
		severity          providers.Severity
		address           providers.Address
		unknown           bool
	}
	key := func(f providers.Finding) alike {
		return alike{f.ID, f.Summary, f.Hint, f.Severity, f.Address, f.Unknown}
	}
	var perNode []row
	index := map[alike]int{}
	for _, f := range findings {
		k := key(f)
		i, seen := index[k]
		if !seen {
			i = len(perNode)
			index[k] = i
			perNode = append(perNode, row{first: f})
			if f.Address.Node != "" {
				perNode[i].nodes = []string{f.Address.Node}
			}
		}
		perNode[i].findings++
		if first != nil {
			perNode[i].since = report.Earlier(perNode[i].since, first(f))
		}
		if f.Object != "" {
			perNode[i].objects = append(perNode[i].objects, f.Object)
		}
	}
	type fold struct {
		alike
		objects string
	}
	var out []row
	folded := map[fold]int{}
	for _, r := range perNode {
		k := fold{key(r.first), strings.Join(r.objects, "\x00")}
		k.address = k.address.Resource()
		i, seen := folded[k]
		if !seen {
			folded[k] = len(out)
			out = append(out, r)
			continue
		}
		out[i].nodes = append(out[i].nodes, r.nodes...)
		out[i].findings += r.findings
		out[i].since = report.Earlier(out[i].since, r.since)
	}
	slices.SortStableFunc(out, func(a, b row) int {
		return severityRank(report.LevelOf(a.first)) - severityRank(report.LevelOf(b.first))
	})
	return out
}

func severityRank(l report.Level) int {
	return slices.Index([]report.Level{report.LevelError, report.LevelUnknown, report.LevelWarning, report.LevelNote, report.LevelOK}, l)
}

// word is how a level is written, and color how it is painted: the colour only repeats the word.
func word(l report.Level) string {
	if l == report.LevelWarning {
		return "WARN"
	}
	return strings.ToUpper(string(l))
}

func levelColor(l report.Level) string {
	switch l {
	case report.LevelError:
		return red
	case report.LevelUnknown, report.LevelWarning:
		return yellow
	case report.LevelNote:
		return dim
	}
	return green
}

// what names the objects of a row.
func (r row) what(all bool) string {
	switch {
	case len(r.objects) == 0:
		return ""
	case all:
		return strings.Join(r.objects, ", ")
	case len(r.objects) == 1:
		return r.objects[0]
	default:
		return r.objects[0] + " and " + thousands(len(r.objects)-1) + " more"
	}
}

// shownRows is how many lines of findings are shown where not all are asked for. All are in the JSON.
const shownRows = 20

// findings writes a table of findings.
func (p *page) findings(title string, findings []providers.Finding) {
	all := rows(findings, p.first)
	shown, notes, more := all, 0, 0
	if !p.Verbose {
		shown = slices.DeleteFunc(slices.Clone(all), func(r row) bool { return report.LevelOf(r.first) == report.LevelNote })
		notes = len(all) - len(shown)
		if len(shown) > shownRows {
			more = len(shown) - shownRows
			shown = shown[:shownRows]
		}
	}
	if len(shown) == 0 {
		if notes > 0 {
			p.line(plural(notes, "note"), ", shown by -verbose")
			p.line()
		}
		return
	}
	p.line(p.paint(bold, title))
	table := make([][]string, 0, len(shown))
	widths := make([]int, 3)
	for _, r := range shown {
		cells := []string{r.first.ID, few(r.nodes, " ", 3, p.Verbose), r.what(p.Verbose)}
		if len(r.nodes) == 0 {
			cells[1] = r.first.Address.String()
		}
		table = append(table, cells)
		for i, limit := range []int{32, max(32, p.width()/4), max(32, p.width()/3)} {
			widths[i] = min(limit, max(widths[i], length(cells[i])))
		}
	}
	for i, r := range shown {
		p.finding(r, table[i], widths)
	}
	if notes > 0 || more > 0 {
		var rest []string
		if more > 0 {
			rest = append(rest, plural(more, "more line"))
		}
		if notes > 0 {
			rest = append(rest, plural(notes, "note"))
		}
		p.line("  ", strings.Join(rest, " and "), ", shown by -verbose")
	}
	p.line()
}

// finding writes one line, or two where the columns leave no room for the summary.
func (p *page) finding(r row, cells []string, widths []int) {
	level := report.LevelOf(r.first)
	begin := "  " + p.paint(levelColor(level), pad(word(level), labels-2)) + "  " + cells[0]
	const beneath = "             "
	if length(cells[1]) > widths[1] || length(cells[2]) > widths[2] { // too long for the table
		p.line(begin)
		p.wrapped("", beneath, strings.Trim(cells[1]+"  "+cells[2], " "))
		if r.first.Summary != "" {
			p.wrapped("", beneath, r.first.Summary)
		}
		p.hints(r, beneath)
		return
	}
	prefix := begin + strings.Repeat(" ", max(0, widths[0]-length(cells[0])))
	column := 2 + labels + max(widths[0], length(cells[0]))
	for i := 1; i < 3; i++ {
		if widths[i] > 0 {
			prefix += "  " + pad(cells[i], widths[i])
			column += 2 + max(widths[i], length(cells[i]))
		}
	}
	switch room := p.width() - column - 2; {
	case r.first.Summary == "":
		p.line(prefix)
	case room >= length(r.first.Summary), room >= 40 && len(wrap(r.first.Summary, room)) == 2:
		for i, line := range wrap(r.first.Summary, room) {
			if i == 0 {
				p.line(prefix, "  ", line)
			} else {
				p.line(strings.Repeat(" ", column+2), line)
			}
		}
	default:
		p.line(prefix)
		p.wrapped("", beneath, r.first.Summary)
	}
	p.hints(r, beneath)
}

// hints writes what to do, and where it was asked for.
func (p *page) hints(r row, beneath string) {
	if r.first.Hint != "" {
		p.wrapped("", beneath+"-> ", r.first.Hint)
	}
	if text := since(r.since, p.now); text != "" {
		p.line(beneath, p.paint(dim, text))
	}
	if p.Verbose && r.first.Position != "" {
		p.line(beneath, p.paint(dim, r.first.Position))
	}
}
