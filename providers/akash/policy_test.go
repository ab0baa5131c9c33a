package akash_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/fakeprovider"
	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/providers/akash"
	"upkeep/providers/akash/price"
	"upkeep/providers/akash/script"
)

const (
	alice = "akash1fxa9ss3dg6nqyz8aluyaa6svypgprk5tw9fa4q"
	bob   = "akash1fhe3uk7d95vvr69pna7cxmwa8777as46uyxcz8"
)

func TestDecodePolicy(t *testing.T) {
	got, diags := load(t, chart+`
  bid_script {
    published = "February-04-2025+uact"
  }
  price_targets {
    minimum  = 2.50
    gpu_only = true
    deny     = ["t4", "`+bob+`", "t4"]
    allow    = ["`+bob+`", "a100.80Gi.sxm", "`+alice+`"]
  }`)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	want := &price.Policy{
		Minimum: "2.5", GPUOnly: true,
		Deny:  price.Names{Accounts: []string{bob}, Models: []string{"t4"}},
		Allow: price.Names{Accounts: []string{bob, alice}, Models: []string{"a100.80Gi.sxm"}},
	}
	if diff := cmp.Diff(want, got.Policy); diff != "" {
		t.Errorf("policy (-want +got)\n%s", diff)
	}
	published, _ := script.PublishedAs(price.Newest)
	if diff := cmp.Diff(&akash.Script{Published: price.Newest, URL: published.URL(), SHA256: published.SHA256}, got.Script); diff != "" {
		t.Errorf("script (-want +got)\n%s", diff)
	}
	if questions := got.Needs().Files.Downloads; len(questions) != 1 || questions[0].URL != published.URL() {
		t.Errorf("asks for %v", questions)
	}
}

func TestDecodePolicyRefuses(t *testing.T) {
	const named = "bid_script {\n published = \"February-04-2025+uact\"\n}\n"
	for _, test := range []struct{ name, script, targets, want string }{
		{"an empty allow", named, `allow = []`, "allow is empty"},
		{"a misspelt account", named, `deny = ["akash1short"]`, `"akash1short" is no account`},
		{"a shell command", named, "deny = [\"$(curl example.net)\"]", "is neither an account nor a GPU model"},
		{"an end of the here-document", named, `deny = ["a\nUPKEEP_POLICY\nid\n"]`, "holds a line break"},
		{"a model as people write it", named, `deny = ["A100.80gi"]`, `Did you mean "a100.80Gi"?`},
		{"the wildcard", named, `allow = ["*"]`, "is neither an account nor a GPU model"},
		{"everybody denied", named, `allow = ["` + alice + `"]` + "\n" + `deny = ["` + alice + `"]`, "deny beats allow"},
		{"a negative minimum", named, `minimum = -1`, "below zero"},
		{"no script", "", `gpu_only = true`, `bid_script { published = "February-04-2025+uact" }`},
		{"a customised script", "bid_script {\n file = \"script.sh\"\n}\n", `gpu_only = true`, "is no published one"},
		{"a script of before price targets", "bid_script {\n published = \"Sept-08-2023\"\n}\n", `gpu_only = true`, "reads no price targets"},
		{"a misspelt script", "bid_script {\n published = \"February-04-2025-uact\"\n}\n", `cpu = 1`, `Did you mean "February-04-2025+uact"?`},
		{"two sources", "bid_script {\n published = \"February-04-2025\"\n file = \"script.sh\"\n}\n", `cpu = 1`, "Remove file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, diags := load(t, chart+test.script+"price_targets {\n"+test.targets+"\n}\n")
			if !slices.ContainsFunc(diags, func(d string) bool { return strings.Contains(d, test.want) }) {
				t.Errorf("%q, want %q", diags, test.want)
			}
		})
	}
}

// policyWorld has a provider with a script that stands behind a URL, and the block that puts a policy before it.
func policyWorld(t *testing.T, policy *price.Policy) (*fakeprovider.World, akash.Spec) {
	t.Helper()
	w, s := healthy(t)
	body := fakeprovider.Script(price.Newest)
	sum := sha256.Sum256([]byte(body))
	w.Texts = map[string]string{"https://scripts.example.net/newest": body}
	s.Script = &akash.Script{Published: price.Newest, URL: "https://scripts.example.net/newest", SHA256: hex.EncodeToString(sum[:]), ReplaceCustomised: true}
	s.Policy = policy
	return w, s
}

// TestPolicy: a policy is planned, applied as a script of two parts, and found in force; a change of it is seen as one.
func TestPolicy(t *testing.T) {
	first := &price.Policy{Minimum: "5", GPUOnly: true, Deny: price.Names{Accounts: []string{bob}}}
	w, s := policyWorld(t, first)
	p := plan(t, w, s)
	if len(p.Refusals) > 0 || len(ids(p.Remaining)) > 0 {
		t.Fatalf("refusals %v, remains %v", p.Refusals, ids(p.Remaining))
	}
	upgrade := p.Steps[len(p.Steps)-1]
	shown := map[string]string{}
	for _, c := range upgrade.Changes {
		shown[c.What] = c.Before + " -> " + c.After
	}
	for what, want := range map[string]string{
		"minimum, USD per order and month": "0 (0/h) -> 5 (0.006845/h)", "orders without a GPU": "bid -> no bid", "deny": "nobody -> " + bob,
	} {
		if shown[what] != want {
			t.Errorf("%s is shown as %q, want %q", what, shown[what], want)
		}
	}
	if result := execute(t, w, p, s); result.Outcome != apply.Complete {
		t.Fatalf("%+v", result.Steps)
	}
	again := plan(t, w, s)
	if len(again.Steps) > 0 || len(ids(again.Findings)) > 0 {
		t.Errorf("afterwards a plan has %v and %v", operationsOf(again), ids(again.Findings))
	}
	values, _, err := w.Values(context.Background(), fakeprovider.Namespace, fakeprovider.Release)
	if err != nil {
		t.Fatal(err)
	}
	body, err := script.Decode(values["bidpricescript"].(string))
	if err != nil {
		t.Fatal(err)
	}
	c, ok := script.ReadCompiled(body)
	if !ok || !c.Exact || string(c.Published) != fakeprovider.Script(price.Newest) {
		t.Fatalf("the release has %.300s", body)
	}
	if diff := cmp.Diff(*first, c.Policy); diff != "" {
		t.Errorf("policy in the release (-want +got)\n%s", diff)
	}

	s.Policy = &price.Policy{Minimum: "6", GPUOnly: true, Deny: price.Names{Accounts: []string{bob}}}
	if changed := plan(t, w, s); !slices.Equal(operationsOf(changed), []string{"akash.archive", "akash.upgrade"}) {
		t.Errorf("another minimum plans %v", operationsOf(changed))
	}
	s.Policy = nil
	if removed := plan(t, w, s); !slices.Equal(operationsOf(removed), []string{"akash.archive", "akash.upgrade"}) {
		t.Errorf("no policy plans %v", operationsOf(removed))
	}
}

// TestPolicyOfANewerUpkeep: a preamble of another generator is no difference while the policy is the same.
func TestPolicyOfANewerUpkeep(t *testing.T) {
	w, s := policyWorld(t, &price.Policy{GPUOnly: true})
	if result := execute(t, w, plan(t, w, s), s); result.Outcome != apply.Complete {
		t.Fatalf("%+v", result.Steps)
	}
	world := w.World(context.Background(), s)
	release := world.Releases["akash-services/akash-provider"]
	body, err := script.Decode(release.Values["bidpricescript"].(string))
	if err != nil {
		t.Fatal(err)
	}
	rewrite := func(old, text string) planner.Plan {
		t.Helper()
		if !strings.Contains(string(body), old) {
			t.Fatalf("there is no %q", old)
		}
		release.Values["bidpricescript"] = encoded(strings.Replace(string(body), old, text, 1))
		p, err := planner.Build(planner.Request{Desired: fakeprovider.Desired(s), World: world, Now: world.ObservedAt}, types())
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if p := rewrite("# upkeep policy 1,", "# upkeep policy 9,"); len(p.Steps) > 0 {
		t.Errorf("a newer generator plans %v", operationsOf(p))
	}
	if p := rewrite(`"gpu_only":true`, `"minimum":"1"`); len(p.Steps) == 0 {
		t.Error("another policy in the release plans nothing")
	}
	if p := rewrite("  order=$(cat)\n", "  order=$(cat)\n  id\n"); len(p.Steps) == 0 {
		t.Error("a preamble that somebody changed plans nothing")
	}
}

// TestPolicyHoldsMaxChange: a minimum is a price, and one that jumps needs a person's word.
func TestPolicyHoldsMaxChange(t *testing.T) {
	w, s := policyWorld(t, &price.Policy{Minimum: "5"})
	s.MaxChange = "20"
	p := plan(t, w, s)
	if !slices.Contains(ids(p.Findings), "PRICE_CHANGE_LARGE") {
		t.Errorf("findings are %v", ids(p.Findings))
	}
	s.Policy = &price.Policy{GPUOnly: true}
	if p := plan(t, w, s); slices.Contains(ids(p.Findings), "PRICE_CHANGE_LARGE") {
		t.Errorf("without a minimum, findings are %v", ids(p.Findings))
	}
}
