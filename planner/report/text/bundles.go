package text

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"upkeep/planner/report"
)

// Bundles writes the bundles of each store as a table, with what each counts for and why it is kept.
func Bundles(w io.Writer, all report.BundlesJSON, style Style) error {
	p := &page{Style: style}
	for i, s := range all.Stores {
		if i > 0 {
			p.line()
		}
		p.line(p.paint(bold, clean(s.Address)), "  ", clean(s.Store))
		if s.Unknown != "" {
			p.wrapped(red, "  ", "UNKNOWN: "+clean(s.Unknown))
		}
		if len(s.Bundles) == 0 && s.Unknown == "" {
			p.line("  no bundle")
		}
		if len(s.Bundles) > 0 {
			p.bundles(s.Bundles)
		}
		for _, m := range s.Missing {
			p.wrapped(red, "  ", clean(m.Bundle)+": missing from the store; it was proved on "+minute(m.At)+" UTC")
		}
		for _, stray := range s.Strays {
			p.wrapped(yellow, "  ", told(stray.Name)+": "+clean(stray.Kind)+", "+clean(stray.What))
		}
		if n := s.Bad(); n > 0 {
			p.wrapped(red, "  ERROR  ", fmt.Sprintf("%d of these are damaged or not authentic and restore nothing", n))
		}
	}
	return p.flush(w)
}

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

// bundles writes the table of one store, newest first, and its total.
func (p *page) bundles(bundles []report.BundleJSON) {
	width, total, proved := len("BUNDLE"), int64(0), 0
	for _, b := range bundles {
		width = max(width, length(clean(b.ID)))
		total += b.Size
		if b.Proof != nil && b.Status == "proved" {
			proved++
		}
	}
	head := "  " + pad("BUNDLE", width) + "  " + pad("TAKEN (UTC)", 16) + "  " + pad("AGE", 8) + "  " +
		pad("SIZE", 9) + "  " + pad("KEYS", 8) + "  " + pad("REVISION", 10) + "  "
	narrow := p.width() < narrowTable
	if !narrow {
		p.line(head, "STANDING")
	}
	for i, b := range bundles {
		code, standing := standingOf(b)
		if narrow {
			p.line("  ", clean(b.ID))
			p.wrapped("", "      ", fmt.Sprintf("taken %s UTC, %s, %s, keys %s, revision %s", minute(b.TakenAt),
				age(b.AgeSeconds), Bytes(b.Size), number(b.Keys), number(b.Revision)))
			p.wrapped(code, "      ", standing)
		} else {
			row := "  " + pad(clean(b.ID), width) + "  " + minute(b.TakenAt) + "  " + pad(age(b.AgeSeconds), 8) + "  " +
				pad(Bytes(b.Size), 9) + "  " + pad(number(b.Keys), 8) + "  " + pad(number(b.Revision), 10) + "  "
			p.beside(row, code, standing)
		}
		switch {
		case len(b.Kept) > 0:
			p.wrapped(dim, "      kept: ", strings.Join(cleanTexts(b.Kept), ", "))
		case b.Goes:
			p.wrapped(dim, "      ", "goes with the next removal: no rule of keep keeps it")
		case b.Status == "not authentic", b.Status == "not encrypted", b.Status == "damaged":
			p.wrapped(dim, "      ", "stays until: upkeep backup remove "+clean(b.ID))
		}
		if note := halved(bundles, i); note != "" {
			p.wrapped(yellow, "      NOTE ", note)
		}
		for _, gap := range cleanTexts(b.Gaps) {
			p.wrapped(dim, "      lacks ", gap)
		}
	}
	p.line(fmt.Sprintf("  total: %d, %s, of which %d proved", len(bundles), Bytes(total), proved))
}

// narrowTable is the width below which a bundle has lines of its own instead of one in a table.
const narrowTable = 100

// beside writes a text behind the columns of a table, each further line as deep as the first. Where hardly any room is
// left, it is one line that is too long: who reads the table by a program finds all of a bundle in it.
func (p *page) beside(row, code, text string) {
	const readable = 30
	deep := length(row)
	if p.width()-deep < readable {
		p.line(row, p.paint(code, text))
		return
	}
	for _, line := range wrap(text, p.width()-deep) {
		p.line(row, p.paint(code, line))
		row = strings.Repeat(" ", deep)
	}
}

// halved says that a bundle has fewer than half of the keys of the one before it. Bundles are newest first.
func halved(bundles []report.BundleJSON, i int) string {
	b := bundles[i]
	for _, before := range bundles[i+1:] {
		if before.Status != b.Status || before.Keys == 0 || b.Keys == 0 {
			continue
		}
		if b.Keys*2 < before.Keys {
			return fmt.Sprintf("%d keys; the bundle before it has %d. Was so much deleted on purpose?", b.Keys, before.Keys)
		}
		return ""
	}
	return ""
}

func number(n int64) string {
	if n == 0 {
		return "-"
	}
	return strconv.FormatInt(n, 10)
}

func age(seconds int64) string {
	d := time.Duration(seconds) * time.Second
	if d < 0 {
		return "in " + span(-d)
	}
	return span(d) + " old"
}

// standingOf says what a bundle counts for.
func standingOf(b report.BundleJSON) (code, text string) {
	text = clean(b.Status)
	switch b.Status {
	case "proved":
		if b.Proof != nil {
			text = "proved by " + clean(b.Proof.Level) + " on " + minute(b.Proof.At)
		}
		if b.Newest {
			text += " (latest)"
		}
		return green, text
	case "damaged", "not authentic":
		code = red
	default:
		code = yellow
	}
	if b.Why != "" {
		text += ": " + clean(b.Why)
	}
	return code, text
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
