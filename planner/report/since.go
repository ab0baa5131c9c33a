package report

import (
	"fmt"
	"time"

	"upkeep/providers"
)

// FirstSeen says when a finding was first seen; the zero time where that is not known. Nil: nothing is known.
type FirstSeen func(providers.Finding) time.Time

// DriftFinding is a finding, and since when it is known.
type DriftFinding struct {
	providers.Finding
	// FirstSeen is absent where it is not known.
	FirstSeen time.Time `json:"first_seen,omitzero"`
}

// WithFirstSeen returns the report with what is known of when its findings were first seen.
func (d DriftJSON) WithFirstSeen(first FirstSeen) DriftJSON {
	findings := make([]DriftFinding, len(d.Findings))
	for i, f := range d.Findings {
		f.FirstSeen = first(f.Finding)
		findings[i] = f
	}
	d.Findings = findings
	return d
}

// bare returns the findings of the report without their times.
func (d DriftJSON) bare() []providers.Finding {
	findings := make([]providers.Finding, len(d.Findings))
	for i, f := range d.Findings {
		findings[i] = f.Finding
	}
	return findings
}

// firstSeen looks the times up again by findings that were cleaned for a page.
func (d DriftJSON) firstSeen() FirstSeen {
	type key struct {
		id      string
		address providers.Address
		object  string
	}
	times := map[key]time.Time{}
	for i, f := range cleanFindings(d.bare()) {
		times[key{f.ID, f.Address, f.Object}] = d.Findings[i].FirstSeen
	}
	return func(f providers.Finding) time.Time { return times[key{f.ID, f.Address, f.Object}] }
}

// WithFirstSeen returns the status with what is known of when something about its objects was first found: of each object
// that is not well, the earliest time of the findings about it.
func (s StatusJSON) WithFirstSeen(findings []providers.Finding, first FirstSeen) StatusJSON {
	type key struct {
		address providers.Address
		object  string
	}
	times := map[key]time.Time{}
	for _, f := range findings {
		k := key{f.Address, f.Object}
		times[k] = earlier(times[k], first(f))
	}
	objects := make([]Object, len(s.Objects))
	for i, o := range s.Objects {
		if o.Status != "ok" {
			o.FirstSeen = times[key{o.Address, o.Name}]
		}
		objects[i] = o
	}
	s.Objects = objects
	return s
}

// earlier returns the earlier of two times; one that is not known does not count.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
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
