package akash_test

import (
	"strings"
	"testing"

	"github.com/cockroachdb/apd/v3"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"upkeep/providers/akash"
	"upkeep/providers/akash/price"
	"upkeep/providers/akash/script"
)

// What is written means what was said, whatever the numbers are.
func TestPriceTargetsAreReadAsWritten(t *testing.T) {
	number := rapid.StringMatching(`([0-9]{1,6}(\.[0-9]{1,6})?|\.[0-9]{1,6})`)
	item := rapid.StringMatching(`(\*|[a-z]{1,4}[0-9]{0,4}(\.[0-9]{1,3}Gi)?(\.sxm|\.pcie)?)`)
	rapid.Check(t, func(r *rapid.T) {
		var given []script.Value
		want := map[string]string{}
		for _, target := range price.NumericTargets() {
			word := number.Draw(r, target.Key)
			given = append(given, script.Value{Key: target.Key, Value: word, Line: rapid.IntRange(0, 30).Draw(r, "line")})
			want[target.Key] = decimal(t, word)
		}
		var items []string
		wantGPU := map[string]string{}
		for _, key := range rapid.SliceOfNDistinct(item, 1, 4, rapid.ID[string]).Draw(r, "models") {
			word := number.Draw(r, key)
			items = append(items, key+"="+word)
			wantGPU[key] = decimal(t, word)
		}
		given = append(given, script.Value{Key: price.MappingsKey, Value: strings.Join(items, ",")})

		block, err := akash.PriceTargets(given, nil)
		if err != nil {
			r.Fatal(err)
		}
		spec, diags := load(t, chart+block)
		for _, d := range diags {
			if !strings.HasPrefix(d, "No catch-all") && !strings.HasPrefix(d, "GPUs for nothing") {
				r.Fatalf("%s:\n%s", d, block)
			}
		}
		if diff := cmp.Diff(want, spec.Targets) + cmp.Diff(wantGPU, spec.GPU); diff != "" {
			r.Errorf("%s\n%s", block, diff)
		}
	})
}

func decimal(t *testing.T, word string) string {
	t.Helper()
	d, _, err := apd.NewFromString(word)
	if err != nil {
		t.Fatal(err)
	}
	d.Reduce(d)
	return d.Text('f')
}

func TestPriceTargetsRefuses(t *testing.T) {
	for key, values := range map[string][]string{
		price.MappingsKey:  {"t4=abc", "t4", "t4=80,v100=1e3", "t4=-1", "T4=80", "t4=80, v100=95", `t4=80,${file("x")}=1`},
		"price_target_cpu": {"", "abc", "1e-05", "-1", "1.60 }"},
	} {
		for _, value := range values {
			if block, err := akash.PriceTargets([]script.Value{{Key: key, Value: value}}, nil); err == nil {
				t.Errorf("%s %q becomes\n%s", key, value, block)
			}
		}
	}
}

// A policy is written as the arguments that decode to the same policy.
func TestPolicyIsReadAsWritten(t *testing.T) {
	for _, want := range []price.Policy{
		{Minimum: "2.5"},
		{GPUOnly: true},
		{Deny: price.Names{Accounts: []string{bob}}},
		{Allow: price.Names{Models: []string{"a100.80Gi.sxm", "t4"}}},
		{Minimum: "0.000001", GPUOnly: true, Deny: price.Names{Accounts: []string{alice}, Models: []string{"t4"}}, Allow: price.Names{Accounts: []string{bob}}},
	} {
		block, err := akash.PriceTargets([]script.Value{{Key: "price_target_cpu", Value: "1.60"}}, &want)
		if err != nil {
			t.Fatal(err)
		}
		got, diags := load(t, chart+"bid_script {\n published = \"February-04-2025+uact\"\n}\n"+block)
		if len(diags) > 0 {
			t.Fatalf("%v\n%s", diags, block)
		}
		if diff := cmp.Diff(&want, got.Policy); diff != "" {
			t.Errorf("(-want +got)\n%s\n%s", diff, block)
		}
	}
}
