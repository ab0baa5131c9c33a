package pending_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/pending"
)

var began = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

func release(statuses ...string) facts.Release {
	r := facts.Release{Namespace: "n", Name: "r", Updated: began}
	for i, status := range statuses {
		r.History = append(r.History, facts.ReleaseRevision{Revision: i + 1, Status: status})
		r.Revision, r.Status = i+1, status
	}
	return r
}

// ours is a release whose record says that upkeep began a revision.
func ours(r facts.Release, revision int) facts.Release {
	r.Labels = pending.Labels(revision)
	return r
}

func TestDecide(t *testing.T) {
	for _, test := range []struct {
		name     string
		release  facts.Release
		age      time.Duration
		patience time.Duration
		want     pending.Repair
	}{
		{"deployed", release("superseded", "deployed"), time.Hour, 0, pending.Repair{Action: pending.None}},
		{"failed", release("deployed", "failed"), time.Hour, 0, pending.Repair{Action: pending.None}},
		{"missing", facts.Release{Missing: true}, time.Hour, 0, pending.Repair{Action: pending.None}},
		{"unknown", facts.Release{Unknown: "no answer", Status: "pending-upgrade"}, time.Hour, 0, pending.Repair{Action: pending.None}},
		{"perhaps still at work", release("deployed", "pending-upgrade"), 9 * time.Minute, 10 * time.Minute, pending.Repair{
			Action: pending.Wait, Revision: 2, Status: "pending-upgrade", Deployed: 1,
			Why: "revision 2 is pending-upgrade since 2026-11-22T03:00:00Z; another Helm may still work until 2026-11-22T03:10:00Z",
		}},
		{"upkeep began it", ours(release("deployed", "pending-upgrade"), 2), time.Second, 10 * time.Minute, pending.Repair{
			Action: pending.Unlock, Revision: 2, Status: "pending-upgrade", Deployed: 1,
			Why: "revision 2 is pending-upgrade since 2026-11-22T03:00:00Z; it is marked as failed, and revision 1 is what the next upgrade starts from",
		}},
		{"upkeep began the one before", ours(release("deployed", "pending-upgrade"), 1), time.Second, 10 * time.Minute, pending.Repair{
			Action: pending.Wait, Revision: 2, Status: "pending-upgrade", Deployed: 1,
			Why: "revision 2 is pending-upgrade since 2026-11-22T03:00:00Z; another Helm may still work until 2026-11-22T03:10:00Z",
		}},
		{"stale upgrade", release("superseded", "deployed", "pending-upgrade"), 10 * time.Minute, 10 * time.Minute, pending.Repair{
			Action: pending.Unlock, Revision: 3, Status: "pending-upgrade", Deployed: 2,
			Why: "revision 3 is pending-upgrade since 2026-11-22T03:00:00Z; it is marked as failed, and revision 2 is what the next upgrade starts from",
		}},
		{"our own upgrade", release("deployed", "pending-upgrade"), time.Second, 0, pending.Repair{
			Action: pending.Unlock, Revision: 2, Status: "pending-upgrade", Deployed: 1,
			Why: "revision 2 is pending-upgrade since 2026-11-22T03:00:00Z; it is marked as failed, and revision 1 is what the next upgrade starts from",
		}},
		{"stale rollback", release("superseded", "deployed", "pending-rollback"), time.Hour, 0, pending.Repair{
			Action: pending.Unlock, Revision: 3, Status: "pending-rollback", Deployed: 2,
			Why: "revision 3 is pending-rollback since 2026-11-22T03:00:00Z; it is marked as failed, and revision 2 is what the next upgrade starts from",
		}},
		{"upgrade of what never worked", release("failed", "pending-upgrade"), time.Hour, 0, pending.Repair{
			Action: pending.Unlock, Revision: 2, Status: "pending-upgrade",
			Why: "revision 2 is pending-upgrade since 2026-11-22T03:00:00Z and no revision is deployed; it is marked as failed, and the next upgrade starts from it",
		}},
		{"stale install", release("pending-install"), time.Hour, 0, pending.Repair{
			Action: pending.Unlock, Revision: 1, Status: "pending-install",
			Why: "revision 1 is pending-install since 2026-11-22T03:00:00Z and no revision is deployed; it is marked as failed, and the next upgrade starts from it",
		}},
		{"install after an uninstall that kept its history", release("uninstalled", "pending-install"), time.Hour, 0, pending.Repair{
			Action: pending.Unlock, Revision: 2, Status: "pending-install",
			Why: "revision 2 is pending-install since 2026-11-22T03:00:00Z and no revision is deployed; it is marked as failed, and the next upgrade starts from it",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := pending.Decide(test.release, providers.ClockAt(began.Add(test.age)), test.patience)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestRunning: a live run is named as such, and only where upkeep itself began the operation.
func TestRunning(t *testing.T) {
	run := func(ago time.Duration) facts.Kubernetes {
		return facts.Kubernetes{Run: &facts.Lease{Holder: "ops@cp1/7", RenewedAt: began.Add(time.Hour - ago), DurationSeconds: 180}}
	}
	mine := ours(release("deployed", "pending-upgrade"), 2)
	const want = "revision 2 is being upgraded by a running apply (ops@cp1/7, seen alive at 2026-11-22T03:59:50Z); if that has died, the next apply repairs it"
	for _, test := range []struct {
		name    string
		release facts.Release
		cluster facts.Kubernetes
		want    string
	}{
		{"a live run", mine, run(10 * time.Second), want},
		{"a run that is silent for too long", mine, run(3 * time.Minute), ""},
		{"no run", mine, facts.Kubernetes{}, ""},
		{"a Lease that was released", mine, facts.Kubernetes{Run: &facts.Lease{RenewedAt: began.Add(time.Hour), DurationSeconds: 180}}, ""},
		{"somebody else's upgrade", release("deployed", "pending-upgrade"), run(10 * time.Second), ""},
		{"nothing is pending", ours(release("superseded", "deployed"), 2), run(10 * time.Second), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, pending.Running(test.release, test.cluster, began.Add(time.Hour))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
