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
	p.line(p.paint(bold, header(d.Nodes, d.ObservedAt, d.Recorded, run)))
	p.line()
	p.alerts(nil, cleanTexts(d.Warnings), d.Unknown)
	if len(d.Warnings)+len(d.Unknown) > 0 {
		p.line()
	}
	p.outs(d.Out)
	findings := cleanFindings(d.Bare())
	p.now, p.first = d.ObservedAt, firstSeen(d)
	p.findings("Not as declared", findings)
	p.ignored(d.Ignored)
	unknown := report.Places(findings, d.Unknown)
	s := d.Summary
	switch d.Status {
	case "none":
		p.line(p.paint(green, "No drift. Your cluster matches the configuration."))
		p.exempt(d.Out, d.Ignored)
	case "unknown":
		text := "Unknown: what could be seen is as declared, but not everything could be seen."
		if len(unknown) > 0 {
			text = fmt.Sprintf("Unknown: what could be seen is as declared, but %s could not be seen.", few(unknown, ", ", 8, p.Verbose))
		}
		p.wrapped(yellow, "", text)
	default:
		text := fmt.Sprintf("Drift: %s, %s", plural(s.Errors, "error"), plural(s.Warnings, "warning"))
		if len(unknown) > 0 {
			text += fmt.Sprintf(", %s unknown (%s)", thousands(len(unknown)), few(unknown, ", ", 8, p.Verbose))
		}
		if len(d.Ignored) > 0 {
			text += fmt.Sprintf(", %s ignored", thousands(len(d.Ignored)))
		}
		text += fmt.Sprintf(". `upkeep plan` would mend %s of %s.", thousands(s.Mended), thousands(s.Errors+s.Warnings))
		color := yellow
		if s.Errors > 0 {
			color = red
		}
		p.wrapped(color, "", text)
	}
	return p.flush(w)
}
