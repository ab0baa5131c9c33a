package keep

import "time"

// Until returns the first instant after now at which the policy could decide otherwise about bundles of which the newest
// is made when it is asked: a day ends, or a bundle leaves a span that is counted back from the newest. It may come up to
// an hour early. Zero: never. Days are those of UTC.
func Until(p Policy, bundles []Bundle, now time.Time) time.Time {
	now = now.UTC()
	var spans []Span
	calendar, hours := false, p.Hourly != 0
	for _, r := range p.rules() {
		if r.span.Zero() {
			calendar = calendar || r.bucket != nil && r.count != 0
			continue
		}
		spans = append(spans, r.span)
	}
	switch {
	case hours || len(spans) > 0:
	case calendar:
		return time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, time.UTC)
	default:
		return time.Time{}
	}
	hour := now.Truncate(time.Hour)
	until := hour.Add(time.Hour)
	for _, b := range bundles {
		// Spans have whole hours, so a bundle leaves one as far into an hour as it was made.
		leaves := hour.Add(b.Time.Sub(b.Time.Truncate(time.Hour)))
		if !leaves.After(now) || !leaves.Before(until) {
			continue
		}
		for _, s := range spans {
			if b.Time.After(s.Before(now)) != b.Time.After(s.Before(leaves)) {
				until = leaves
			}
		}
	}
	return until
}
