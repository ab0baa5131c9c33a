package price

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// drawOrder draws an order as a provider sends one.
func drawOrder(t *rapid.T, units int) string {
	var volumes []string
	for range rapid.IntRange(1, 3).Draw(t, "volumes") {
		volumes = append(volumes, fmt.Sprintf(`{"class":%q,"size":%d}`,
			rapid.SampledFrom([]string{"ephemeral", "beta1", "beta2", "beta3", "ram", "default"}).Draw(t, "class"), rapid.Int64Range(0, 1<<45).Draw(t, "size")))
	}
	return fmt.Sprintf(`{"resources":[{"memory":%d,"cpu":%d,"gpu":{"units":%d,"attributes":{"vendor":{"nvidia":{"model":"t4"}}}},"storage":[%s],"count":%d,"endpoint_quantity":%d,"ip_lease_quantity":%d}],
		"price":{"denom":"uact","amount":"1000000000"},"price_precision":6}`,
		rapid.Int64Range(0, 1<<42).Draw(t, "memory"), rapid.IntRange(0, 512000).Draw(t, "cpu"), units, strings.Join(volumes, ","),
		rapid.IntRange(1, 50).Draw(t, "count"), rapid.IntRange(0, 100).Draw(t, "endpoints"), rapid.IntRange(0, 10).Draw(t, "ips"))
}

func drawPrice(t *rapid.T, name string) string {
	return fmt.Sprintf("%d.%02d", rapid.IntRange(0, 5000).Draw(t, name), rapid.IntRange(0, 99).Draw(t, name+" cents"))
}

// More of what is priced never costs less, and the total is the sum of its lines.
func TestMoreCostsMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		units := rapid.IntRange(0, 8).Draw(t, "units")
		text := drawOrder(t, units)
		s := Setting{Version: rapid.SampledFrom([]Version{April03, Feb04, Feb04ACT}).Draw(t, "version"), AKT: "2.5", Targets: Targets{CPU: drawPrice(t, "cpu"), GPUMappings: "t4=" + drawPrice(t, "t4")}}
		price := func(text string) Result {
			o, err := ParseOrder([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			r, err := Price(o, s)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		less := price(text)
		if more := price(strings.Replace(text, fmt.Sprintf(`"units":%d`, units), fmt.Sprintf(`"units":%d`, units+1), 1)); more.Total.Cmp(less.Total) < 0 {
			t.Errorf("one GPU more costs %s, not %s", more.Total, less.Total)
		}
		sum := less.GPUTotal
		for _, l := range less.Lines {
			if l.USD.Sign() < 0 {
				t.Errorf("%s costs %s", l.What, l.USD)
			}
			sum = sum.Plus(l.USD)
		}
		if !sum.Equal(less.Total) {
			t.Errorf("the lines are %s, the total %s", sum, less.Total)
		}
	})
}

// A bid in uact and its price in USD a month say the same, to the last digit printed.
func TestRatesAndMonthsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, err := ParseOrder([]byte(drawOrder(t, rapid.IntRange(0, 8).Draw(t, "units"))))
		if err != nil {
			t.Fatal(err)
		}
		r, err := Price(o, Setting{Version: Newest, Targets: Targets{GPUMappings: "t4=" + drawPrice(t, "t4")}})
		if err != nil {
			t.Fatal(err)
		}
		month, ok := Monthly(r.Stdout, UACT, "")
		if !ok {
			t.Fatalf("%q is no rate", r.Stdout)
		}
		difference := month.Minus(r.Total)
		if limit := (USD{}); difference.Cmp(limit) < 0 {
			difference = limit.Minus(difference)
		}
		if most, _ := ParseUSD("0.001"); difference.Cmp(most) > 0 {
			t.Errorf("%s uact a block are %s USD a month, not %s", r.Stdout, month, r.Total)
		}
	})
}

// What Word writes is what the scripts compute with.
func TestWordsArriveAsTheyAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := drawPrice(t, "price")
		want, err := ParseUSD(text)
		if err != nil {
			t.Fatal(err)
		}
		if problems := LintWord("price_target_cpu", text); len(problems) > 0 {
			t.Fatalf("%s: %v", text, problems)
		}
		got, err := EffectivePrices([]FleetGPU{{Vendor: "nvidia", Model: "t4"}}, Targets{GPUMappings: Mappings(map[string]string{"t4": text, "a100": "5000"})}, Newest)
		if err != nil || !got[0].USD.Equal(want) {
			t.Errorf("%s arrives as %v, %v", text, got, err)
		}
	})
}
