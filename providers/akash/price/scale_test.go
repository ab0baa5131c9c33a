package price_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/akash/price"
)

// What a provider without a script answers: sums by hand after akash.md 3.5; decimals and refusals as in
// akash-network/provider, bidengine/pricing.go.
func TestScale(t *testing.T) {
	const (
		large = `{"resources":[{"memory":17179869184,"cpu":8000,"gpu":{"units":1,"attributes":{"vendor":{"nvidia":{"model":"a100","ram":"80Gi"}}}},
			"storage":[{"class":"ephemeral","size":107374182400},{"class":"beta2","size":536870912000},{"class":"ram","size":10737418240}],
			"count":2,"endpoint_quantity":3,"ip_lease_quantity":1}],"price":{"denom":"uact","amount":"10000"},"price_precision":6}`
		small = `{"resources":[{"memory":536870912,"cpu":500,"gpu":{"units":0},"storage":[{"class":"ephemeral","size":536870912}],"count":1,"endpoint_quantity":1}],
			"price":{"denom":"uakt","amount":"3"},"price_precision":6}`
		oneByte = `{"resources":[{"memory":1,"cpu":0,"gpu":{"units":0},"storage":[],"count":1,"endpoint_quantity":0}],"price":{"denom":"uact","amount":"3"}}`
		beta3   = `{"resources":[{"memory":0,"cpu":0,"gpu":{"units":0},"storage":[{"class":"beta3","size":1048576}],"count":1,"endpoint_quantity":1}],"price":{"denom":"uact","amount":"3"}}`
		nothing = `{"resources":[],"price":{"denom":"uact","amount":"3"}}`
	)
	type values = map[string]any
	tests := []struct {
		name, order string
		values      values
		akt         string
		want        price.Verdict
		usd         string
	}{
		// 16000 x 0.004 + 32768 x 0.0016 + 225280 x 0.00016 + 1024000 x 0.00016 + 3 x 1 + 1 x 60: the GPUs are free.
		{"the chart's defaults", large, nil, "", price.Verdict{Bids: true, Amount: "379.3136", Denom: "uact"}, "163.0703"},
		{"scales of its own", large, values{"bidpricecpuscale": "0.005", "bidpriceipscale": 0, "bidpricestoragescale": "0.0001,beta2=0.0002"}, "",
			// 80 + 52.4288 + 22.528 + 204.8 + 3 + 0
			price.Verdict{Bids: true, Amount: "362.7568", Denom: "uact"}, "155.9524"},
		{"above the maximum, in AKT", small, nil, "3", price.Verdict{Reason: price.TooHigh, Detail: "3.90112 is above the maximum of 3"}, "5.0314"},
		{"an exponent, which the provider reads", small, values{"bidpricecpuscale": 1e-5, "bidpriceendpointscale": "1"}, "3",
			// 0.005 + 0.8192 + 0.08192 + 1
			price.Verdict{Bids: true, Amount: "1.90612", Denom: "uakt"}, "2.4584"},
		{"more decimals than the chain takes", oneByte, nil, "", price.Verdict{Reason: price.Unscaled, Detail: "the price has 20 decimals, and the chain takes 18"}, "0"},
		{"a class without a price", beta3, nil, "", price.Verdict{Reason: price.Unscaled, Detail: "no pricing configured for storage class: beta3"}, "0.4299"},
		{"below zero", small, values{"bidpricecpuscale": "-1"}, "3", price.Verdict{Reason: price.Unscaled, Detail: "bidpricecpuscale: -1 is below zero, and the provider refuses to start"}, "2.4519"},
		{"no number", small, values{"bidpricememoryscale": "much"}, "3", price.Verdict{Reason: price.Unscaled, Detail: `bidpricememoryscale: "much" is no number`}, "3.9748"},
		{"a class that is not named", small, values{"bidpricestoragescale": "1,2"}, "3", price.Verdict{Reason: price.Unscaled, Detail: `bidpricestoragescale: "2" names no storage class`}, "0"},
		{"nothing", nothing, nil, "", price.Verdict{Reason: price.Zero, Detail: "a bid of zero was produced"}, "0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o, err := price.ParseOrder([]byte(test.order))
			if err != nil {
				t.Fatal(err)
			}
			r, err := price.Price(o, price.Setting{Version: price.Scale, Targets: price.TargetsOf(test.values), AKT: test.akt})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, price.Judge(o, r)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if r.Total.String() != test.usd {
				t.Errorf("%s USD a month, want %s", r.Total, test.usd)
			}
		})
	}
	t.Run("a denomination of unknown worth", func(t *testing.T) {
		o, err := price.ParseOrder([]byte(`{"resources":[],"price":{"denom":"uatom","amount":"3"}}`))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := price.Price(o, price.Setting{Version: price.Scale}); err == nil {
			t.Error("it has a worth")
		}
	})
}
