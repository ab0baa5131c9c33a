package akash_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/fakeprovider"
	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/providers"
	"upkeep/providers/akash"
	"upkeep/providers/facts"
)

const operator = "inventory-operator"

// killed leaves the operator as a Helm leaves it that was killed: revision 2 has begun and not ended, beside the
// deployed revision 1. What it had written of its objects stays.
func killed(t *testing.T, w *fakeprovider.World, version, status string, ago time.Duration) {
	t.Helper()
	if err := w.UpgradeChart(fakeprovider.Namespace, operator, "akash-inventory-operator", version, map[string]any{"never": "in force", "token": "canary-token"}); err != nil {
		t.Fatal(err)
	}
	for revision, is := range map[int]string{1: facts.ReleaseDeployed, 2: status} {
		if err := w.SetStatus(fakeprovider.Namespace, operator, revision, is, w.Now().Add(-ago)); err != nil {
			t.Fatal(err)
		}
	}
}

// settled carries plans out until nothing is due, and holds the operator to a version and to the values of before.
func settled(t *testing.T, w *fakeprovider.World, s akash.Spec, version string) {
	t.Helper()
	if again := plan(t, w, s); len(again.Steps) > 0 || len(ids(again.Findings)) > 0 {
		t.Errorf("a second plan has %v and %+v", operationsOf(again), again.Findings)
	}
	has := w.Observe(context.Background(), facts.ReleaseQuestion{Namespace: fakeprovider.Namespace, Name: operator, Known: []string{"default", "beta3"},
		Keys: []string{"inventoryConfig", "cluster_storage"}})
	if has.Status != facts.ReleaseDeployed || has.Chart.Version != version {
		t.Errorf("%s is %s at version %s", operator, has.Status, has.Chart.Version)
	}
	want := map[string]any{"inventoryConfig": map[string]any{"cluster_storage": []any{"default", "beta3"}}}
	if diff := cmp.Diff(want, has.Values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

// TestOperatorThatDidNotEndWell: what a kill or a failure left of an operator's upgrade is repaired, kept and
// upgraded, with the values that were in force before.
func TestOperatorThatDidNotEndWell(t *testing.T) {
	repaired := []string{"akash.repair", "akash.archive", "akash.operator"}
	for _, test := range []struct {
		name, to, tried, status string
		want                    []string
		findings                []string
	}{
		{"killed on the way up", "12.1.3", "12.1.3", facts.ReleasePendingUpgrade,
			slices.Concat([]string{"akash.crds", "akash.archive", "akash.operator"}, repaired, []string{"akash.archive", "akash.replace", "akash.upgrade"}),
			[]string{"CHART_VERSION_DIFFERS", "CRD_DIFFERS", "OPERATOR_VERSION_DIFFERS", "RELEASE_PENDING", "OPERATOR_VERSION_DIFFERS"}},
		{"failed on the way up, and nobody went back", "12.1.3", "12.1.3", facts.ReleaseFailed,
			[]string{"akash.crds", "akash.archive", "akash.operator", "akash.archive", "akash.operator", "akash.archive", "akash.replace", "akash.upgrade"},
			[]string{"CHART_VERSION_DIFFERS", "CRD_DIFFERS", "OPERATOR_VERSION_DIFFERS", "RELEASE_FAILED", "OPERATOR_VERSION_DIFFERS"}},
		{"killed while the provider stays as it is", "11.6.3", "11.6.3", facts.ReleasePendingUpgrade, repaired, []string{"RELEASE_PENDING"}},
		{"killed on the way back", "11.6.3", "11.6.3", facts.ReleasePendingRollback, repaired, []string{"RELEASE_PENDING"}},
		{"failed while the provider stays as it is", "11.6.3", "11.6.3", facts.ReleaseFailed, []string{"akash.archive", "akash.operator"}, []string{"RELEASE_FAILED"}},
		{"somebody's newer version was killed", "11.6.3", "12.1.3", facts.ReleasePendingUpgrade, repaired, []string{"RELEASE_PENDING"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, s := withOperators(t, "11.6.3", test.to, map[bool]string{true: "v0.8.3", false: "v0.6.11"}[test.to == "12.1.3"])
			if test.to == "11.6.3" {
				s.Definitions = nil
			}
			killed(t, w, test.tried, test.status, time.Hour)
			p := plan(t, w, s)
			if diff := cmp.Diff(test.want, operationsOf(p)); diff != "" {
				t.Fatalf("steps (-want +got):\n%s%+v", diff, p.Findings)
			}
			if diff := cmp.Diff(test.findings, ids(p.Findings)); diff != "" || len(ids(p.Remaining)) > 0 || len(p.Refusals) > 0 {
				t.Errorf("findings (-want +got):\n%s%v remain, refused: %v", diff, ids(p.Remaining), p.Refusals)
			}
			for _, f := range p.Findings {
				if strings.HasPrefix(f.ID, "RELEASE_") && f.Object != operator {
					t.Errorf("%s is about %q", f.ID, f.Object)
				}
			}
			if walked, err := planner.Rehearse(p, types(), nil); err != nil || walked.Ended(planner.Proved) != len(p.Steps) || len(walked.Due) > 0 {
				t.Errorf("a rehearsal ends with %+v, %v", walked, err)
			}
			if data, err := json.Marshal(p); err != nil || strings.Contains(string(data), "canary") {
				t.Errorf("the plan holds a secret, or %v", err)
			}
			if result := execute(t, w, p, s); result.Outcome != apply.Complete {
				t.Fatalf("%+v", result.Steps)
			}
			settled(t, w, s, test.to)
			if got := w.Kept(operator, 2, operator+".yaml"); !strings.Contains(got, "beta3") || strings.Contains(got, "canary") {
				t.Errorf("the archive has %q, and not the values that an upgrade starts from", got)
			}
		})
	}
}

// TestOperatorKilledAnywhere: a run that ends after any of its steps, and before the next one, leaves work for the
// next one that ends well; what was kept is not kept twice.
func TestOperatorKilledAnywhere(t *testing.T) {
	for steps := range 4 {
		t.Run(fmt.Sprint(steps, " steps"), func(t *testing.T) {
			w, s := withOperators(t, "11.6.3", "11.6.3", "v0.6.11")
			s.Definitions = nil
			killed(t, w, "11.6.3", facts.ReleasePendingUpgrade, time.Hour)
			whole := plan(t, w, s)
			p := whole // and then the process dies
			p.Steps = p.Steps[:steps]
			if result := execute(t, w, p, s); result.Outcome != apply.Complete {
				t.Fatalf("%+v", result.Steps)
			}
			p = plan(t, w, s)
			if want := operationsOf(whole)[steps:]; !slices.Equal(want, operationsOf(p)) {
				t.Errorf("steps %v, want %v", operationsOf(p), want)
			}
			if result := execute(t, w, p, s); result.Outcome != apply.Complete {
				t.Fatalf("%+v", result.Steps)
			}
			settled(t, w, s, "11.6.3")
			if n := len(w.Archive(context.Background(), facts.ArchiveQuestion{Release: operator}).Entries); n != 1 {
				t.Errorf("the archive has %d entries", n)
			}
		})
	}
}

// TestOperatorStillAtWork: a young operation is not touched. Where the provider's chart changes, the change waits for
// it; where only a price does, that goes on.
func TestOperatorStillAtWork(t *testing.T) {
	w, s := withOperators(t, "11.6.3", "11.6.3", "v0.6.11")
	s.Definitions = nil
	killed(t, w, "11.6.3", facts.ReleasePendingUpgrade, time.Minute)
	p := plan(t, w, s)
	if len(p.Steps) > 0 || !said(p, "RELEASE_PENDING", "wait until it has ended") {
		t.Errorf("steps %v, findings %+v", operationsOf(p), p.Findings)
	}
	s.Targets["price_target_cpu"] = "2"
	if diff := cmp.Diff([]string{"akash.archive", "akash.upgrade"}, operationsOf(plan(t, w, s))); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	// Ten minutes later nobody is at work.
	if err := w.Sleep(context.Background(), 10*time.Minute); err != nil {
		t.Fatal(err)
	}
	if got := operationsOf(plan(t, w, s)); !slices.Contains(got, "akash.repair") {
		t.Errorf("steps %v", got)
	}
}

// TestOperatorRepairMoved: somebody whose Helm goes on meanwhile is not overruled.
func TestOperatorRepairMoved(t *testing.T) {
	w, s := withOperators(t, "11.6.3", "11.6.3", "v0.6.11")
	s.Definitions = nil
	killed(t, w, "11.6.3", facts.ReleasePendingUpgrade, time.Hour)
	p := plan(t, w, s)
	if err := w.UpgradeChart(fakeprovider.Namespace, operator, "akash-inventory-operator", "11.6.3", nil); err == nil {
		t.Fatal("a release that is pending was upgraded")
	}
	if err := w.SetStatus(fakeprovider.Namespace, operator, 2, facts.ReleasePendingUpgrade, w.Now()); err != nil {
		t.Fatal(err)
	}
	result := execute(t, w, p, s)
	if result.Steps[0].Outcome != apply.Refused || !strings.Contains(result.Steps[0].Why, "another Helm may still work") {
		t.Errorf("%+v", result.Steps)
	}
}

// TestOperatorIsKeptFirst: an archive that cannot be written ends the plan before anything is upgraded.
func TestOperatorIsKeptFirst(t *testing.T) {
	w, s := withOperators(t, "11.6.3", "12.1.3", "v0.8.3")
	p := plan(t, w, s)
	i := slices.IndexFunc(p.Steps, func(step providers.Step) bool { return step.ID == "akash_provider.main/archive-"+operator })
	if i < 0 || !strings.Contains(p.Steps[i].Changes[0].What+" "+p.Steps[i].Changes[0].After, operator+".yaml values of revision 1, mode 0600") {
		t.Fatalf("the plan does not say that the values of %s are kept: %+v", operator, p.Steps)
	}
	w.ArchiveFails = errors.New("no space left on device")
	result := execute(t, w, p, s)
	for _, step := range result.Steps {
		if (step.Operation == akash.OperationOperator || step.Operation == akash.OperationUpgrade) && step.Outcome == apply.Done {
			t.Errorf("%+v", step)
		}
	}
}
