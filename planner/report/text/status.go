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
	p.line(p.paint(bold, header(s.Nodes, s.ObservedAt, s.Recorded, run)))
	p.line()
	p.alerts(nil, nil, cleanUnknown(s.Unknown))
	if len(s.Unknown) > 0 {
		p.line()
	}
	p.waits(s.Waits, s.Timestamp)
	p.outs(s.Out)
	table := [][]string{{"NODE", "NAME", "STATUS", "EXPIRES", "LEFT", "AUTHORITY"}}
	for _, o := range s.Objects {
		expires, left := "-", "-"
		if o.LeftSeconds != nil {
			expires = o.Expires.UTC().Format("2006-01-02 15:04")
			left = remaining(time.Duration(*o.LeftSeconds) * time.Second)
		}
		name := o.Name
		if p.Verbose && o.Path != "" && o.Path != o.Name {
			name += " (" + o.Path + ")"
		}
		row := []string{o.Node, name, o.Status, expires, left, o.Authority}
		for i := range row {
			row[i] = cmp.Or(clean(row[i]), "-")
		}
		table = append(table, row)
	}
	widths := make([]int, len(table[0]))
	for _, row := range table {
		for i, cell := range row {
			widths[i] = max(widths[i], length(cell))
		}
	}
	for n, row := range table {
		var line strings.Builder
		for i, cell := range row {
			text := pad(cell, widths[i])
			switch {
			case n == 0:
				text = p.paint(bold, text)
			case i == 2:
				text = p.paint(statusColor(cell), text)
			}
			line.WriteString(text + "  ")
		}
		p.line(line.String())
		if n == 0 {
			continue
		}
		o := s.Objects[n-1]
		wanted := p.Verbose || o.Status != "ok" && o.Status != "due" // what is due says so by its date
		if detail := clean(o.Detail); detail != "" && wanted {
			p.wrapped(dim, strings.Repeat(" ", widths[0]+4), detail)
		}
		if text := since(o.FirstSeen, s.ObservedAt); text != "" {
			p.line(strings.Repeat(" ", widths[0]+4), p.paint(dim, text))
		}
	}
	p.line()
	var counts []string
	for _, status := range []string{"ok", "due", "problem", "missing", "unknown"} {
		if s.Counts[status] > 0 {
			counts = append(counts, thousands(s.Counts[status])+" "+status)
		}
	}
	if len(counts) == 0 {
		counts = []string{"nothing is watched"}
	}
	p.line(strings.Join(counts, ", "), ".")
	return p.flush(w)
}

func statusColor(status string) string {
	switch status {
	case "ok":
		return green
	case "due":
		return yellow
	default:
		return red
	}
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
