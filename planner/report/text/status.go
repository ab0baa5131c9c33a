package text

import (
	"cmp"
	"io"
	"strings"
	"time"

	"upkeep/planner/report"
)

// Status writes the objects as a table, each on one line.
func Status(w io.Writer, s report.StatusJSON, run Run, style Style) error {
	p := &page{Style: style}
	p.head(s.Nodes, seen{s.ObservedAt, s.Recorded, s.AgeSeconds}, run, nil)
	p.unknown(cleanUnknown(s.Unknown), nil)
	for _, f := range cleanFindings(s.Errors) {
		p.say(red, "ERROR", strings.Join(strings.Fields(f.ID+" "+f.Address.String()+" "+f.Object), " ")+": "+f.Summary)
	}
	if len(s.Unknown)+len(s.Errors) > 0 {
		p.line()
	}
	p.waits(s.Waits, s.Timestamp)
	p.outs(s.Out)
	table, widths := p.watched(s.Objects)
	for n, row := range table {
		var line strings.Builder
		for i, cell := range row {
			text := pad(cell, widths[i])
			switch {
			case n == 0:
				text = p.paint(bold, text)
			case i == 0, i == 3:
				text = p.paint(levelColor(counts(s.Objects[n-1])), text)
			}
			line.WriteString(text + "  ")
		}
		p.line(line.String())
		if n == 0 {
			continue
		}
		o := s.Objects[n-1]
		wanted := p.Verbose || o.Exempt != "" || o.Status != "ok" && o.Status != "due" // what is due says so by its date
		detail := clean(o.Detail)
		if o.Exempt != "" {
			detail = strings.TrimLeft(detail+"; does not count ("+clean(o.Exempt)+")", "; ")
		}
		if detail != "" && wanted {
			p.wrapped(dim, strings.Repeat(" ", widths[0]+widths[1]+6), detail)
		}
		if text := since(o.FirstSeen, s.ObservedAt); text != "" {
			p.line(strings.Repeat(" ", widths[0]+widths[1]+6), p.paint(dim, text))
		}
	}
	p.line()
	var totals []string
	for _, status := range []string{"ok", "due", "expired", "problem", "missing", "unknown"} {
		if s.Counts[status] > 0 {
			totals = append(totals, thousands(s.Counts[status])+" "+spelled(status))
		}
	}
	if len(totals) == 0 {
		totals = []string{"nothing is watched"}
	}
	p.line(strings.Join(totals, ", "), ".")
	p.nextDue(s.NextDue, s.ObservedAt)
	return p.flush(w)
}

// watched are the cells of the table, its head first, and how wide its columns are. Where the page is too narrow the
// times of day go first: what is left says when. Then the authorities go, which `status -json` has.
func (p *page) watched(objects []report.Object) (table [][]string, widths []int) {
	table = [][]string{{"", "NODE", "NAME", "STATUS", "EXPIRES", "LEFT", "AUTHORITY"}}
	for _, o := range objects {
		expires, left := "-", "-"
		if o.LeftSeconds != nil {
			expires = o.Expires.UTC().Format("2006-01-02 15:04")
			left = remaining(time.Duration(*o.LeftSeconds) * time.Second)
		}
		name := o.Name
		if p.Verbose && o.Path != "" && o.Path != o.Name {
			name += " (" + o.Path + ")"
		}
		row := []string{word(counts(o)), o.Node, name, spelled(o.Status), expires, left, o.Authority}
		for i := range row[1:] {
			i++
			row[i] = cmp.Or(clean(row[i]), "-")
		}
		table = append(table, row)
	}
	if widths = columns(table); tableWidth(widths) > p.width() {
		for _, row := range table[1:] {
			row[4], _, _ = strings.Cut(row[4], " ")
		}
		widths = columns(table)
	}
	if last := len(widths) - 1; tableWidth(widths) > p.width() {
		for i := range table {
			table[i] = table[i][:last]
		}
		widths = widths[:last]
	}
	return table, widths
}

// columns is how wide each column of a table is.
func columns(table [][]string) []int {
	widths := make([]int, len(table[0]))
	for _, row := range table {
		for i, cell := range row {
			widths[i] = max(widths[i], length(cell))
		}
	}
	return widths
}

// tableWidth is how wide a line of a table is, with two spaces between its columns.
func tableWidth(widths []int) int {
	total := 2 * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	return total
}

// spelled writes the status of what has ended so that nobody passes over it.
func spelled(status string) string {
	if status == "expired" {
		return "EXPIRED"
	}
	return status
}

// counts is the level of an object as far as it counts.
func counts(o report.Object) report.Level {
	if o.Exempt != "" {
		return report.LevelNote
	}
	return o.Severity
}

// remaining spells the time that is left: in days from two days on.
func remaining(d time.Duration) string {
	if d < 0 {
		return "ended " + span(-d) + " ago"
	}
	if d >= 48*time.Hour {
		return span(d.Truncate(24 * time.Hour))
	}
	return span(d)
}
