package text

import (
	"fmt"
	"io"

	"upkeep/planner/report"
)

// Drift writes a drift report for people.
func Drift(w io.Writer, d report.DriftJSON, run Run, style Style) error {
	p := &page{Style: style}
	d.Unknown = cleanUnknown(d.Unknown)
	p.head(d.Nodes, seen{d.ObservedAt, d.Recorded, d.AgeSeconds}, run, nil)
	p.alerts(cleanTexts(d.Warnings), d.Unknown, nil)
	if len(d.Warnings)+len(d.Unknown) > 0 {
		p.line()
	}
	p.outs(d.Out)
	p.now, p.first = d.ObservedAt, firstSeen(d)
	p.findings("Not as declared", cleanFindings(d.Bare()))
	p.ignored(d.Ignored)
	p.notCounted("Left out on request (not counted)", cleanFindings(d.LeftOut))
	if d.Status == report.Well {
		p.line(p.paint(green, "No drift. "+matches(d.Recorded)))
		p.exempt(d.Out, d.Ignored)
		p.nextDue(d.NextDue, d.ObservedAt)
		return p.flush(w)
	}
	s := d.Summary
	color := yellow
	if s.Errors > 0 {
		color = red
	}
	if s.Errors+s.Warnings > 0 {
		text := fmt.Sprintf("Drift: %s, %s", plural(s.Errors, "error"), plural(s.Warnings, "warning"))
		if len(d.Ignored) > 0 {
			text += fmt.Sprintf(", %s ignored", thousands(len(d.Ignored)))
		}
		p.wrapped(color, "", text+fmt.Sprintf(". `upkeep plan` has steps for %s of %s.", thousands(s.Fixed), thousands(s.Errors+s.Warnings)))
	}
	p.unsure(d)
	p.nextDue(d.NextDue, d.ObservedAt)
	return p.flush(w)
}

// unsure says that not everything could be checked, where that is so.
func (p *page) unsure(d report.DriftJSON) {
	if d.Status != report.Unsure {
		return
	}
	text := "UNKNOWN: not everything could be checked."
	if unknown := places(d.Unknown); len(unknown) > 0 {
		text = fmt.Sprintf("UNKNOWN: %s could NOT be checked.", few(unknown, ", ", 8, p.Verbose))
	}
	if d.Summary.Errors+d.Summary.Warnings == 0 {
		text += " Nothing is known to be wrong with the rest."
	}
	p.wrapped(yellow, "", text)
}
