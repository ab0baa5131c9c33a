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

// since says when something was first seen: "first seen 3 days ago (2026-11-25 09:00 UTC)". Empty where that is not known, or
// is less than a minute ago: it is new.
func since(first, now time.Time) string {
	ago := now.Sub(first)
	if first.IsZero() || ago < time.Minute {
		return ""
	}
	text := plural(int(ago/time.Minute), "minute")
	switch {
	case ago >= 48*time.Hour:
		text = plural(int(ago/(24*time.Hour)), "day")
	case ago >= time.Hour:
		text = plural(int(ago/time.Hour), "hour")
	}
	return fmt.Sprintf("first seen %s ago (%s UTC)", text, first.UTC().Format("2006-01-02 15:04"))
}
