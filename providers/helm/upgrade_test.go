package helm_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"upkeep/providers/facts"
	"upkeep/providers/helm"
	"upkeep/providers/helm/fakehelm"
)

func TestInstallAndUpgradeKeepWhatIsNotMentioned(t *testing.T) {
	fake, server := fakehelm.New(), repository(t)
	u := install(t, fake, server, "6.0.5", map[string]any{"from": "akash1abc", "price_target_cpu": "1.60", "monitor": map[string]any{"maxRetries": 10}})
	u.Version = "9.2.2"
	u.Values = map[string]any{"price_target_cpu": "2.00"}
	u.Revision = 1
	result, err := fake.Upgrade(context.Background(), u, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := helm.Result{Revision: 2, Chart: facts.ChartVersion{Name: "provider", Version: "9.2.2", AppVersion: "0.5.11"}, Digest: digestOf(t, "provider", "9.2.2")}
	if diff := cmp.Diff(want, result); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	values, revision, err := fake.Values(context.Background(), namespace, name)
	if err != nil || revision != 2 {
		t.Fatalf("values: revision %d, %v", revision, err)
	}
	wantValues := map[string]any{"from": "akash1abc", "price_target_cpu": "2.00", "monitor": map[string]any{"maxRetries": 10.0}}
	if diff := cmp.Diff(wantValues, values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	set := fake.Get("apps/v1", "StatefulSet", namespace, name)
	env := environmentOf(t, set)
	if env["PRICE_TARGET_CPU"] != "2.00" || env["AKASH_MONITOR_MAX_RETRIES"] != "10" {
		t.Errorf("the live object has %v", env)
	}
	if fake.Get("v1", "ConfigMap", namespace, name+"-boot") != nil {
		t.Error("the ConfigMap that only the old chart renders is still there")
	}
}

func environmentOf(t *testing.T, set *unstructured.Unstructured) map[string]string {
	t.Helper()
	containers, _, err := unstructured.NestedSlice(set.Object, "spec", "template", "spec", "containers")
	if err != nil || len(containers) != 1 {
		t.Fatalf("containers: %v, %v", containers, err)
	}
	out := map[string]string{}
	list, _, _ := unstructured.NestedSlice(containers[0].(map[string]any), "env")
	for _, entry := range list {
		variable := entry.(map[string]any)
		out[variable["name"].(string)], _ = variable["value"].(string)
	}
	return out
}

func TestRemoveTakesAValueBackToTheChart(t *testing.T) {
	fake, server := fakehelm.New(), repository(t)
	u := install(t, fake, server, "9.2.2", map[string]any{"price_target_cpu": "1.60", "debug_bid_script": "1"})
	u.Values, u.Remove = nil, []string{"debug_bid_script", "not.there"}
	if _, err := fake.Upgrade(context.Background(), u, nil); err != nil {
		t.Fatal(err)
	}
	values, _, err := fake.Values(context.Background(), namespace, name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"price_target_cpu": "1.60"}, values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func TestUpgradeRefuses(t *testing.T) {
	server := repository(t)
	for _, test := range []struct {
		name    string
		change  func(*testing.T, *fakehelm.Fake, *helm.Upgrade)
		want    error
		message string
	}{
		{"a release that has moved on", func(_ *testing.T, _ *fakehelm.Fake, u *helm.Upgrade) { u.Revision = 7 }, helm.ErrMoved, "it is at revision 1, not 7"},
		{"a release that is pending", func(t *testing.T, f *fakehelm.Fake, _ *helm.Upgrade) {
			interrupt(t, f, 1, facts.ReleasePendingUpgrade)
		}, helm.ErrPending, "revision 1 is pending-upgrade"},
		{"a release that is gone", func(_ *testing.T, _ *fakehelm.Fake, u *helm.Upgrade) { u.Release, u.Revision = "other", 3 }, helm.ErrMoved, "it was at revision 3 and is gone"},
		{"a release that is not there", func(_ *testing.T, _ *fakehelm.Fake, u *helm.Upgrade) { u.Release = "other" }, nil, "there is no such release"},
		{"an unpinned version", func(_ *testing.T, _ *fakehelm.Fake, u *helm.Upgrade) { u.Version = "" }, nil, "needs an exact chart version"},
		{"another digest", func(_ *testing.T, _ *fakehelm.Fake, u *helm.Upgrade) { u.SHA256 = strings.Repeat("0", 64) }, nil, "has sha256 " + digestOf(t, "provider", "9.2.2") + ", not the expected 0000"},
		{"a version that is not there", func(_ *testing.T, _ *fakehelm.Fake, u *helm.Upgrade) { u.Version = "1.2.3" }, nil, `has no version 1.2.3 of chart "provider"`},
		{"a kind that the cluster has not", func(_ *testing.T, _ *fakehelm.Fake, u *helm.Upgrade) { u.Version = "16.0.0" }, nil, "no matches for kind \"HTTPRoute\""},
	} {
		t.Run(test.name, func(t *testing.T) {
			fake := fakehelm.New()
			u := install(t, fake, server, "6.0.5", nil)
			u.Version = "9.2.2"
			test.change(t, fake, &u)
			_, err := fake.Upgrade(context.Background(), u, nil)
			if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.message) {
				t.Errorf("got %v; want %v with %q", err, test.want, test.message)
			}
			if history, err := fake.History(context.Background(), namespace, name); err != nil || len(history) != 1 {
				t.Errorf("history after a refusal: %v, %v", history, err)
			}
		})
	}
}

func TestFailedUpgradeIsRolledBack(t *testing.T) {
	server := repository(t)
	for _, test := range []struct{ name, act string }{{"while objects are written", "update"}, {"while waiting", "wait"}} {
		t.Run(test.name, func(t *testing.T) {
			fake := fakehelm.New()
			u := install(t, fake, server, "9.2.2", map[string]any{"price_target_cpu": "1.60"})
			u.Values, u.Atomic = map[string]any{"price_target_cpu": "9.99"}, true
			fake.FailOnce(test.act, errors.New("context deadline exceeded"))
			_, err := fake.Upgrade(context.Background(), u, nil)
			var back *helm.RolledBack
			if !errors.As(err, &back) || back.To != 1 {
				t.Fatalf("got %v; want a rollback to revision 1", err)
			}
			if !strings.Contains(err.Error(), "context deadline exceeded") {
				t.Errorf("the error lost its reason: %v", err)
			}
			if got := environmentOf(t, fake.Get("apps/v1", "StatefulSet", namespace, name))["PRICE_TARGET_CPU"]; got != "1.60" {
				t.Errorf("the live object has price %s", got)
			}
			statuses(t, fake, "superseded", "failed", "deployed")
		})
	}
}

// A process sleeps while Helm waits. Another run upgrades the release, and that stays when the first one wakes and
// fails.
func TestAFailedUpgradeUndoesNobodyElsesWork(t *testing.T) {
	server := repository(t)
	for name, test := range map[string]struct {
		meanwhile func(*fakehelm.Fake, helm.Upgrade) error
		message   string
		price     string
	}{
		"another upgrade": {func(fake *fakehelm.Fake, u helm.Upgrade) error {
			if err := fake.SetStatus(u.Namespace, u.Release, 2, facts.ReleaseFailed, time.Now()); err != nil {
				return err
			}
			u.Values, u.Revision = map[string]any{"price_target_cpu": "2.00"}, 2
			_, err := fake.Upgrade(context.Background(), u, nil)
			return err
		}, "revision 3 came after revision 2", "2.00"},
		"nothing": {func(*fakehelm.Fake, helm.Upgrade) error { return nil }, "rolled back to revision 1", "1.60"},
	} {
		t.Run(name, func(t *testing.T) {
			fake := fakehelm.New()
			u := install(t, fake, server, "9.2.2", map[string]any{"price_target_cpu": "1.60"})
			u.Values, u.Atomic = map[string]any{"price_target_cpu": "9.99"}, true
			var other error
			fake.During("wait", func() {
				other = test.meanwhile(fake, u)
				fake.FailOnce("wait", errors.New("the lock was lost"))
			})
			_, err := fake.Upgrade(context.Background(), u, nil)
			if err == nil || !strings.Contains(err.Error(), test.message) || !strings.Contains(err.Error(), "the lock was lost") || other != nil {
				t.Errorf("got %v; want %q; the other run: %v", err, test.message, other)
			}
			if got := environmentOf(t, fake.Get("apps/v1", "StatefulSet", u.Namespace, u.Release))["PRICE_TARGET_CPU"]; got != test.price {
				t.Errorf("the live object has price %s, want %s", got, test.price)
			}
		})
	}
}

func TestFailedUpgradeWithoutAtomicStaysForTheNextOne(t *testing.T) {
	fake, server := fakehelm.New(), repository(t)
	u := install(t, fake, server, "9.2.2", map[string]any{"price_target_cpu": "1.60"})
	fake.FailOnce("wait", errors.New("not ready"))
	u.Values = map[string]any{"price_target_memory": "7"}
	if _, err := fake.Upgrade(context.Background(), u, nil); err == nil || errors.As(err, new(*helm.RolledBack)) {
		t.Fatalf("got %v; want a plain failure", err)
	}
	statuses(t, fake, "deployed", "failed")
	observed := fake.Observe(context.Background(), question(), mac)
	if diff := cmp.Diff(map[string]any{"price_target_cpu": "1.60"}, observed.Kept); diff != "" {
		t.Errorf("kept values (-want +got):\n%s", diff)
	}
	u.Values = map[string]any{"price_target_cpu": "2"}
	if _, err := fake.Upgrade(context.Background(), u, nil); err != nil {
		t.Fatal(err)
	}
	statuses(t, fake, "superseded", "failed", "deployed")
	values, _, _ := fake.Values(context.Background(), namespace, name)
	if diff := cmp.Diff(map[string]any{"price_target_cpu": "2"}, values); diff != "" {
		t.Errorf("values of the failed revision crept in (-want +got):\n%s", diff)
	}
}

func TestFailedInstallIsUninstalled(t *testing.T) {
	fake, server := fakehelm.New(), repository(t)
	fake.FailOnce("wait", errors.New("not ready"))
	u := helm.Upgrade{Namespace: namespace, Release: name, Source: provider(server), Version: "9.2.2", Install: true, Atomic: true}
	_, err := fake.Upgrade(context.Background(), u, nil)
	var back *helm.RolledBack
	if !errors.As(err, &back) || back.To != 0 {
		t.Fatalf("got %v; want an uninstall", err)
	}
	if observed := fake.Observe(context.Background(), question(), mac); !observed.Missing {
		t.Errorf("the release is still there: %+v", observed)
	}
}

func TestErrorsHoldNoSecrets(t *testing.T) {
	fake, server := fakehelm.New(), repository(t)
	u := install(t, fake, server, "9.2.2", map[string]any{"key": canaryEncoded})
	u.Values = map[string]any{"price_target_cpu": "2"}
	fake.FailOnce("update", errors.New("Invalid value: "+canary+" and "+canaryEncoded))
	_, err := fake.Upgrade(context.Background(), u, nil)
	if err == nil || strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), canaryEncoded) {
		t.Errorf("the error is %v", err)
	}
	observed := fake.Observe(context.Background(), question(), mac)
	if text := marshal(t, observed); strings.Contains(text, canary) || strings.Contains(text, canaryEncoded) {
		t.Errorf("the failure's description holds the secret: %s", text)
	}
}

func TestRollback(t *testing.T) {
	fake, server := fakehelm.New(), repository(t)
	u := install(t, fake, server, "9.2.2", map[string]any{"price_target_cpu": "1.60"})
	u.Values = map[string]any{"price_target_cpu": "3"}
	if _, err := fake.Upgrade(context.Background(), u, nil); err != nil {
		t.Fatal(err)
	}
	back := helm.Rollback{Namespace: namespace, Release: name, To: 1, Revision: 1, Wait: true}
	if err := fake.Rollback(context.Background(), back, nil); !errors.Is(err, helm.ErrMoved) {
		t.Errorf("from a revision that is not the last: %v", err)
	}
	back.Revision = 2
	if err := fake.Rollback(context.Background(), back, nil); err != nil {
		t.Fatal(err)
	}
	if got := environmentOf(t, fake.Get("apps/v1", "StatefulSet", namespace, name))["PRICE_TARGET_CPU"]; got != "1.60" {
		t.Errorf("the live object has price %s", got)
	}
	statuses(t, fake, "superseded", "superseded", "deployed")
}

func TestCanceledContextStartsNothing(t *testing.T) {
	fake, server := fakehelm.New(), repository(t)
	u := install(t, fake, server, "9.2.2", nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := fake.Upgrade(ctx, u, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	statuses(t, fake, "deployed")
}

func statuses(t *testing.T, fake *fakehelm.Fake, want ...string) {
	t.Helper()
	history, err := fake.History(context.Background(), namespace, name)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, revision := range history {
		got = append(got, revision.Status)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
}
