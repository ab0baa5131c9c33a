package pending

import (
	"fmt"
	"strings"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// Blocker is how the last revision of a release is in the way of the one who wants to upgrade it.
type Blocker struct {
	// Finding says what is wrong with it, without an address.
	Finding providers.Finding
	// Due is what the next upgrade is to repair, in words.
	Due string
	// Blocked says why no upgrade may be planned now; "" where one may.
	Blocked string
}

// Find looks at what Helm says of the last revision, and at what is decided about it. It reports false where that
// revision is deployed, and nothing is in the way.
func Find(r facts.Release, m Repair, k facts.Kubernetes, clock providers.Clock) (Blocker, bool) {
	s := Blocker{Finding: providers.Finding{ID: "RELEASE_FAILED", Severity: providers.SeverityError, Object: r.Name}}
	s.Due = fmt.Sprintf("revision %d is %s", r.Revision, r.Status)
	s.Finding.Summary = s.Due
	switch {
	case m.Action == Wait:
		s.Finding.ID, s.Finding.Summary, s.Finding.Waits = "RELEASE_PENDING", m.Why, true
		s.Finding.Hint = "wait until it has ended and plan again; upkeep repairs what stays pending"
		s.Blocked = "another operation on the release may be in progress"
	case m.Action != None:
		s.Finding.ID, s.Finding.Summary = "RELEASE_PENDING", m.Why
		s.Due = fmt.Sprintf("revision %d was interrupted and is %s", r.Revision, r.Status)
		if running := Running(r, k, clock.Now()); running != "" {
			s.Finding.Summary, s.Due = running, running
		}
	case r.Status == facts.ReleaseDeployed:
		return Blocker{}, false
	case r.Status == facts.ReleaseFailed:
		s.Due = fmt.Sprintf("revision %d failed", r.Revision)
		if why, _, _ := strings.Cut(r.Description, "\n"); why != "" {
			s.Due += ": " + why
		}
		s.Finding.Summary = s.Due
	default:
		s.Finding.Hint = fmt.Sprintf("`helm history -n %s %s` says what happened to it", r.Namespace, r.Name)
		s.Blocked = "the release is " + r.Status
	}
	return s, true
}
