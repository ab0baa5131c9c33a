package text

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"upkeep/planner/report"
	"upkeep/providers"
)

// Doctor writes what a look found for people.
func Doctor(w io.Writer, d report.DoctorJSON, run Run, style Style) error {
	p := &page{Style: style}
	d.Unknown = cleanUnknown(d.Unknown)
	p.head(d.Nodes, seen{d.ObservedAt, d.Recorded, d.AgeSeconds}, run, nil)
	p.alerts(cleanTexts(d.Warnings), d.Unknown, nil)
	if len(d.Warnings)+len(d.Unknown) > 0 {
		p.line()
	}
	p.findings("Findings", cleanFindings(d.Bare()))
	for _, text := range cleanTexts(d.Unasked) {
		p.wrapped("", "Not asked  ", text)
	}
	if text := firstToEnd(d); text != "" {
		p.wrapped("", "First end  ", text)
	}
	p.line()
	p.verdict(d)
	for i, next := range cleanTexts(d.Next) {
		if i == 0 {
			p.line()
			p.line(p.paint(bold, "Next"))
		}
		p.wrapped("", fmt.Sprintf("  %d. ", i+1), next)
	}
	if d.Configuration != "" {
		p.line()
		for line := range strings.Lines(d.Configuration) {
			p.line(strings.TrimRight("     "+clean(strings.TrimRight(line, "\n")), " "))
		}
	}
	return p.flush(w)
}

func (p *page) verdict(d report.DoctorJSON) {
	s := d.Summary
	if d.Status == report.Well {
		p.line(p.paint(green, fmt.Sprintf("Nothing is wrong with %s.", plural(len(d.Objects), "watched thing"))))
		return
	}
	if s.Errors+s.Warnings > 0 {
		color := yellow
		if s.Errors > 0 {
			color = red
		}
		p.wrapped(color, "", fmt.Sprintf("Found %s and %s among %s.", plural(s.Errors, "error"), plural(s.Warnings, "warning"), plural(len(d.Objects), "watched thing")))
	}
	p.unsure(d.DriftJSON)
}

// firstToEnd names the watched thing that ends first, and those that end on the same day.
func firstToEnd(d report.DoctorJSON) string {
	var ending []providers.Object
	for _, o := range d.Objects {
		if !o.Expires.IsZero() {
			ending = append(ending, o)
		}
	}
	if len(ending) == 0 {
		return ""
	}
	slices.SortStableFunc(ending, func(a, b providers.Object) int { return a.Expires.Compare(b.Expires) })
	first := ending[0]
	text := clean(first.Name)
	if first.Address.Node != "" {
		text += " on " + clean(first.Address.Node)
	}
	text += ": " + first.Expires.UTC().Format("2006-01-02 15:04 MST")
	if left := first.Expires.Sub(d.ObservedAt); left > 0 {
		text += ", in " + span(left)
	} else {
		text += ", EXPIRED"
	}
	same := 0
	for _, o := range ending[1:] {
		if o.Expires.Sub(first.Expires).Hours() < 24 {
			same++
		}
	}
	if same > 0 {
		text += fmt.Sprintf("; %s more within a day of it", thousands(same))
	}
	return text
}
