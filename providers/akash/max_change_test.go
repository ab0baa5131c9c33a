package akash_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/fakeprovider"
	"upkeep/planner"
	"upkeep/providers"
	"upkeep/providers/akash"
	"upkeep/providers/akash/price"
)

// TestMaxChangeOfAnUpgrade: max_change judges prices alone, whether or not the plan upgrades the chart too, and the
// person's word is asked for by the one step that changes them.
func TestMaxChangeOfAnUpgrade(t *testing.T) {
	rise := map[string]string{"a100": "150", "t4": "80"}
	for _, test := range []struct {
		name   string
		change func(*akash.Spec)
		asks   []string // operations that need consent
		says   string   // in the plan's refusal
	}{
		{"the chart alone", func(*akash.Spec) {}, nil, ""},
		{"the chart, and a price at the limit", func(s *akash.Spec) { s.GPU = map[string]string{"a100": "144", "t4": "80"} }, nil, ""},
		{"the chart, and a price beyond the limit", func(s *akash.Spec) { s.GPU = rise }, []string{"akash.upgrade"}, "no price changed by more than 20%"},
		{"the chart, and a price that falls beyond the limit", func(s *akash.Spec) { s.Targets["price_target_cpu"] = "0.16" },
			[]string{"akash.upgrade"}, "no price changed by more than 20%"},
		{"the chart, and a model that is new beside one beyond the limit", func(s *akash.Spec) {
			s.GPU = map[string]string{"a100": "150", "t4": "80", "h100": "900"}
		}, []string{"akash.upgrade"}, "no price changed by more than 20%"},
		{"no limit", func(s *akash.Spec) { s.GPU, s.MaxChange = rise, "" }, nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, s := withOperators(t, "11.6.3", "12.1.3", "v0.8.3")
			s.MaxChange = "20"
			test.change(&s)
			p := plan(t, w, s)
			var asks []string
			for _, step := range p.Steps {
				if slices.ContainsFunc(step.Consents, func(c providers.Consent) bool { return c.Rule == "max_change" }) {
					asks = append(asks, step.Operation)
				}
			}
			if diff := cmp.Diff(test.asks, asks); diff != "" {
				t.Fatalf("steps that ask (-want +got):\n%s%v", diff, operationsOf(p))
			}
			refused := strings.Join(p.Refusals, "\n")
			if (refused != "") != (test.says != "") || !strings.Contains(refused, test.says) {
				t.Errorf("the plan is refused with %q, want %q", refused, test.says)
			}
			if test.says == "" {
				return
			}
			p = planWith(t, w, []planner.Override{{Rule: "max_change", Reason: "the market"}}, s)
			if len(p.Refusals) > 0 {
				t.Errorf("with a person's word the plan is refused: %v", p.Refusals)
			}
		})
	}
}

// TestMaxChangeOfAnUnmeasuredUpgrade: prices that nobody measured are too much, with the chart's upgrade as without.
func TestMaxChangeOfAnUnmeasuredUpgrade(t *testing.T) {
	for _, to := range []string{"11.6.3", "12.1.3"} {
		w, s := withOperators(t, "11.6.3", to, "v0.8.3")
		s.MaxChange = "20"
		s.Script = &akash.Script{File: "a", Text: fakeprovider.Script(price.Feb04ACT) + "# ours\n", ReplaceCustomised: true}
		world := w.World(t.Context(), s)
		world.Prices = nil
		p := planned(t, world, s)
		if refused := strings.Join(p.Refusals, "\n"); !strings.Contains(refused, "max_change") {
			t.Errorf("to %s: steps %v, refused with %q", to, operationsOf(p), refused)
		}
	}
}
