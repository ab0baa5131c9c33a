package akash_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/fakeprovider"
	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/providers"
	"upkeep/providers/akash"
	"upkeep/providers/akash/price"
	"upkeep/providers/facts"
)

// healthy is a world where everything is as the returned block says.
func healthy(t *testing.T) (*fakeprovider.World, akash.Spec) {
	t.Helper()
	w := open(t, "9.2.2", map[string]any{
		"price_target_cpu": 1.6, "price_target_memory": "0.80", "price_target_gpu_mappings": "t4=80,a100=120", "bidpricescript": newest, "key": "canary-key",
	})
	w.Kubernetes, w.Tenancies = kubernetes(), tenancies()
	return w, spec(w, "9.2.2", map[string]string{"a100": "120", "t4": "80"})
}

// TestFindings changes one thing of a healthy world at a time. The world writes two prices otherwise than the block,
// so that an upgrade which changes no price is not known to restart the provider: see respelled.
func TestFindings(t *testing.T) {
	tests := []struct {
		name   string
		change func(*akash.Spec, *facts.World, *facts.Release)
		want   []string
		steps  []string
	}{
		{"nothing", func(*akash.Spec, *facts.World, *facts.Release) {}, []string{}, nil},
		{"the release is unknown", func(_ *akash.Spec, _ *facts.World, r *facts.Release) { r.Unknown = "forbidden" }, []string{"RELEASE_UNKNOWN"}, nil},
		{"the release is missing", func(_ *akash.Spec, _ *facts.World, r *facts.Release) { r.Missing = true }, []string{"PROVIDER_MISSING"}, nil},
		{"the cluster is unknown", func(_ *akash.Spec, w *facts.World, _ *facts.Release) {
			w.Kubernetes = facts.Kubernetes{Unknown: "refused"}
		},
			[]string{"FLEET_GPUS_UNKNOWN"}, nil},
		{"the workloads are unknown", func(_ *akash.Spec, _ *facts.World, r *facts.Release) {
			r.WorkloadsUnknown, r.Workloads = "forbidden", nil
		},
			[]string{"PROVIDER_UNKNOWN"}, nil},
		{"the objects are unknown", func(_ *akash.Spec, _ *facts.World, r *facts.Release) { r.ObjectsUnknown = "forbidden" }, []string{"RELEASE_UNKNOWN"}, nil},
		{"the chart is unknown and nothing is due", func(_ *akash.Spec, _ *facts.World, r *facts.Release) {
			r.Offer = &facts.ChartOffer{Unknown: "no such host"}
		},
			[]string{"CHART_UNKNOWN"}, nil},
		{"the chart is unknown and something is due", func(s *akash.Spec, _ *facts.World, r *facts.Release) {
			r.Offer = &facts.ChartOffer{Unknown: "no such host"}
			s.Targets["price_target_cpu"] = "2"
		}, []string{"RELEASE_UPGRADE_BLOCKED", "PRICE_TARGET_DIFFERS", "CHART_UNKNOWN"}, nil},
		{"another operation is under way", func(_ *akash.Spec, _ *facts.World, r *facts.Release) {
			r.Status, r.Updated = facts.ReleasePendingUpgrade, clock.Add(-time.Minute)
		}, []string{"RELEASE_PENDING"}, nil},
		{"an operation was interrupted", func(_ *akash.Spec, _ *facts.World, r *facts.Release) {
			r.Status, r.Updated = facts.ReleasePendingUpgrade, clock.Add(-time.Hour)
		}, []string{"RELEASE_PENDING"}, []string{"akash.repair", "akash.archive", "akash.upgrade", "akash.restart"}},
		{"the last revision failed", func(_ *akash.Spec, _ *facts.World, r *facts.Release) { r.Status = facts.ReleaseFailed },
			[]string{"RELEASE_FAILED"}, []string{"akash.archive", "akash.upgrade", "akash.restart"}},
		{"an object was changed", func(_ *akash.Spec, _ *facts.World, r *facts.Release) {
			r.Objects = []facts.ObjectDrift{{Kind: "ConfigMap", Name: "akash-provider-pricing", Differences: []facts.FieldDifference{{Path: "data.A", Rendered: "1", Live: "2"}}}}
		}, []string{"RELEASE_DRIFT"}, []string{"akash.archive", "akash.upgrade", "akash.restart"}},
		{"the number zero", func(s *akash.Spec, _ *facts.World, r *facts.Release) {
			r.Values["price_target_endpoint"] = 0.0
			s.Targets["price_target_endpoint"] = "0"
		}, []string{"PRICE_TARGET_DIFFERS"}, []string{"akash.archive", "akash.upgrade"}},
		{"an exponent", func(s *akash.Spec, _ *facts.World, r *facts.Release) {
			r.Values["price_target_cpu"] = 0.00001
			s.Targets["price_target_cpu"] = "0.00001"
		}, []string{"PRICE_TARGET_DIFFERS", "POD_STALE"}, []string{"akash.archive", "akash.upgrade"}},
		{"the pod has old prices", func(_ *akash.Spec, _ *facts.World, r *facts.Release) {
			r.Workloads[0].Pods[0].Containers[0].Env = slices.DeleteFunc(slices.Clone(r.Workloads[0].Pods[0].Containers[0].Env), func(e facts.EnvVar) bool { return e.Name == "PRICE_TARGET_CPU" })
		}, []string{"POD_STALE"}, []string{"akash.restart"}},
		{"the pod printed old prices", func(_ *akash.Spec, _ *facts.World, r *facts.Release) {
			c := &r.Workloads[0].Pods[0].Containers[0]
			c.LiveUnknown, c.Live = "", map[string]string{"PRICE_TARGET_CPU": "9", "PRICE_TARGET_MEMORY": "0.8", "PRICE_TARGET_GPU_MAPPINGS": "a100=120,t4=80"}
		}, []string{"POD_STALE"}, []string{"akash.restart"}},
		{"the pod is not ready", func(_ *akash.Spec, _ *facts.World, r *facts.Release) {
			r.Workloads[0].Pods[0].Ready, r.Workloads[0].Pods[0].Problem = false, "CrashLoopBackOff"
		}, []string{"PROVIDER_NOT_RUNNING"}, nil},
		{"somebody stopped the provider", func(_ *akash.Spec, _ *facts.World, r *facts.Release) {
			r.Workloads[0].Replicas, r.Workloads[0].Pods = 0, nil
		}, []string{"PROVIDER_STOPPED"}, nil},
		{"upkeep stopped the provider", func(_ *akash.Spec, _ *facts.World, r *facts.Release) {
			r.Workloads[0].Replicas, r.Workloads[0].Pods = 0, nil
			r.Workloads[0].Annotations = map[string]string{"upkeep.dev/stopped-by": "plan 1", "upkeep.dev/stopped-replicas": "1"}
		}, []string{"PROVIDER_STOPPED"}, []string{"akash.start"}},
		{"a model of the fleet has no price", func(_ *akash.Spec, w *facts.World, _ *facts.Release) {
			w.Kubernetes.Nodes[0].Labels["akash.network/capabilities.gpu.vendor.nvidia.model.h100"] = "8"
		}, []string{"PRICE_MODEL_UNPRICED"}, nil},
		{"there is no script", func(_ *akash.Spec, _ *facts.World, r *facts.Release) { delete(r.Values, "bidpricescript") },
			[]string{"BID_SCRIPT_MISSING"}, nil},
		{"the script is old", func(s *akash.Spec, _ *facts.World, r *facts.Release) {
			r.Values["bidpricescript"] = encoded(fakeprovider.Script(price.Sept19))
			r.Values["price_target_gpu_mappings"] = "a100.80Gi=1000,a100=120,t4=80.5"
			s.GPU = nil
			for _, c := range []*facts.Container{&r.Workloads[0].Pods[0].Containers[0]} {
				c.LiveUnknown, c.Live = "", map[string]string{"PRICE_TARGET_CPU": "1.6", "PRICE_TARGET_MEMORY": "0.8", "PRICE_TARGET_GPU_MAPPINGS": "a100.80Gi=1000,a100=120,t4=80.5"}
			}
		}, []string{"BID_SCRIPT_NO_UACT", "BID_SCRIPT_TOO_OLD", "BID_SCRIPT_TOO_OLD"}, nil},
		{"debugging", func(_ *akash.Spec, _ *facts.World, r *facts.Release) {
			r.Values["debug_bid_script"] = true
		}, []string{"POD_STALE", "BID_SCRIPT_DEBUG"}, []string{"akash.restart"}},
		{"another script is wanted", func(s *akash.Spec, _ *facts.World, _ *facts.Release) {
			s.Script = &akash.Script{File: "a", Text: fakeprovider.Script(price.Feb04)}
		}, []string{"RELEASE_UPGRADE_BLOCKED", "BID_SCRIPT_DIFFERS", "BID_SCRIPT_CUSTOMISED"}, nil},
		{"another script stands behind the URL", func(s *akash.Spec, w *facts.World, _ *facts.Release) {
			s.Script = &akash.Script{URL: "https://a", SHA256: "aa"}
			w.Downloads["https://a"] = facts.Download{SHA256: "bb", Text: "x"}
		}, []string{"BID_SCRIPT_DIGEST"}, nil},
		{"the URL does not answer", func(s *akash.Spec, w *facts.World, _ *facts.Release) {
			s.Script = &akash.Script{URL: "https://a", SHA256: "aa"}
			w.Downloads["https://a"] = facts.Download{Unknown: "404"}
		}, []string{"BID_SCRIPT_UNKNOWN"}, nil},
		{"a chart without price targets", func(s *akash.Spec, _ *facts.World, _ *facts.Release) { s.Chart.Version = "6.0.4" },
			[]string{"RELEASE_UPGRADE_BLOCKED", "CHART_VERSION_DIFFERS", "CHART_TOO_OLD"}, nil},
		{"an operator is old", func(s *akash.Spec, w *facts.World, _ *facts.Release) {
			s.Chart.Version = "11.6.3"
			w.Releases["akash-services/inventory-operator"] = &facts.Release{Name: "inventory-operator", Status: facts.ReleaseDeployed, Chart: facts.ChartVersion{Version: "9.2.0"}}
		}, []string{"RELEASE_UPGRADE_BLOCKED", "CHART_VERSION_DIFFERS", "CHART_GATE", "CHART_GATE"}, nil},
		{"a change that Kubernetes forbids", func(s *akash.Spec, _ *facts.World, r *facts.Release) {
			s.Chart.Version = "12.0.0"
			r.Offer.Preview.Forbidden = []string{"StatefulSet akash-provider: spec.volumeClaimTemplates"}
		}, []string{"CHART_VERSION_DIFFERS"}, []string{"akash.archive", "akash.replace", "akash.upgrade"}},
		{"too far in one step", func(s *akash.Spec, _ *facts.World, r *facts.Release) {
			s.Chart.Version = "16.0.0"
			r.Offer.Preview.Absent = []string{"gateway.networking.k8s.io/v1 HTTPRoute"}
		}, []string{"RELEASE_UPGRADE_BLOCKED", "CHART_VERSION_DIFFERS", "CHART_GATE"}, nil},
		{"the facts are about another version of the chart", func(s *akash.Spec, _ *facts.World, _ *facts.Release) { s.Chart.Version = "7.0.0" },
			[]string{"RELEASE_UPGRADE_BLOCKED", "CHART_VERSION_DIFFERS", "CHART_UNKNOWN"}, nil},
		{"a value is wanted", func(s *akash.Spec, _ *facts.World, _ *facts.Release) {
			s.Values = map[string]any{"domain": "example.net"}
		},
			[]string{"RELEASE_VALUE_DIFFERS"}, []string{"akash.archive", "akash.upgrade", "akash.restart"}},
	}
	w, declared := healthy(t)
	recorded, err := json.Marshal(w.World(context.Background(), declared))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var world facts.World
			if err := json.Unmarshal(recorded, &world); err != nil {
				t.Fatal(err)
			}
			if world.Downloads == nil {
				world.Downloads = map[string]facts.Download{}
			}
			s := declared
			chart := *declared.Chart
			s.Chart, s.Targets = &chart, map[string]string{"price_target_cpu": "1.6", "price_target_memory": "0.8"}
			release := world.Releases["akash-services/akash-provider"]
			test.change(&s, &world, release)
			if release.Offer != nil && s.Chart.Version != "7.0.0" {
				release.Offer.Chosen.Version = s.Chart.Version // as if it was observed for this version
			}
			p, err := planner.Build(planner.Request{Desired: fakeprovider.Desired(s), World: world, Now: clock}, types())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, ids(p.Findings)); diff != "" {
				t.Errorf("findings (-want +got):\n%s%+v", diff, p.Findings)
			}
			if diff := cmp.Diff(test.steps, operationsOf(p)); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			if strings.Contains(strings.Join(p.Warnings, "\n"), "does not settle") {
				t.Errorf("the plan does not settle: %v", p.Warnings)
			}
			for _, f := range p.Findings {
				if f.Position != s.Position.String() && f.Position == "" && s.Position.File != "" {
					t.Errorf("%s has no place", f.ID)
				}
			}
		})
	}
}

// TestSecrets: a sensitive value reaches the release and nothing else.
func TestSecrets(t *testing.T) {
	w := open(t, "9.2.2", map[string]any{"price_target_cpu": 1.6, "price_target_memory": 0.8, "key": "canary-key", "bidpricescript": newest})
	declared, diags := load(t, strings.ReplaceAll(chart, "6.0.5", "9.2.2")+`values = { keysecret = var.secret }
without = { backup = "a world without etcd" }`)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	declared.Chart.Source.Repository = w.Repository
	sealed, err := declared.Seal(declared, fakeprovider.MAC)
	if err != nil {
		t.Fatal(err)
	}
	s := sealed.(akash.Spec)
	p := plan(t, w, s)
	data, err := json.Marshal(p)
	if err != nil || strings.Contains(string(data), "canary") {
		t.Fatalf("the plan holds a secret, or %v", err)
	}
	if result := execute(t, w, p, s); result.Outcome != apply.Complete {
		t.Fatalf("%+v", result.Steps)
	}
	kept, _, err := w.Values(context.Background(), fakeprovider.Namespace, fakeprovider.Release)
	if err != nil || kept["keysecret"] != "canary-secret" || kept["key"] != "canary-key" {
		t.Errorf("keysecret is %v, key is %v, %v", kept["keysecret"], kept["key"], err)
	}
	if again := plan(t, w, s); len(again.Steps) > 0 {
		t.Errorf("a second plan has %v", operationsOf(again))
	}
}

// TestReplace: a StatefulSet that stands in the way of 12.0.0 is replaced, and its provider is back afterwards.
func TestReplace(t *testing.T) {
	w := open(t, "11.6.3", map[string]any{"price_target_cpu": "1.6", "price_target_memory": "0.8", "bidpricescript": newest})
	s := spec(w, "12.1.3", nil)
	p := plan(t, w, s)
	if diff := cmp.Diff([]string{"akash.archive", "akash.replace", "akash.upgrade"}, operationsOf(p)); diff != "" {
		t.Fatalf("steps (-want +got):\n%s%+v", diff, p.Findings)
	}
	if result := execute(t, w, p, s); result.Outcome != apply.Complete {
		t.Fatalf("%+v", result.Steps)
	}
	if again := plan(t, w, s); len(again.Steps) > 0 || len(ids(again.Findings)) > 0 {
		t.Errorf("a second plan has %v and %+v", operationsOf(again), again.Findings)
	}
}

// TestMaxChange: beyond max_change a person must say that it is meant.
func TestMaxChange(t *testing.T) {
	w, s := healthy(t)
	s.GPU, s.MaxChange = map[string]string{"a100": "150", "t4": "80"}, "20"
	p := plan(t, w, s)
	if len(p.Refusals) != 1 || !strings.Contains(p.Refusals[0], "-override='max_change=REASON'") {
		t.Fatalf("refusals %v", p.Refusals)
	}
	if p := planWith(t, w, []planner.Override{{Rule: "max_change", Reason: "the market"}}, s); len(p.Refusals) > 0 || !p.Applyable {
		t.Errorf("with an override it is refused: %v", p.Refusals)
	}
	if _, waived := p.Request.Desired.Resources[0].Meta.Waives("backup"); !waived {
		t.Fatal("the block must go without a backup: that lifts no other rule")
	}
	s.GPU["a100"] = "144" // exactly 20%
	if p := plan(t, w, s); len(p.Refusals) > 0 {
		t.Errorf("at max_change it is refused: %v", p.Refusals)
	}
}

// outage is a resource whose one step takes the nodes of tenants down.
type outage struct{ seconds float64 }

func (outage) Address() providers.Address {
	return providers.Address{Type: "akash_provider", Name: "outage"}
}
func (outage) Needs() providers.Needs { return providers.Needs{} }
func (o outage) Diff(in providers.Input) providers.Outcome {
	return providers.Outcome{Steps: []providers.Step{{
		ID: "outage", Operation: "akash.repair", Args: json.RawMessage(`{"namespace":"akash-services","release":"akash-provider","action":"unlock"}`),
		Guards: []providers.Need{{Name: "leases"}}, Estimate: o.seconds, Disruption: "tenants", Action: "update",
	}}}
}

// TestLeases: the provider is stopped where it would lose patience, and comes back.
func TestLeases(t *testing.T) {
	tests := []struct {
		name    string
		seconds float64
		want    []string
	}{
		{"short work", 60, []string{"akash.repair"}},
		{"work longer than the monitor's patience of 460 seconds", 300, []string{"akash.stop", "akash.repair", "akash.start"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w, s := healthy(t)
			p := plan(t, w, s, outage{test.seconds})
			if diff := cmp.Diff(test.want, operationsOf(p)); diff != "" {
				t.Fatalf("steps (-want +got):\n%s", diff)
			}
			if result := execute(t, w, p, s); result.Outcome != apply.Complete {
				t.Fatalf("%+v", result.Steps)
			}
			if again := plan(t, w, s); len(again.Steps) > 0 || len(ids(again.Findings)) > 0 {
				t.Errorf("afterwards a plan has %v and %v", operationsOf(again), ids(again.Findings))
			}
		})
	}
}

// TestStoppedProviderComesBack: what a run stopped and did not start again, the next one starts first.
func TestStoppedProviderComesBack(t *testing.T) {
	w, s := healthy(t)
	p := plan(t, w, s, outage{300})
	p.Steps, p.Brackets = p.Steps[:1], nil // kill -9 after the first step
	if result := execute(t, w, p, s); result.Outcome != apply.Complete {
		t.Fatalf("%+v", result.Steps)
	}
	p = plan(t, w, s)
	if diff := cmp.Diff([]string{"akash.start"}, operationsOf(p)); diff != "" {
		t.Fatalf("steps (-want +got):\n%s", diff)
	}
	if result := execute(t, w, p, s); result.Outcome != apply.Complete {
		t.Fatalf("%+v", result.Steps)
	}
	if again := plan(t, w, s); len(again.Steps) > 0 || len(ids(again.Findings)) > 0 {
		t.Errorf("afterwards a plan has %v and %v", operationsOf(again), ids(again.Findings))
	}
}

// TestByHand: every step can be done by a person, without a secret.
func TestByHand(t *testing.T) {
	w, s := healthy(t)
	s.Targets["price_target_cpu"] = "2"
	staged, larger := withOperators(t, "11.6.3", "12.1.3", "v0.8.3")
	killed(t, staged, "12.1.3", facts.ReleasePendingUpgrade, time.Hour)
	for _, p := range []planner.Plan{plan(t, w, s), plan(t, w, s, outage{300}), plan(t, staged, larger)} {
		in := providers.Input{World: p.Request.World, Now: clock}
		for _, step := range p.Steps {
			commands := akash.Type().Effects[step.Operation].ByHand(in, step)
			if len(commands) == 0 {
				t.Errorf("%s cannot be done by hand", step.Operation)
			}
			for _, c := range commands {
				if !strings.HasPrefix(c.Run, "set -eu\n") || strings.Contains(c.Run, "canary") {
					t.Errorf("%s: %s", step.Operation, c.Run)
				}
			}
		}
	}
}

// processorTime is what this process has used: on a busy machine, the wall clock says little.
func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkPlan200Releases plans for many providers.
func BenchmarkPlan200Releases(b *testing.B) {
	w, err := fakeprovider.Open("9.2.2", map[string]any{"price_target_cpu": "1", "bidpricescript": newest, "key": "canary-key"}, clock)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	w.Kubernetes, w.Tenancies = kubernetes(), tenancies()
	one := spec(w, "9.2.2", map[string]string{"a100": "120", "t4": "80"})
	world := w.World(context.Background(), one)
	release := world.Releases["akash-services/akash-provider"]
	var all []providers.Resource
	for i := range 200 {
		s := one
		s.Name = "p" + string(rune('a'+i/26)) + string(rune('a'+i%26))
		s.Release = s.Name
		copied := *release
		copied.Name = s.Name
		world.Releases[facts.ReleaseKey(s.Namespace, s.Name)] = &copied
		all = append(all, s)
	}
	request := planner.Request{Desired: fakeprovider.Desired(all...), World: world, Now: clock}
	before := processorTime(b)
	defer func() { b.ReportMetric(float64((processorTime(b)-before).Milliseconds())/float64(b.N), "cpu-ms/op") }()
	for b.Loop() {
		p, err := planner.Build(request, types())
		if err != nil || len(p.Steps) != 400 {
			b.Fatalf("%d steps, %v", len(p.Steps), err)
		}
	}
}

// TestEmptyMapping: `gpu = {}` empties the mapping of the release, once.
func TestEmptyMapping(t *testing.T) {
	for _, release := range []map[string]any{
		{"price_target_cpu": "1.6", "price_target_memory": "0.8", "bidpricescript": newest, "price_target_gpu_mappings": "t4=80"},
		{"price_target_cpu": "1.6", "price_target_memory": "0.8", "bidpricescript": newest},
	} {
		w := open(t, "9.2.2", release)
		s := spec(w, "9.2.2", map[string]string{})
		data, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := akash.Type().Restore(data); err != nil || again.(akash.Spec).GPU == nil {
			t.Fatalf("the block in a plan file has the mapping %v, %v", again.(akash.Spec).GPU, err)
		}
		p := plan(t, w, s)
		if had := release["price_target_gpu_mappings"] != nil; (len(p.Steps) > 0) != had {
			t.Errorf("a release that has a mapping (%t) needs %v", had, operationsOf(p))
		}
		if result := execute(t, w, p, s); len(p.Steps) > 0 && result.Outcome != apply.Complete {
			t.Fatalf("%+v", result.Steps)
		}
		if again := plan(t, w, s); len(again.Steps) > 0 || slices.Contains(ids(again.Findings), "PRICE_TARGET_DIFFERS") {
			t.Errorf("a second plan has %v and %+v", operationsOf(again), again.Findings)
		}
	}
}
