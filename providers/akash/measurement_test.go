package akash

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/akash/price"
	"upkeep/providers/akash/script"
	"upkeep/providers/facts"
)

// published is how a provider prices whose script is the newest published one.
func published(t *testing.T) bidding {
	t.Helper()
	b := bidding{scripted: true, recognition: script.Recognition{Version: price.Newest, Known: true}, setting: price.Setting{Version: price.Newest}}
	b.setting.Targets.Set(price.MappingsKey, "a100=120,t4=80")
	return b
}

// answers are what the script of a bidding answers to the sample orders.
func answers(t *testing.T, b bidding) facts.PriceMeasurement {
	t.Helper()
	orders, err := price.Samples(price.SampleDenom(b.setting.Version), []price.FleetGPU{{Vendor: "nvidia", Model: "a100", RAM: "80Gi"}, {Vendor: "nvidia", Model: "t4"}})
	if err != nil {
		t.Fatal(err)
	}
	m := facts.PriceMeasurement{AKT: "3"}
	for _, text := range orders {
		order, err := price.ParseOrder([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		setting := b.setting
		setting.AKT = m.AKT
		result, err := price.Price(order, setting)
		if err != nil || result.ExitCode != 0 {
			t.Fatalf("%+v, %v", result, err)
		}
		m.Answers = append(m.Answers, facts.PriceAnswer{Order: text, Stdout: result.Stdout})
	}
	return m
}

func TestPriceDifferences(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*bidding, *facts.PriceMeasurement)
		want   []string
	}{
		{"the same", func(*bidding, *facts.PriceMeasurement) {}, nil},
		{
			"another price of a GPU in the pod", func(b *bidding, m *facts.PriceMeasurement) {
				b.setting.Targets.Set(price.MappingsKey, "a100=450,t4=80")
			},
			[]string{"sample order 2 (1 GPU a100): the running pod answers 343.561079 uact a block (147.7 USD a month, 0.2022 an hour), " +
				"and its script with the prices of the release answers 1111.165386 uact a block (477.7 USD a month, 0.6539 an hour)"},
		},
		{
			"the pod makes no bid", func(_ *bidding, m *facts.PriceMeasurement) {
				m.Answers[0].Stdout = "0.000000"
				m.Answers[2].Stdout, m.Answers[2].ExitCode, m.Answers[2].Stderr = "", 1, "not on my list"
			},
			[]string{"sample order 1 (no GPU)", "sample order 3 (2 GPU t4, 2 replicas): the running pod answers with no bid: not on my list"},
		},
		{"the last of six decimals", func(_ *bidding, m *facts.PriceMeasurement) { m.Answers[0].Stdout = "5.745403" }, nil},
		{"an order that takes too long", func(_ *bidding, m *facts.PriceMeasurement) { m.Answers[1].TimedOut = true }, []string{"it took longer than 10 s"}},
		{"a customised script that no sandbox ran", func(b *bidding, m *facts.PriceMeasurement) { b.recognition.Known, m.Answers[0].Stdout = false, "1" }, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := published(t)
			m := answers(t, b)
			test.change(&b, &m)
			got := priceDifferences(b, m, nil)
			if len(got) != len(test.want) {
				t.Fatalf("got %q, want %q", got, test.want)
			}
			for i := range got {
				if !strings.Contains(got[i], test.want[i]) {
					t.Errorf("got  %s\nwant %s", got[i], test.want[i])
				}
			}
		})
	}
}

// What a modified script should answer is known from the sandbox. Without one, its digest alone is compared.
func TestPriceDifferencesOfModifiedScripts(t *testing.T) {
	const body = "#!/bin/bash\ngpu_mappings=1 # ours\necho 5\n\n"
	values := map[string]any{"price_target_cpu": "2"}
	for _, test := range []struct {
		name   string
		change func(pod, sandbox *facts.PriceMeasurement)
		want   []string
	}{
		{"the same", func(*facts.PriceMeasurement, *facts.PriceMeasurement) {}, nil},
		{"as the chart mounts it", func(pod, _ *facts.PriceMeasurement) {
			pod.Script = digest([]byte(strings.TrimRight(body, "\n") + "\n"))
		}, nil},
		{"another price in the pod", func(pod, _ *facts.PriceMeasurement) { pod.Answers[1].Stdout = "99.5" },
			[]string{"sample order 2 (1 GPU a100): the running pod answers 99.5 uact a block (42.7759 USD a month, 0.05856 an hour), " +
				"and its script with the prices of the release answers 5 uact a block (2.1495 USD a month, 0.002943 an hour)"}},
		{"no bid in the pod", func(pod, _ *facts.PriceMeasurement) {
			pod.Answers[0] = facts.PriceAnswer{Order: pod.Answers[0].Order, ExitCode: 1, Stderr: "not ours"}
		},
			[]string{"sample order 1 (no GPU): the running pod answers with no bid: not ours, and"}},
		{"no bid in both", func(pod, sandbox *facts.PriceMeasurement) {
			pod.Answers[0].Stdout, sandbox.Answers[0].Stdout = "0", "0.00"
		}, nil},
		{"another script in the pod", func(pod, _ *facts.PriceMeasurement) { pod.Script = strings.Repeat("ab", 32) },
			[]string{"bid script: the running pod has the script with sha256 abababababab, and the release has "}},
		{"the sandbox failed", func(pod, sandbox *facts.PriceMeasurement) {
			pod.Answers[1].Stdout = "99.5"
			*sandbox = facts.PriceMeasurement{Unknown: "no namespaces"}
		}, nil},
		{"the sandbox ran with other prices", func(pod, sandbox *facts.PriceMeasurement) {
			pod.Answers[1].Stdout = "99.5"
			sandbox.Targets = nil
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := biddingOf(map[string]any{valueScript: encodeScript(body), "price_target_cpu": values["price_target_cpu"]}, nil)
			pod := answers(t, published(t))
			pod.Script = digest([]byte(body))
			var orders []string
			for i := range pod.Answers {
				pod.Answers[i].Stdout = "5"
				orders = append(orders, pod.Answers[i].Order)
			}
			q := podQuestion(b, orders)
			sandbox := facts.PriceMeasurement{Script: digest([]byte(body)), Targets: q.Targets, AKT: q.AKT, Answers: slices.Clone(pod.Answers)}
			test.change(&pod, &sandbox)
			got := priceDifferences(b, pod, map[string]facts.PriceMeasurement{q.Key(): sandbox})
			if len(got) != len(test.want) {
				t.Fatalf("got %q, want %q", got, test.want)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], test.want[i]) {
					t.Errorf("got  %s\nwant %s", got[i], test.want[i])
				}
			}
		})
	}
}

func TestRollbackHint(t *testing.T) {
	release := facts.Release{Namespace: "akash-services", Name: "akash-provider", Revision: 28}
	if got, want := rollback(release, ""), "to go back to the previous revision, run: helm -n akash-services rollback akash-provider 27"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	release.Revision = 1
	if got := rollback(release, "; "); got != "" {
		t.Errorf("there is no revision before the first: %q", got)
	}
}

// The denomination of the sample orders is one that the version bids in, and worth a dollar where there is one.
func TestSampleDenom(t *testing.T) {
	got := map[price.Version]string{}
	for _, v := range []price.Version{"", price.Aug16, price.Sept08, price.April03, price.Feb04, price.Feb04ACT} {
		got[v] = price.SampleDenom(v)
	}
	want := map[price.Version]string{
		"": price.UACT, price.Aug16: price.UAKT, price.Sept08: price.USDC, price.April03: price.USDC, price.Feb04: price.USDC, price.Feb04ACT: price.UACT,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCoin(t *testing.T) {
	for _, test := range []struct{ text, amount, denom, money string }{
		{"500000uakt", "500000", "uakt", "0.5 AKT"},
		{"5000000uact", "5000000", "uact", "5 ACT"},
		{"12ibc/170C", "12", "ibc/170C", "12 ibc/170C"},
		{"0uakt", "", "", ""},
		{"uakt", "", "", ""},
		{"5e6uakt", "5", "e6uakt", "5 e6uakt"},
		{"", "", "", ""},
		{"hmac:abc", "", "", ""},
	} {
		amount, denom := coin(test.text)
		text, said := "", ""
		if amount != nil {
			text, said = amount.String(), money(amount, denom)
		}
		if text != test.amount || denom != test.denom || said != test.money {
			t.Errorf("%q: %s %s %s", test.text, text, denom, said)
		}
	}
}

func FuzzCoin(f *testing.F) {
	f.Add("500000uakt")
	f.Add("1ibc/170C677610AC31DF0904FFE09CD3B5C657492170E7E52372E48756B71E56F2F1")
	f.Fuzz(func(t *testing.T, text string) {
		if amount, denom := coin(text); amount != nil && (amount.Sign() <= 0 || denom == "" || !strings.HasSuffix(text, denom)) {
			t.Fatalf("%q: %s %q", text, amount, denom)
		}
	})
}
