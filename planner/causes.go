package planner

import (
	"slices"
	"strings"

	"upkeep/providers"
)

// onePerCause leaves one finding of each cause that several resources report: the first whose id is not a general one,
// else the first. It stands where it stood, and takes on what the others know more: the worst severity, that something
// is unknown, that work waits, and what they say to do.
func (d domains) onePerCause(findings []providers.Finding) []providers.Finding {
	kept := map[string]int{} // the index of the one that stays, by cause
	for i, f := range findings {
		first, twice := kept[f.Cause]
		if !twice || d.general[findings[first].ID] && !d.general[f.ID] {
			kept[f.Cause] = i
		}
	}
	out := make([]providers.Finding, 0, len(findings))
	for i, f := range findings {
		switch {
		case f.Cause == "":
		case kept[f.Cause] != i:
			continue
		default:
			for j, other := range findings {
				if j != i && other.Cause == f.Cause {
					f = gather(f, other)
				}
			}
		}
		out = append(out, f)
	}
	return out
}

// severities are in order, the worst first.
var severities = []providers.Severity{providers.SeverityError, providers.SeverityWarning, providers.SeverityNote}

// gather adds to a finding what another of the same cause knows more.
func gather(f, other providers.Finding) providers.Finding {
	if slices.Index(severities, other.Severity) < slices.Index(severities, f.Severity) {
		f.Severity = other.Severity
	}
	f.Unknown, f.Waits = f.Unknown || other.Unknown, f.Waits || other.Waits
	switch {
	case f.Hint == "":
		f.Hint = other.Hint
	case other.Hint != "" && !strings.Contains(f.Hint, other.Hint):
		f.Hint += "; " + other.Hint
	}
	return f
}
