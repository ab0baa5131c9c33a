package quote

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/akash"
	"upkeep/providers/akash/price"
	"upkeep/providers/akash/script"
)

// What refuses orders or raises prices in a modified script is lost with the published one, so migrate names it.
func TestLostRules(t *testing.T) {
	d := script.Difference{Hunks: []script.Hunk{
		{Kind: script.Filter, Line: 4, PublishedLine: 4, Added: []string{`grep -qw "$AKASH_OWNER" /tmp/refused && exit 1`}},
		{Kind: script.Log, Line: 9, PublishedLine: 8, Added: []string{`echo x >>/tmp/log`}},
		{Kind: script.Floor, Line: 20, PublishedLine: 18, Added: []string{"min_price=25", "total=$min_price"}},
		{Kind: script.Filter, Line: 30, PublishedLine: 26, Removed: 2},
		{Kind: script.Price, Line: 40, PublishedLine: 38, Added: []string{"x=1"}},
	}}
	want := []string{
		"filter: line 4 added", `  + grep -qw "$AKASH_OWNER" /tmp/refused && exit 1`,
		"floor: lines 20-21 added", "  + min_price=25", "  + total=$min_price",
	}
	if diff := cmp.Diff(want, rules(d)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A policy is kept by the block, and the text says which script it needs.
func TestMigrateKeepsThePolicy(t *testing.T) {
	body := "#!/bin/bash\ngpu_mappings=1\nPRICE_TARGET_GPU_MAPPINGS\n"
	policy := price.Policy{Minimum: "5", GPUOnly: true, Deny: price.Names{Models: []string{"t4"}}}
	text, err := script.Compile(policy, price.Newest, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	r := script.Recognise(text, script.PublishedOf([]byte(body), price.Newest, ""))
	m, err := Migrate("release", akash.Charged{Script: r, Body: string(text), Fleet: []price.FleetGPU{{Vendor: "nvidia", Model: "t4"}}}, price.Newest)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&policy, m.Policy); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	var out strings.Builder
	if err := m.Write(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"minimum  = 5\n", "gpu_only = true\n", `"t4",`, "The block keeps the policy", "published = \"February-04-2025+uact\"", "no price changes"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, out.String())
		}
	}
}
