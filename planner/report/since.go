package report

import (
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

// Bare returns the findings of the report without their times.
func (d DriftJSON) Bare() []providers.Finding {
	findings := make([]providers.Finding, len(d.Findings))
	for i, f := range d.Findings {
		findings[i] = f.Finding
	}
	return findings
}

// WithFirstSeen returns the status with what is known of when something about its objects was first found: of each
// object that is not well, the earliest time of the findings about it.
func (s StatusJSON) WithFirstSeen(findings []providers.Finding, first FirstSeen) StatusJSON {
	type key struct {
		address providers.Address
		object  string
	}
	times := map[key]time.Time{}
	for _, f := range findings {
		k := key{f.Address, f.Object}
		times[k] = Earlier(times[k], first(f))
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

// Earlier returns the earlier of two times; one that is not known does not count.
func Earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
