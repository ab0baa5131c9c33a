// Package pending names the state that an interrupted Helm operation left a release in, and chooses the way out of it.
//
// It is pure: it decides on facts; providers/helm acts. Helm itself refuses every further operation on a release in
// "pending-*" ("another operation (install/upgrade/rollback) is in progress"), and leaves it so when it is killed.
package pending

import (
	"fmt"
	"strconv"
	"time"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// Action is what repairs a release.
type Action string

const (
	// None: the release is not pending.
	None Action = "none"
	// Wait: somebody may still be running on it.
	Wait Action = "wait"
	// Unlock marks the pending revision as failed. Nothing in the cluster changes, and no value is lost: the next upgrade
	// starts from the revision that is deployed or, where none ever was, from the failed one. Hooks that a chart has for
	// an install alone then do not run again.
	Unlock Action = "unlock"
)

// Repair is what to do about a release.
type Repair struct {
	Action Action `json:"action"`
	// Revision is the pending revision; the action applies to it alone.
	Revision int    `json:"revision,omitempty"`
	Status   string `json:"status,omitempty"`
	// Deployed is the revision that is still deployed next to it; 0 when there is none.
	Deployed int `json:"deployed,omitempty"`
	// Why is a sentence for a person.
	Why string `json:"why,omitempty"`
}

// label is put on Helm's record of each revision that upkeep begins, with the number of that revision: Helm hands
// labels on to the revisions that others make, so the label alone says nothing.
const label = "upkeep.dev/revision"

// Labels are what the record of a revision carries that upkeep begins; see Own.
func Labels(revision int) map[string]string { return map[string]string{label: strconv.Itoa(revision)} }

// Own reports whether upkeep began the last revision.
func Own(r facts.Release) bool {
	return r.Revision > 0 && r.Labels[label] == strconv.Itoa(r.Revision)
}

// Decide looks at a release. An operation that began less than patience ago may still be in progress and is waited for,
// unless upkeep began it: one upkeep at a time works on a cluster, and the one who acts on this holds the cluster's
// lock. patience 0 means that the caller knows that nobody is running.
func Decide(r facts.Release, clock providers.Clock, patience time.Duration) Repair {
	if r.Unknown != "" || r.Missing || !r.Pending() {
		return Repair{Action: None}
	}
	m := Repair{Revision: r.Revision, Status: r.Status}
	if deployed, ok := r.LastDeployed(); ok {
		m.Deployed = deployed.Revision
	}
	if Own(r) {
		patience = 0
	}
	began := fmt.Sprintf("revision %d is %s since %s", r.Revision, r.Status, r.Updated.UTC().Format(time.RFC3339))
	switch {
	case !clock.Passed(r.Updated.Add(patience)):
		m.Action = Wait
		m.Why = fmt.Sprintf("%s; another Helm may still work until %s", began, r.Updated.Add(patience).UTC().Format(time.RFC3339))
	case m.Deployed > 0:
		m.Action = Unlock
		m.Why = fmt.Sprintf("%s; it is marked as failed, and revision %d is what the next upgrade starts from", began, m.Deployed)
	default:
		m.Action = Unlock
		m.Why = began + " and no revision is deployed; it is marked as failed, and the next upgrade starts from it"
	}
	return m
}

// Running says that a run of upkeep is running on a release: upkeep began its pending operation, and a run holds the
// cluster's Lease. "" where that is not so. It is for words: the Lease of a run that died lasts a while longer, and the
// next run takes it and repairs the release.
func Running(r facts.Release, k facts.Kubernetes, now time.Time) string {
	if !r.Pending() || !Own(r) {
		return ""
	}
	run, ok := k.Running(now)
	if !ok {
		return ""
	}
	return fmt.Sprintf("revision %d is being upgraded by a running apply (%s, seen alive at %s); if that has died, the next apply repairs it",
		r.Revision, run.Holder, run.RenewedAt.UTC().Format(time.RFC3339))
}
