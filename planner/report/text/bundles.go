package text

import (
	"fmt"
	"io"
	"strings"
	"time"

	"upkeep/planner/report"
)

// Bundles writes the bundles of each store as a table.
func Bundles(w io.Writer, all report.BundlesJSON, style Style) error {
	p := &page{Style: style}
	for i, s := range all.Stores {
		if i > 0 {
			p.line()
		}
		p.line(p.paint(bold, clean(s.Address)), "  ", clean(s.Store))
		if s.Unknown != "" {
			p.wrapped(red, "  ", "unknown: "+clean(s.Unknown))
			continue
		}
		if len(s.Bundles) == 0 {
			p.line("  no bundle")
		}
		width := 0
		for _, b := range s.Bundles {
			width = max(width, length(clean(b.ID)))
		}
		for _, b := range s.Bundles {
			code, proof := proofOf(b)
			p.line("  ", pad(clean(b.ID), width), "  ", b.TakenAt.UTC().Format("2006-01-02 15:04"), "  ", pad(age(b.AgeSeconds), 8), "  ",
				pad(Bytes(b.Size), 9), "  ", p.paint(code, proof))
			for _, gap := range cleanTexts(b.Gaps) {
				p.wrapped(dim, "      lacks ", gap)
			}
		}
		for _, stray := range s.Strays {
			p.wrapped(yellow, "  ", clean(stray.Name)+": "+clean(stray.Kind)+", "+clean(stray.What))
		}
	}
	return p.flush(w)
}

func age(seconds int64) string {
	d := time.Duration(seconds) * time.Second
	if d < 0 {
		return "in " + span(-d)
	}
	return span(d) + " old"
}

// unprovedCold is what is said of the proof of a bundle that can have none.
const unprovedCold = "unproved: cold copy of stopped members"

func proofOf(b report.BundleJSON) (code, text string) {
	switch {
	case b.Damaged != "":
		return red, "damaged: " + clean(b.Damaged)
	case b.Cold:
		return yellow, unprovedCold
	case b.Proof == nil:
		return yellow, "not proved"
	default:
		return green, "proved by " + clean(b.Proof.Level) + " on " + b.Proof.At.UTC().Format("2006-01-02 15:04")
	}
}

// Bytes spells a number of bytes in binary units.
func Bytes(n int64) string {
	const units = "KMGTPE"
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	size, unit := float64(n)/(1<<10), 0
	for size >= 1<<10 && unit < len(units)-1 {
		size, unit = size/(1<<10), unit+1
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", size), ".0") + " " + units[unit:unit+1] + "iB"
}
