package pending_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/pending"
)

func TestStands(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	of := func(status, description string) facts.Release {
		return facts.Release{Namespace: "gpu", Name: "nvdp", Revision: 3, Status: status, Description: description, Updated: now.Add(-time.Minute)}
	}
	finding := func(f providers.Finding) providers.Finding {
		f.Severity, f.Object = providers.SeverityError, "nvdp"
		return f
	}
	for _, test := range []struct {
		name     string
		release  facts.Release
		patience time.Duration
		want     pending.Blocker
		wrong    bool
	}{
		{"deployed", of(facts.ReleaseDeployed, "Upgrade complete"), 0, pending.Blocker{}, false},
		{"failed", of(facts.ReleaseFailed, "timed out\nand more"), 0, pending.Blocker{
			Finding: finding(providers.Finding{ID: "RELEASE_FAILED", Summary: "revision 3 failed: timed out"}),
			Due:     "revision 3 failed: timed out",
		}, true},
		{"failed without a reason", of(facts.ReleaseFailed, ""), 0, pending.Blocker{
			Finding: finding(providers.Finding{ID: "RELEASE_FAILED", Summary: "revision 3 failed"}), Due: "revision 3 failed",
		}, true},
		{"somebody may be at work", of(facts.ReleasePendingUpgrade, ""), time.Hour, pending.Blocker{
			Finding: finding(providers.Finding{
				ID: "RELEASE_PENDING", Waits: true, Hint: "wait until it has ended and plan again; upkeep repairs what stays pending",
				Summary: "revision 3 is pending-upgrade since 2026-11-01T11:59:00Z; another Helm may still work until 2026-11-01T12:59:00Z",
			}),
			Due: "revision 3 is pending-upgrade", Blocked: "another operation on the release may be in progress",
		}, true},
		{"being uninstalled", of("uninstalling", ""), 0, pending.Blocker{
			Finding: finding(providers.Finding{
				ID: "RELEASE_FAILED", Summary: "revision 3 is uninstalling", Hint: "`helm history -n gpu nvdp` says what happened to it",
			}),
			Due: "revision 3 is uninstalling", Blocked: "the release is uninstalling",
		}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			clock := providers.ClockAt(now)
			repair := pending.Decide(test.release, clock, test.patience)
			got, wrong := pending.Find(test.release, repair, facts.Kubernetes{}, clock)
			if diff := cmp.Diff(test.want, got); diff != "" || wrong != test.wrong {
				t.Errorf("wrong %t, standing (-want +got):\n%s", wrong, diff)
			}
		})
	}
}
