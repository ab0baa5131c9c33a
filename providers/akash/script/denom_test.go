package script

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"

	"upkeep/providers/akash/price"
	"upkeep/providers/facts"
)

// What answers in uakt an order that asks in uact has no price in USD: the number is another one when AKT costs something
// else. What ignores the denomination, and what refuses it, is told apart.
func TestCheckDenom(t *testing.T) {
	fleet := []price.FleetGPU{{Vendor: "nvidia", Model: "a100", RAM: "80Gi"}}
	for _, test := range []struct {
		name   string
		denom  string
		answer func(akt string, order int) facts.PriceAnswer
		want   error
	}{
		{"dollars", "uact", func(string, int) facts.PriceAnswer { return facts.PriceAnswer{Stdout: "100.5"} }, nil},
		{"AKT", "uact", func(akt string, _ int) facts.PriceAnswer {
			return facts.PriceAnswer{Stdout: map[string]string{"1": "100", "2": "50"}[akt]}
		}, ErrOtherDenom},
		{"AKT for GPUs only", "uact", func(akt string, order int) facts.PriceAnswer {
			if order == 0 {
				return facts.PriceAnswer{ExitCode: 1, Stderr: "no GPU"}
			}
			return facts.PriceAnswer{Stdout: map[string]string{"1": "100", "2": "50"}[akt]}
		}, ErrOtherDenom},
		{"AKT, in an order in AKT", "uakt", func(akt string, _ int) facts.PriceAnswer {
			return facts.PriceAnswer{Stdout: map[string]string{"1": "100", "2": "50"}[akt]}
		}, nil},
		{"refused", "uact", func(string, int) facts.PriceAnswer {
			return facts.PriceAnswer{ExitCode: 1, Stderr: "denom in not supported: uact"}
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var orders []price.Order
			for _, s := range SampleOrdersIn(test.denom, fleet) {
				orders = append(orders, s.Order)
			}
			q := Question("#!/bin/bash\necho 5\n", nil, AKT, orders)
			measure := func(q facts.PriceQuestion) facts.PriceMeasurement {
				sum := sha256.Sum256([]byte(q.Script))
				m := facts.PriceMeasurement{Script: hex.EncodeToString(sum[:]), Targets: q.Targets, AKT: q.AKT}
				for i, order := range q.Orders {
					a := test.answer(q.AKT, i)
					a.Order = order
					m.Answers = append(m.Answers, a)
				}
				return m
			}
			probe, ok := Probe(q)
			if ok != (test.denom != price.UAKT) {
				t.Fatalf("it is probed: %t", ok)
			}
			if err := CheckDenom(q, measure(q), measure(probe)); !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
			if err := CheckDenom(q, measure(q), facts.PriceMeasurement{}); err != nil {
				t.Errorf("a probe that was not measured: %v", err)
			}
		})
	}
}

// What no tenant could pay is no bid: the test script of old, whose sums are bytes and not GiB, has none.
func TestSampleMaximum(t *testing.T) {
	order := SampleOrdersIn(price.USDC, []price.FleetGPU{{Vendor: "nvidia", Model: "a100", RAM: "80Gi"}})[2].Order
	for _, test := range []struct {
		stdout string
		bids   bool
	}{{"2147483742.500000", false}, {"100.000000", true}} {
		v, usd := Measured(order, AKT, facts.PriceAnswer{Stdout: test.stdout})
		if v.Bids != test.bids || (usd != nil) != test.bids {
			t.Errorf("%s: %+v, %v", test.stdout, v, usd)
		}
	}
}
