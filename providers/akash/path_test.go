package akash_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"upkeep/config"
	"upkeep/fixtures/fakeprovider"
	"upkeep/fixtures/tasks"
	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/providers"
	"upkeep/providers/akash"
	"upkeep/providers/akash/price"
	"upkeep/providers/facts"
	"upkeep/providers/helm/values"
	"upkeep/state/journal"
)

var clock = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// journalInMemory keeps the records of one run.
type journalInMemory struct{ records []journal.Record }

func (j *journalInMemory) Append(records ...journal.Record) error {
	for _, r := range records {
		r.Seq = uint64(len(j.records) + 1)
		j.records = append(j.records, r)
	}
	return nil
}

// open opens a world with a release, and closes it with the test.
func open(t *testing.T, version string, values map[string]any) *fakeprovider.World {
	t.Helper()
	w, err := fakeprovider.Open(version, values, clock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// plan plans for some blocks in a world.
func plan(t *testing.T, w *fakeprovider.World, specs ...providers.Resource) planner.Plan {
	t.Helper()
	return planWith(t, w, nil, specs...)
}

func planWith(t *testing.T, w *fakeprovider.World, overrides []planner.Override, specs ...providers.Resource) planner.Plan {
	t.Helper()
	world := w.World(context.Background(), specs...)
	desired := fakeprovider.Desired(specs...)
	desired.Nodes = w.Nodes
	p, err := planner.Build(planner.Request{Desired: desired, World: world, Now: world.ObservedAt, Overrides: overrides}, types())
	if err != nil {
		t.Fatal(err)
	}
	p.ID = "1"
	return p
}

func types() []providers.Type { return []providers.Type{akash.Type()} }

// execute applies a plan.
func execute(t *testing.T, w *fakeprovider.World, p planner.Plan, specs ...providers.Resource) apply.Result {
	t.Helper()
	side := tasks.New(tasks.Time{At: w.Now, Sleep: w.Sleep}, 1, 2)
	e := &apply.Executor{
		Effects: akash.Type().Effects, Operations: akash.Operations(w.Tools(specs...)),
		Observe: func(ctx context.Context, steps ...providers.Step) (providers.Input, error) {
			world := w.Looked(ctx, steps, specs...)
			return providers.Input{World: world, Now: world.ObservedAt, Inventory: w.Inventory()}, nil
		},
		Identify: func(context.Context) (planner.Identity, error) { return planner.Identity{}, nil },
		Journal:  &journalInMemory{}, Now: w.Now, Tasks: side,
	}
	var result apply.Result
	var err error
	side.Run(func() { result, err = e.Run(context.Background(), p) })
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// newest is a script as it stands in values.
var newest = encoded(fakeprovider.Script(price.Newest))

func encoded(script string) string { return base64.StdEncoding.EncodeToString([]byte(script)) }

func operationsOf(p planner.Plan) []string {
	var out []string
	for _, step := range p.Steps {
		out = append(out, step.Operation)
	}
	return out
}

func ids(findings []providers.Finding) []string {
	out := []string{}
	for _, f := range findings {
		// The scripts of these worlds are nobody's: each plan says so, and TestUnpublished looks at how.
		if f.Severity != providers.SeverityNote && (f.ID != "BID_SCRIPT_CUSTOMISED" || f.Severity == providers.SeverityError) {
			out = append(out, f.ID)
		}
	}
	return out
}

// spec is a block that wants some prices of a chart.
func spec(w *fakeprovider.World, version string, gpu map[string]string) akash.Spec {
	return akash.Spec{
		Name: "main", Release: fakeprovider.Release, Namespace: fakeprovider.Namespace, Archive: "akash-archive",
		Timeout: config.Duration(8 * time.Minute),
		Chart:   &akash.Chart{Source: facts.ChartSource{Repository: w.Repository, Name: "provider"}, Version: version},
		Targets: map[string]string{"price_target_cpu": "1.6", "price_target_memory": "0.8"}, GPU: gpu,
	}
}

func TestPriceChange(t *testing.T) {
	tests := []struct {
		name, version string
		want          []string
	}{
		{"a chart that restarts the provider", "9.2.2", []string{"akash.archive", "akash.upgrade"}},
		{"a chart that leaves the old prices in the pod", "11.6.4", []string{"akash.archive", "akash.upgrade", "akash.restart"}},
		{"the newest chart", "19.0.2", []string{"akash.archive", "akash.upgrade"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := open(t, test.version, map[string]any{
				"gatewayApi":       map[string]any{"enabled": false},
				"price_target_cpu": 1.6, "price_target_memory": 0.5, "price_target_gpu_mappings": "t4=80", "key": "canary-key", "keysecret": "canary-pass",
				"domain": "example.net", "bidpricescript": newest,
			})
			s := spec(w, test.version, map[string]string{"a100": "120", "t4": "80"})
			p := plan(t, w, s)
			if diff := cmp.Diff(test.want, operationsOf(p)); diff != "" {
				t.Fatalf("steps (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{}, ids(p.Remaining)); diff != "" || len(p.Refusals) > 0 {
				t.Fatalf("what remains (-want +got):\n%s%v", diff, p.Refusals)
			}
			result := execute(t, w, p, s)
			if result.Outcome != apply.Complete {
				t.Fatalf("outcome %s: %+v", result.Outcome, result.Steps)
			}
			again := plan(t, w, s)
			if len(again.Steps) > 0 || len(ids(again.Findings)) > 0 {
				t.Errorf("a second plan has %v and %v", operationsOf(again), ids(again.Findings))
			}
			kept, _, err := w.Values(context.Background(), fakeprovider.Namespace, fakeprovider.Release)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]any{
				"gatewayApi":       map[string]any{"enabled": false},
				"price_target_cpu": 1.6, "price_target_memory": "0.8", "price_target_gpu_mappings": "a100=120,t4=80", "key": "canary-key", "keysecret": "canary-pass",
				"domain": "example.net", "bidpricescript": newest,
			}
			if diff := cmp.Diff(want, kept); diff != "" {
				t.Errorf("values (-want +got):\n%s", diff)
			}
			if got := w.Kept(fakeprovider.Release, 1, "old-bid-price-script.sh"); got != fakeprovider.Script(price.Newest) {
				t.Errorf("the archived script is %q", got)
			}
			if got := w.Kept(fakeprovider.Release, 1, "provider.yaml"); !strings.Contains(got, "canary-key") || strings.Contains(got, "bidpricescript") {
				t.Errorf("the archived values are %s", got)
			}
		})
	}
}

// TestFailedUpgradeGoesBack: an upgrade whose objects never get ready leaves the release as it was.
func TestFailedUpgradeGoesBack(t *testing.T) {
	w := open(t, "9.2.2", map[string]any{"price_target_cpu": "1", "key": "canary-key"})
	s := spec(w, "9.2.2", nil)
	p := plan(t, w, s)
	w.FailOnce("wait", errors.New("timed out waiting for the condition"))
	result := execute(t, w, p, s)
	last := result.Steps[len(result.Steps)-1]
	if last.Outcome != apply.Failed || !strings.Contains(last.Why, "rolled back to revision 1") {
		t.Fatalf("the upgrade ended %s: %s", last.Outcome, last.Why)
	}
	kept, revision, err := w.Values(context.Background(), fakeprovider.Namespace, fakeprovider.Release)
	if err != nil || kept["price_target_cpu"] != "1" || revision != 3 {
		t.Errorf("values %v at revision %d, %v", kept, revision, err)
	}
}

// waits keeps how long Helm was told to wait.
type waits struct {
	akash.Releases
	timeout time.Duration
}

func (w *waits) Upgrade(ctx context.Context, u akash.Upgrade, progress func(string)) error {
	w.timeout = u.Timeout
	return w.Releases.Upgrade(ctx, u, progress)
}

// TestUpgradeWaitsAsLongAsDeclared: Helm waits as the block says, and apply does not cut it off before.
func TestUpgradeWaitsAsLongAsDeclared(t *testing.T) {
	w := open(t, "9.2.2", map[string]any{"price_target_cpu": "1"})
	s := spec(w, "9.2.2", nil)
	s.Timeout = config.Duration(30 * time.Minute)
	p := plan(t, w, s)
	tools := w.Tools(s)
	releases := &waits{Releases: tools.Releases}
	tools.Releases = releases
	for _, step := range p.Steps {
		if err := akash.Operations(tools)[step.Operation].Run(t.Context(), step, nil); err != nil {
			t.Fatal(err)
		}
		if step.Operation == akash.OperationUpgrade && step.LimitDuration() <= 30*time.Minute {
			t.Errorf("the step may take %s", step.LimitDuration())
		}
	}
	if releases.timeout != 30*time.Minute {
		t.Errorf("Helm waits %s", releases.timeout)
	}
}

// TestPodThatKeepsOldPrices: what was upgraded well and does not reach the pod is taken back.
func TestPodThatKeepsOldPrices(t *testing.T) {
	w := open(t, "9.2.2", map[string]any{"price_target_cpu": "1"})
	s := spec(w, "9.2.2", nil)
	p := plan(t, w, s)
	w.KeepPods = true
	result := execute(t, w, p, s)
	last := result.Steps[len(result.Steps)-1]
	if last.Outcome != apply.Failed || !strings.Contains(last.Why, `PRICE_TARGET_CPU = "1"`) || !strings.Contains(last.Why, "rolled back to revision 1") {
		t.Fatalf("the upgrade ended %s: %s", last.Outcome, last.Why)
	}
}

// TestStalePodUnderRespelledPrices: a price that the release writes otherwise than the block stays as it is, so an
// upgrade does not restart the provider by it, whatever the preview says of the block's spelling. A pod that has
// older prices is then restarted by a step of its own: no upgrade is taken back, for ever, for a restart that cannot
// come.
func TestStalePodUnderRespelledPrices(t *testing.T) {
	ctx := context.Background()
	w := open(t, "9.2.2", map[string]any{"price_target_cpu": "1.60", "price_target_memory": "0.80", "bidpricescript": newest})
	pods := w.Typed.CoreV1().Pods(fakeprovider.Namespace)
	pod, err := pods.Get(ctx, fakeprovider.Release+"-0", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	changed := false
	for i := range pod.Spec.Containers {
		for j, e := range pod.Spec.Containers[i].Env {
			if e.Name == "PRICE_TARGET_CPU" {
				pod.Spec.Containers[i].Env[j].Value, changed = "0.9", true
			}
		}
	}
	if _, err := pods.Update(ctx, pod, metav1.UpdateOptions{}); err != nil || !changed {
		t.Fatalf("the pod has other prices: %t, %v", changed, err)
	}
	declared := spec(w, "9.2.2", nil)
	declared.Wanted = values.Part(values.Tree{"letsEncrypt": values.Tree{"providers": values.Tree{"cloudflare": values.Tree{"apiToken": "canary"}}}}, nil)
	sealed, err := declared.Seal(declared, fakeprovider.MAC)
	if err != nil {
		t.Fatal(err)
	}
	s := sealed.(akash.Spec)
	p := plan(t, w, s)
	if diff := cmp.Diff([]string{"akash.archive", "akash.upgrade", "akash.restart"}, operationsOf(p)); diff != "" {
		t.Fatalf("steps (-want +got):\n%s", diff)
	}
	if result := execute(t, w, p, s); result.Outcome != apply.Complete {
		t.Fatalf("%+v", result.Steps)
	}
	if again := plan(t, w, s); len(again.Steps) > 0 || len(ids(again.Findings)) > 0 {
		t.Errorf("a second plan has %v and %v", operationsOf(again), ids(again.Findings))
	}
	if kept, _, err := w.Values(ctx, fakeprovider.Namespace, fakeprovider.Release); err != nil || kept["price_target_cpu"] != "1.60" {
		t.Errorf("the price is now written %v, %v", kept["price_target_cpu"], err)
	}
}

// TestPendingUpgradeIsRepaired: what a kill in the middle of an upgrade leaves is repaired by the next plan, which
// then does the work.
func TestPendingUpgradeIsRepaired(t *testing.T) {
	w := open(t, "9.2.2", map[string]any{"price_target_cpu": "1"})
	s := spec(w, "9.2.2", nil)
	if result := execute(t, w, plan(t, w, s), s); result.Outcome != apply.Complete {
		t.Fatalf("%+v", result)
	}
	if err := w.SetStatus(fakeprovider.Namespace, fakeprovider.Release, 2, facts.ReleasePendingUpgrade, clock.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := w.SetStatus(fakeprovider.Namespace, fakeprovider.Release, 1, facts.ReleaseDeployed, clock.Add(-2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	p := plan(t, w, s)
	if diff := cmp.Diff([]string{"akash.repair", "akash.archive", "akash.upgrade"}, operationsOf(p)); diff != "" {
		t.Fatalf("steps (-want +got):\n%s", diff)
	}
	if got := ids(p.Findings); got[0] != "RELEASE_PENDING" || len(ids(p.Remaining)) > 0 {
		t.Errorf("findings %v, remaining %+v", ids(p.Findings), p.Remaining)
	}
	if result := execute(t, w, p, s); result.Outcome != apply.Complete {
		t.Fatalf("%+v", result.Steps)
	}
	if again := plan(t, w, s); len(again.Steps) > 0 {
		t.Errorf("a second plan has %v", operationsOf(again))
	}
}
