package akash_test

import (
	"context"
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

// refusing makes a script answer every order alike.
func refusing(answer facts.PriceAnswer) func(*facts.PodMeasurement) {
	return func(m *facts.PodMeasurement) {
		m.Log.LastBid = m.At.Add(-5 * time.Hour)
		for i := range m.Price.Answers {
			answer.Order = m.Price.Answers[i].Order
			m.Price.Answers[i] = answer
		}
	}
}

func TestWhatThePodSays(t *testing.T) {
	tests := []struct {
		name string
		pod  func(*facts.PodMeasurement)
		// want are the findings beyond those of the same world without a measurement, as ID: SUMMARY.
		want []string
	}{
		{"all is well", nil, nil},
		{
			"the account is empty", func(m *facts.PodMeasurement) { m.Balance.Coins = nil },
			[]string{"PROVIDER_NOT_BIDDING: the account holds 0 AKT, and each bid deposits 0.5 AKT"},
		},
		{
			"no AKT for the gas, and a silent node",
			func(m *facts.PodMeasurement) {
				m.Balance.Coins, m.RPC = map[string]string{"uact": "9"}, facts.ChainStatus{Silent: "curl: it ended with status 7"}
			},
			[]string{"PROVIDER_NOT_BIDDING: the account holds 0 AKT, and each bid deposits 0.5 AKT; also: the RPC node does not answer the pod (curl: it ended with status 7)"},
		},
		{
			"few deposits", func(m *facts.PodMeasurement) { m.Balance.Coins = map[string]string{"uakt": "4700000"} },
			[]string{"PROVIDER_BALANCE_LOW: the account holds 4.7 AKT, enough for the deposits of 9 bids (0.5 AKT each); " +
				"at 12 bids a day, as in the log of the last 12 hours, that is at least 0.8 days"},
		},
		{
			"few days", func(m *facts.PodMeasurement) {
				m.Balance.Coins = map[string]string{"uakt": "12000000"}
			},
			[]string{"PROVIDER_BALANCE_LOW: the account holds 12 AKT, enough for the deposits of 24 bids (0.5 AKT each); " +
				"at 12 bids a day, as in the log of the last 12 hours, that is at least 2.0 days"},
		},
		{
			"few bids, and the days are not known", func(m *facts.PodMeasurement) {
				m.Balance.Coins, m.Log.Bids = map[string]string{"uakt": "1000000"}, 0
			},
			[]string{"PROVIDER_BALANCE_LOW: the account holds 1 AKT, enough for the deposits of 2 bids (0.5 AKT each)"},
		},
		{
			"the node is catching up", func(m *facts.PodMeasurement) {
				m.RPC = facts.ChainStatus{CatchingUp: true, BlockTime: m.At.Add(-3 * time.Hour)}
			},
			[]string{"PROVIDER_NOT_BIDDING: the RPC node is catching up; its newest block is 3h0m0s old"},
		},
		{
			"the node is behind", func(m *facts.PodMeasurement) { m.RPC.BlockTime = m.At.Add(-31 * time.Second) },
			[]string{"PROVIDER_NOT_BIDDING: the RPC node is behind: its newest block is 31s old, and at most 30s is usable"},
		},
		{
			"the clock is wrong", func(m *facts.PodMeasurement) { m.RPC.BlockTime = m.At.Add(time.Minute) },
			[]string{"PROVIDER_NOT_BIDDING: the clock of the pod is 1m0s behind the newest block of the RPC node"},
		},
		{
			"a filter", refusing(facts.PriceAnswer{ExitCode: 1, Stderr: "tenant is not on my list"}),
			[]string{"PROVIDER_NOT_BIDDING: the customised bid price script refuses every sample order: tenant is not on my list"},
		},
		{
			"zero", refusing(facts.PriceAnswer{Stdout: "0.000000"}),
			[]string{"PROVIDER_NOT_BIDDING: the customised bid price script prints 0 for every sample order"},
		},
		{
			"debug lines", refusing(facts.PriceAnswer{Stdout: "DEBUG: model 0\n4.098663"}),
			[]string{`PROVIDER_NOT_BIDDING: the customised bid price script prints no number for any sample order: "DEBUG: model 0\n4.098663" is not one decimal number`},
		},
		{
			"too slow", refusing(facts.PriceAnswer{TimedOut: true, ExitCode: 124}),
			[]string{"PROVIDER_NOT_BIDDING: the customised bid price script refuses every sample order: it took longer than 10 s"},
		},
		{
			"a filter that lets others in", func(m *facts.PodMeasurement) {
				refusing(facts.PriceAnswer{ExitCode: 1})(m)
				m.Log.LastBid = m.At.Add(-10 * time.Minute)
			}, nil,
		},
		{
			"one order is priced", func(m *facts.PodMeasurement) {
				kept := m.Price.Answers[2]
				refusing(facts.PriceAnswer{ExitCode: 1})(m)
				m.Price.Answers[2] = kept
			}, nil,
		},
		{
			"no bid for a day", func(m *facts.PodMeasurement) {
				m.Log = facts.BidLog{Since: m.At.Add(-50 * time.Hour), Until: m.At, Orders: 700, Bids: 1, LastBid: m.At.Add(-26 * time.Hour)}
			},
			[]string{"PROVIDER_NOT_BIDDING: the log has no bid for 26 hours, although 700 orders came"},
		},
		{
			"the last bid failed", func(m *facts.PodMeasurement) {
				m.Log = facts.BidLog{
					Since: m.At.Add(-30 * time.Hour), Until: m.At, Orders: 700, LastFailure: "the bid failed: insufficient funds", FailedAt: m.At.Add(-time.Minute),
				}
			},
			[]string{"PROVIDER_NOT_BIDDING: the log has no bid for 30 hours, and the last one failed: the bid failed: insufficient funds"},
		},
		{
			"no order for a day", func(m *facts.PodMeasurement) { m.Log = facts.BidLog{Since: m.At.Add(-25 * time.Hour), Until: m.At} },
			[]string{"PROVIDER_NOT_BIDDING: the log has no bid for 25 hours and no order either, so the provider does not hear of orders"},
		},
		{"a short log", func(m *facts.PodMeasurement) {
			m.Log = facts.BidLog{Since: m.At.Add(-2 * time.Hour), Until: m.At, Orders: 9}
		}, nil},
		{
			"nothing could be asked", func(m *facts.PodMeasurement) { *m = facts.PodMeasurement{Unknown: "forbidden: pods/exec"} },
			[]string{"PROVIDER_POD_UNKNOWN: forbidden: pods/exec"},
		},
		{
			"parts could not be asked", func(m *facts.PodMeasurement) {
				m.Price, m.Balance = facts.PriceMeasurement{Unknown: "no jq"}, facts.Balance{Unknown: "no client"}
				m.RPC, m.Log = facts.ChainStatus{Unknown: "no answer"}, facts.BidLog{Unknown: "forbidden"}
			},
			[]string{"PROVIDER_POD_UNKNOWN: forbidden", "PROVIDER_POD_UNKNOWN: no answer", "PROVIDER_POD_UNKNOWN: no client", "PROVIDER_POD_UNKNOWN: no jq"},
		},
		{
			"a balance that is unknown since the node is silent", func(m *facts.PodMeasurement) {
				m.Balance, m.RPC = facts.Balance{Unknown: "no client"}, facts.ChainStatus{Silent: "curl: it ended with status 28"}
			},
			[]string{"PROVIDER_NOT_BIDDING: the RPC node does not answer the pod (curl: it ended with status 28)"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w, s := healthy(t)
			w.InPod = test.pod
			world := w.Measured(t.Context(), s)
			world.Prices = nil // no sandbox ran the script
			out := s.Diff(providers.Input{World: world, Now: w.Now()})
			var got []string
			for _, f := range out.Findings {
				if f.ID == "PROVIDER_NOT_BIDDING" || f.ID == "PROVIDER_BALANCE_LOW" || f.ID == "PROVIDER_POD_UNKNOWN" || f.ID == "PRICE_DIFFERS_IN_POD" {
					got = append(got, f.ID+": "+f.Summary)
					if f.Unknown != (f.ID == "PROVIDER_POD_UNKNOWN") || f.Hint == "" {
						t.Errorf("unknown %v, hint %q", f.Unknown, f.Hint)
					}
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(out.Warnings) > 0 {
				t.Errorf("warned although it was measured: %q", out.Warnings)
			}
			if len(out.Steps) > 0 {
				t.Errorf("steps %+v", out.Steps)
			}
		})
	}
}

// What nobody asked the pod for is not measured: a warning with the command, and nothing unknown.
func TestNotMeasured(t *testing.T) {
	w, s := healthy(t)
	out := s.Diff(providers.Input{World: w.World(t.Context(), s), Now: w.Now()})
	if len(out.Warnings) != 1 || !strings.Contains(out.Warnings[0], "upkeep drift -measure-in-pod") {
		t.Errorf("warnings %q", out.Warnings)
	}
	for _, f := range out.Findings {
		if f.Unknown {
			t.Errorf("%+v", f)
		}
	}
	if w.Measurements() != 0 {
		t.Error("the pod was asked")
	}
}

// The proof of an upgrade or a restart asks the pod that the step leaves, once that runs, and no step asks it before
// it acts.
func TestApplyMeasuresInThePod(t *testing.T) {
	for _, test := range []struct {
		name, version string
		pod           func(*facts.PodMeasurement)
		want          apply.Outcome
		why           string
	}{
		{"an upgrade", "9.2.2", nil, apply.Complete, ""},
		{"a restart", "12.1.2", nil, apply.Complete, ""},
		{"a pod that cannot be asked", "9.2.2", func(m *facts.PodMeasurement) { *m = facts.PodMeasurement{Unknown: "forbidden: pods/exec"} }, apply.Partial, "could not be measured: forbidden: pods/exec"},
		{"a pod that charges other prices than the sandbox", "9.2.2", func(m *facts.PodMeasurement) { m.Price.Answers[1].Stdout = "99.5" }, apply.Partial,
			"PRICE_DIFFERS_IN_POD: sample order 2 (1 GPU a100): the running pod answers 99.5 uact a block (42.7759 USD a month, 0.05856 an hour)"},
		{"how to go back", "9.2.2", func(m *facts.PodMeasurement) { m.Price.Answers[1].Stdout = "99.5" }, apply.Partial,
			"to go back to the previous revision, run: helm -n akash-services rollback akash-provider 1"},
		{"an empty account is no failure of the step", "9.2.2", func(m *facts.PodMeasurement) { m.Balance.Coins = nil }, apply.Complete, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := open(t, test.version, map[string]any{"price_target_cpu": 1.6, "price_target_memory": 0.8, "price_target_gpu_mappings": "t4=80", "bidpricescript": newest})
			w.Kubernetes, w.Tenancies = kubernetes(), tenancies()
			w.InPod = test.pod
			s := spec(w, test.version, map[string]string{"t4": "90"})
			p := plan(t, w, s)
			if w.Measurements() != 0 {
				t.Fatal("planning asked the pod")
			}
			result := execute(t, w, p, s)
			if result.Outcome != test.want || w.Measurements() == 0 {
				t.Errorf("outcome %s after %d measurements: %+v", result.Outcome, w.Measurements(), result.Steps)
			}
			if text := failures(result); !strings.Contains(text, test.why) {
				t.Errorf("failed with %q, want %q", text, test.why)
			}
		})
	}
}

func failures(result apply.Result) string {
	var out []string
	for _, step := range result.Steps {
		if step.Outcome == apply.Failed {
			out = append(out, step.Why)
		}
	}
	return strings.Join(out, "; ")
}

// A step asks for the measurement only once it has left a pod that runs with what it brings.
func TestMeasurementNeeds(t *testing.T) {
	w := open(t, "9.2.2", map[string]any{"price_target_cpu": 1.6, "price_target_memory": 0.8, "price_target_gpu_mappings": "t4=80", "bidpricescript": newest})
	w.Kubernetes, w.Tenancies = kubernetes(), tenancies()
	s := spec(w, "9.2.2", map[string]string{"t4": "90"})
	p := plan(t, w, s)
	step := p.Steps[len(p.Steps)-1]
	asked := func(world facts.World) bool {
		in := providers.Input{World: world, Now: w.Now(), Resources: map[providers.Address]providers.Resource{s.Address(): s}}
		needs := planner.Needs(akash.Type().Effects[step.Operation], in, step)
		return slices.ContainsFunc(needs.Helm.Releases, func(q facts.ReleaseQuestion) bool { return q.Measure != nil && len(q.Measure.Orders) == 3 })
	}
	if asked(w.World(context.Background(), s)) {
		t.Error("the pod is asked before the step")
	}
	if result := execute(t, w, p, s); result.Outcome != apply.Complete {
		t.Fatalf("%+v", result)
	}
	if !asked(w.World(context.Background(), s)) {
		t.Error("the pod is not asked after the step")
	}
	if fakeprovider.Release != s.Release {
		t.Error("another release")
	}
}
