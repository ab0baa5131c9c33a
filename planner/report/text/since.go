package text

import (
	"fmt"
	"time"

	"upkeep/planner/report"
	"upkeep/providers"
)

// firstSeen looks the times up again by findings that were cleaned for a page.
func firstSeen(d report.DriftJSON) report.FirstSeen {
	type key struct {
		id      string
		address providers.Address
		object  string
	}
	times := map[key]time.Time{}
	for i, f := range cleanFindings(d.Bare()) {
		times[key{f.ID, f.Address, f.Object}] = d.Findings[i].FirstSeen
	}
	return func(f providers.Finding) time.Time { return times[key{f.ID, f.Address, f.Object}] }
}

// since says when something was first seen: "first seen 3 days ago (2026-11-25 09:00 UTC)". Empty where that is not
// known, or is less than a minute ago: it is new.
func since(first, now time.Time) string {
	age := now.Sub(first)
	if first.IsZero() || age < time.Minute {
		return ""
	}
	return fmt.Sprintf("first seen %s ago (%s UTC)", Age(age), first.UTC().Format("2006-01-02 15:04"))
}

// Age spells how long something lasts, in its largest unit: "3 days", "26 hours", "1 minute".
func Age(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return plural(int(d/(24*time.Hour)), "day")
	case d >= time.Hour:
		return plural(int(d/time.Hour), "hour")
	default:
		return plural(int(d/time.Minute), "minute")
	}
}

// waits writes the steps that an earlier apply left waiting, one a line, and then an empty line.
func (p *page) waits(waits []report.Wait, now time.Time) {
	for _, w := range waits {
		p.wrapped(yellow, "Waits    ", fmt.Sprintf("%s has waited %s for %s (since %s UTC)",
			clean(w.Step), Age(now.Sub(w.Since)), clean(w.For), w.Since.UTC().Format("2006-01-02 15:04")))
	}
	if len(waits) > 0 {
		p.line()
	}
}
