package helm_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm"
	"upkeep/providers/helm/fakehelm"
	"upkeep/providers/helm/pending"
)

var began = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

// interrupt leaves a revision behind as a kill would.
func interrupt(t *testing.T, fake *fakehelm.Fake, revision int, status string) {
	t.Helper()
	if err := fake.SetStatus(namespace, name, revision, status, began); err != nil {
		t.Fatal(err)
	}
}

func TestRepairLetsTheNextUpgradeThrough(t *testing.T) {
	server := repository(t)
	for _, test := range []struct {
		name      string
		revisions int
		status    string
		want      pending.Action
		after     []string // once repaired
		finally   []string // after the next upgrade
	}{
		{"killed while upgrading", 2, facts.ReleasePendingUpgrade, pending.Unlock, []string{"deployed", "failed"}, []string{"superseded", "failed", "deployed"}},
		{"killed while rolling back", 3, facts.ReleasePendingRollback, pending.Unlock, []string{"superseded", "deployed", "failed"}, []string{"superseded", "superseded", "failed", "deployed"}},
		{"killed while installing", 1, facts.ReleasePendingInstall, pending.Unlock, []string{"failed"}, []string{"superseded", "deployed"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, fake := context.Background(), fakehelm.New()
			u := install(t, fake, server, "9.2.2", map[string]any{"price_target_cpu": "1"})
			for range test.revisions - 1 {
				if _, err := fake.Upgrade(ctx, u, nil); err != nil {
					t.Fatal(err)
				}
			}
			interrupt(t, fake, test.revisions, test.status)
			if test.revisions > 1 {
				// The revision before is superseded only when the next one is deployed.
				interrupt(t, fake, test.revisions-1, facts.ReleaseDeployed)
			}
			u.Values = map[string]any{"price_target_cpu": "2"}
			u.Install = true
			if _, err := fake.Upgrade(ctx, u, nil); !errors.Is(err, helm.ErrPending) {
				t.Fatalf("Helm would refuse; we say %v", err)
			}
			m := pending.Decide(fake.Observe(ctx, question(), mac), providers.ClockAt(began.Add(time.Minute)), 0)
			if m.Action != test.want {
				t.Fatalf("decided %+v; want %s", m, test.want)
			}
			for range 2 { // repairing twice is repairing once
				if err := fake.Repair(ctx, namespace, name, m); err != nil {
					t.Fatal(err)
				}
			}
			statuses(t, fake, test.after...)
			if fake.Get("apps/v1", "StatefulSet", namespace, name) == nil {
				t.Error("repairing deleted an object")
			}
			if kept := fake.Observe(ctx, question(), mac).Values; kept["price_target_cpu"] != "1" {
				t.Errorf("repairing lost values: %v are left", kept)
			}
			if _, err := fake.Upgrade(ctx, u, nil); err != nil {
				t.Fatal(err)
			}
			statuses(t, fake, test.finally...)
			if got := environmentOf(t, fake.Get("apps/v1", "StatefulSet", namespace, name))["PRICE_TARGET_CPU"]; got != "2" {
				t.Errorf("the live object has price %s", got)
			}
		})
	}
}

func TestRepairRefusesWhatMovedOn(t *testing.T) {
	ctx, fake, server := context.Background(), fakehelm.New(), repository(t)
	u := install(t, fake, server, "9.2.2", nil)
	interrupt(t, fake, 1, facts.ReleasePendingInstall)
	m := pending.Decide(fake.Observe(ctx, question(), mac), providers.ClockAt(began), 0)
	interrupt(t, fake, 1, facts.ReleaseDeployed) // the other Helm came to its end after all
	if err := fake.Repair(ctx, namespace, name, m); !errors.Is(err, helm.ErrMoved) {
		t.Errorf("a release that is deployed by now: %v", err)
	}
	if _, err := fake.Upgrade(ctx, u, nil); err != nil {
		t.Fatal(err)
	}
	if err := fake.Repair(ctx, namespace, name, m); !errors.Is(err, helm.ErrMoved) {
		t.Errorf("a release with another revision: %v", err)
	}
	if err := fake.Repair(ctx, namespace, name, pending.Repair{Action: pending.Wait, Why: "busy"}); !errors.Is(err, helm.ErrPending) {
		t.Errorf("a release somebody works on: %v", err)
	}
	if err := fake.Repair(ctx, namespace, name, pending.Repair{Action: pending.None}); err != nil {
		t.Errorf("nothing to repair: %v", err)
	}
}

// An atomic upgrade that fails goes back to what was deployed. Where nothing ever was there is no way back, and what an
// interrupted install made is not upkeep's to uninstall: it stays, with its values.
func TestFailedUpgradeOfWhatWasNeverDeployedUninstallsNothing(t *testing.T) {
	ctx, fake, server := context.Background(), fakehelm.New(), repository(t)
	u := install(t, fake, server, "9.2.2", map[string]any{"price_target_cpu": "1"})
	interrupt(t, fake, 1, facts.ReleasePendingInstall)
	decided := pending.Decide(fake.Observe(ctx, question(), mac), providers.ClockAt(began.Add(time.Hour)), 0)
	if err := fake.Repair(ctx, namespace, name, decided); err != nil {
		t.Fatal(err)
	}
	u.Values, u.Atomic = map[string]any{"price_target_cpu": "2"}, true
	fake.FailOnce("wait", errors.New("timed out waiting for the condition"))
	if _, err := fake.Upgrade(ctx, u, nil); err == nil || !strings.Contains(err.Error(), "no deployed revision exists to go back to") {
		t.Errorf("got %v", err)
	}
	statuses(t, fake, "failed", "failed")
	if fake.Get("apps/v1", "StatefulSet", namespace, name) == nil {
		t.Error("the StatefulSet is gone")
	}
}
