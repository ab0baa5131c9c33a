package certificates

import (
	"fmt"
	"time"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// needsWindow reports whether what reads a certificate must restart once it is renewed: then the renewal waits for a
// maintenance window, since a node is not left between the two.
func needsWindow(n *facts.Node, f *facts.CertificateFile) bool {
	return rancher(n) && !selfMade(f.Name) || reader(f.Name) != ""
}

// waits reports whether the renewals of a node wait for a window: one that needs a window is due by then. What is
// renewed with it is judged at the same time, so that a plan of today is still the one that is due when the window
// opens.
func (r *review) waits(w *work) bool {
	if !r.clock.Bound() {
		return false
	}
	for i := range w.node.Certificates.Files {
		f := &w.node.Certificates.Files[i]
		if f.Kind != facts.Authority && f.Kind != facts.Kubelet && needsWindow(w.node, f) && len(f.Blocks) > 0 &&
			f.Unknown == "" && r.expiring(w, f) {
			return true
		}
	}
	return false
}

// beforeOn is how long before its end a certificate of a node is due.
func (r *review) beforeOn(n *facts.Node) time.Duration {
	if rancher(n) {
		return min(r.before, renewedAtStart) // the service renews no other one
	}
	return r.before
}

// expiring reports whether the end of a certificate makes its renewal due. Where the renewal waits for a window, that
// is judged at the next opening. What ends before the opening after that is due, too: it is moved before the freeze.
// The rule ends where it would gain little: for a certificate of which three quarters are left.
func (r *review) expiring(w *work, f *facts.CertificateFile) bool {
	end, before := f.Blocks[0].NotAfter, r.beforeOn(w.node)
	if r.clock.Passed(end.Add(-before)) {
		return true
	}
	needs := needsWindow(w.node, f)
	if !w.waits && !needs || !r.clock.Bound() || !r.clock.Passed(end.Add(-r.policy.validity*3/4)) {
		return false
	}
	if r.clock.Due(end.Add(-before)) {
		return true
	}
	return needs && r.clock.DueNext(end) && (!rancher(w.node) || r.clock.Due(end.Add(-renewedAtStart)))
}

// sparedWith is what a certificate must have left to be left to the rotation of its authority. A person does that
// rotation, and may be late: an opening that is missed must not end in an outage.
const sparedWith = 7 * 24 * time.Hour

// spared reports whether a certificate that is due is left to the rotation of its authority, which is due in this
// opening or the next one and issues the certificate again. It is not left where it would end before, or soon.
func (r *review) spared(w *work, f *facts.CertificateFile) bool {
	end := f.Blocks[0].NotAfter
	ca := file(&w.node.Certificates, f.Authority)
	if !w.waits || ca == nil || len(ca.Blocks) == 0 || r.clock.Passed(ca.Blocks[0].NotAfter) ||
		r.clock.Passed(end.Add(-sparedWith)) {
		return false
	}
	return r.clock.DueNext(ca.Blocks[0].NotAfter.Add(-r.before)) && !r.clock.DueNext(end)
}

// reviewOpenings reports what expires before its window opens, or before the window opens for the second time.
func (r *review) reviewOpenings(w *work) {
	if !r.clock.Bound() || w.outage || len(w.restart)+len(w.renewed) == 0 {
		return
	}
	start, opens := r.clock.Starts()
	for _, f := range append(w.renewed[:len(w.renewed):len(w.renewed)], w.due...) {
		end := f.Blocks[0].NotAfter
		if r.clock.Passed(end) {
			continue
		}
		finding := providers.Finding{ID: "EXPIRES_BEFORE_WINDOW", Object: f.Name, Foretold: true}
		switch {
		case r.clock.Due(end):
			finding.Severity = providers.SeverityError
			finding.Summary = fmt.Sprintf("expires %s, before its window opens (%s)", minute(end), minute(start))
			if !opens {
				finding.Summary = fmt.Sprintf("expires %s, and its window does not open again", minute(end))
			}
			finding.Hint = "add an earlier maintenance window, or renew now: `upkeep apply -override='window=REASON'`"
		case r.clock.DueNext(end):
			finding.Severity = providers.SeverityWarning
			finding.Summary = fmt.Sprintf("expires %s, before its window opens again (%s)", minute(end), minute(r.clock.Next()))
			if r.clock.Next().IsZero() {
				finding.Summary = fmt.Sprintf("expires %s, and its window opens one last time", minute(end))
			}
			finding.Hint = "upkeep renews the certificate in the opening of " + minute(start) + "; keep that opening"
		default:
			continue
		}
		r.on(w.node.Name, finding)
	}
}

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
