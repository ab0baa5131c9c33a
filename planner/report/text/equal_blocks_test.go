package text_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"upkeep/fixtures/plans"
	"upkeep/planner"
	"upkeep/planner/report"
	"upkeep/planner/report/text"
	"upkeep/providers"
)

// upgrades is a plan in which n releases, each a block of its own, get a new chart; another one gets another chart.
func upgrades(n int) planner.Plan {
	p := plans.Empty()
	for i := range n + 1 {
		address := providers.Address{Type: "helm_release", Name: fmt.Sprintf("web%d", i)}
		after := "2.0.0"
		if i == n/2 {
			after = "3.0.0"
		}
		p.Steps = append(p.Steps, providers.Step{
			ID: address.String() + "/upgrade", Address: address, Operation: "helm_release.upgrade", Action: "update",
			Summary: "upgrade " + address.Name, Why: []string{"the chart of " + address.Name + " is older"}, Window: "always", Estimate: 30,
			Changes: []providers.Change{{What: "chart", Before: "1.0.0", After: after}},
		})
	}
	return p
}

func rendered(t *testing.T, p planner.Plan, s text.Style) string {
	t.Helper()
	var out bytes.Buffer
	if err := text.Plan(&out, report.Plan(p), text.Run{}, s); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// Equal work of many separate blocks is told once. What differs in a value stands alone, and so does all of it where a
// person asks.
func TestEqualBlocksFold(t *testing.T) {
	few, folded := rendered(t, upgrades(3), text.Style{Width: 120}), rendered(t, upgrades(1000), text.Style{Width: 120})
	verbose := rendered(t, upgrades(1000), text.Style{Width: 120, Verbose: true})
	if strings.Contains(few, "more block") || !strings.Contains(few, "helm_release.web2") {
		t.Errorf("a few blocks are not told one by one:\n%s", few)
	}
	for _, want := range []string{"then the same for 999 more blocks", "helm_release.web1000", "helm_release.web500 will be updated", "3.0.0"} {
		if !strings.Contains(folded, want) {
			t.Errorf("the plan of 1001 blocks does not say %q", want)
		}
	}
	if len(folded)*50 > len(verbose) {
		t.Errorf("%d bytes of text folded, %d unfolded", len(folded), len(verbose))
	}
	t.Logf("%d bytes of text folded, %d unfolded", len(folded), len(verbose))
	if n := strings.Count(verbose, "will be updated in-place"); n < 1001 {
		t.Errorf("-verbose tells %d of 1001 blocks", n)
	}
}
