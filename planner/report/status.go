package report

import (
	"cmp"
	"io"
	"strings"
	"time"

	"upkeep/planner"
	"upkeep/providers"
)

// StatusJSON lists every object that is watched, healthy or not.
type StatusJSON struct {
	FormatVersion string            `json:"format_version"` // "1.0"
	Version       string            `json:"upkeep_version,omitempty"`
	Timestamp     time.Time         `json:"timestamp"`
	ObservedAt    time.Time         `json:"observed_at"`
	Recorded      bool              `json:"recorded,omitempty"`
	Identity      planner.Identity  `json:"identity"`
	Nodes         []Node            `json:"nodes"`
	Objects       []Object          `json:"objects"`
	Unknown       []planner.Unknown `json:"unknown"`
	// Counts counts the objects by status.
	Counts map[string]int `json:"counts"`
}

// Object is one watched object.
type Object struct {
	Address providers.Address `json:"address"`
	Node    string            `json:"node,omitempty"`
	Name    string            `json:"name"`
	Path    string            `json:"path,omitempty"`
	// Status is "ok", "due", "problem", "missing" or "unknown".
	Status string `json:"status"`
	// Expires and LeftSeconds are absent where the object does not expire, or where that is unknown.
	Expires     time.Time `json:"expires,omitzero"`
	LeftSeconds *int64    `json:"left_seconds,omitempty"`
	Authority   string    `json:"authority,omitempty"`
	Detail      string    `json:"detail,omitempty"`
	// FirstSeen is when something about it was first found; absent where that is not known, or nothing was.
	FirstSeen time.Time `json:"first_seen,omitzero"`
}

// Status returns the objects of a plan, in the plan's order.
func Status(p planner.Plan) StatusJSON {
	all := Plan(p)
	s := StatusJSON{
		FormatVersion: "1.0", Version: p.UpkeepVersion, Timestamp: p.CreatedAt, ObservedAt: all.Upkeep.ObservedAt, Recorded: all.Upkeep.Recorded,
		Identity: all.Upkeep.Identity, Nodes: all.Upkeep.Nodes, Objects: []Object{}, Unknown: all.Upkeep.Unknown, Counts: map[string]int{},
	}
	for _, o := range p.Objects {
		object := Object{
			Address: o.Address, Node: o.Address.Node, Name: o.Name, Path: o.Path, Status: o.Status, Expires: o.Expires, Authority: o.Authority, Detail: o.Detail,
		}
		if !o.Expires.IsZero() {
			left := int64(o.Expires.Sub(p.Request.Now) / time.Second)
			object.LeftSeconds = &left
		}
		s.Counts[o.Status]++
		s.Objects = append(s.Objects, object)
	}
	return s
}

// StatusText writes the objects as a table, each on one line.
func StatusText(w io.Writer, s StatusJSON, run Run, style Style) error {
	p := &page{Style: style}
	p.line(p.paint(bold, header(s.Nodes, s.ObservedAt, s.Recorded, run)))
	p.line()
	p.alerts(nil, nil, cleanUnknown(s.Unknown))
	if len(s.Unknown) > 0 {
		p.line()
	}
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
