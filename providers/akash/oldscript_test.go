package akash

import (
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers"
	"upkeep/providers/akash/script"
	"upkeep/providers/facts"
)

// The script of old answers no order that its tenants could pay, and the new one does: the plan says so, and prints no
// price for the old one. A script whose answers hang on the price of AKT has no price in USD either.
func TestOldScriptIsNotPriced(t *testing.T) {
	read := func(name string) string {
		body, err := os.ReadFile("script/testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	const what = "order, USD a month: 1 a100.80Gi: 8 threads, 32 GiB, 100 GiB"
	for _, test := range []struct {
		name    string
		old     func(akt string) facts.PriceAnswer
		want    providers.Change
		unknown string
	}{
		{"in bytes", func(string) facts.PriceAnswer { return facts.PriceAnswer{Stdout: "2147483742.500000"} },
			providers.Change{What: what, Before: "no bids", After: "42.991 (0.05885/h)", Always: true}, ""},
		{"refused", func(string) facts.PriceAnswer {
			return facts.PriceAnswer{ExitCode: 1, Stderr: "denom in not supported"}
		},
			providers.Change{What: what, Before: "no bids", After: "42.991 (0.05885/h)", Always: true}, ""},
		{"in dollars", func(string) facts.PriceAnswer { return facts.PriceAnswer{Stdout: "50"} },
			providers.Change{What: what, Before: "21.495 (0.02943/h)", After: "42.991 (0.05885/h) (+100.0%)", Always: true}, ""},
		{"in AKT", func(akt string) facts.PriceAnswer {
			return facts.PriceAnswer{Stdout: map[string]string{"1": "50", "2": "25"}[akt]}
		},
			providers.Change{}, "the script of the release is modified, and " + script.ErrOtherDenom.Error()},
	} {
		t.Run(test.name, func(t *testing.T) {
			values := func(name string) map[string]any { return map[string]any{valueScript: encodeScript(read(name))} }
			r := &review{kinds: []gpu{{"nvidia", "a100", "80Gi", ""}}}
			r.was = biddingOf(values("literal.sh"), nil)
			r.will = biddingOf(values("mapped.sh"), &r.was)
			r.in.World.Prices = map[string]facts.PriceMeasurement{}
			measure := func(q facts.PriceQuestion, answer facts.PriceAnswer) {
				m := facts.PriceMeasurement{Script: digest([]byte(q.Script)), Targets: q.Targets, AKT: q.AKT}
				for _, order := range q.Orders {
					answer.Order = order
					m.Answers = append(m.Answers, answer)
				}
				r.in.World.Prices[q.Key()] = m
			}
			was, will := r.question(r.was), r.question(r.will)
			measure(was, test.old(was.AKT))
			if probe, ok := script.Probe(was); ok {
				measure(probe, test.old(probe.AKT))
			}
			measure(will, facts.PriceAnswer{Stdout: "100"})
			if _, unknown := r.pricesChange(); unknown != test.unknown {
				t.Fatalf("unknown: %q, want %q", unknown, test.unknown)
			}
			changes := r.priceChanges()
			if test.unknown == "" && !slices.ContainsFunc(changes, func(c providers.Change) bool { return cmp.Equal(c, test.want) }) {
				t.Errorf("the plan has %+v, want %+v", changes, test.want)
			}
			if test.unknown != "" && (len(changes) != 1 || changes[0].After != "unknown: "+test.unknown) {
				t.Errorf("the plan has %+v", changes)
			}
		})
	}
}
