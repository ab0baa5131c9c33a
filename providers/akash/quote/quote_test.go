package quote_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/akash"
	"upkeep/providers/akash/price"
	"upkeep/providers/akash/quote"
	"upkeep/providers/akash/script"
)

// order is an order of 1 CPU, 1 GiB, 1 GiB of storage and an endpoint, that pays so much a block.
func order(denom, amount string) string {
	return `{"resources":[{"memory":1073741824,"cpu":1000,"gpu":{"units":0},"storage":[{"class":"ephemeral","size":1073741824}],"count":1,"endpoint_quantity":1}],` +
		`"price":{"denom":"` + denom + `","amount":"` + amount + `"},"price_precision":6}`
}

func prices(t *testing.T, values map[string]any) quote.Prices {
	t.Helper()
	p, err := quote.Of(quote.Source{Names: []string{"provider.yaml"}, Values: values}, price.Setting{}, "")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestParseOrders(t *testing.T) {
	for _, test := range []struct {
		name, file, data string
		want             []string // names
		err              string
	}{
		{name: "one", file: "gpu.json", data: order("uact", "5"), want: []string{"gpu.json"}},
		{name: "one a line, with empty lines", file: "all.jsonl", data: order("uact", "5") + "\n\n" + order("uact", "6") + "\n", want: []string{"all.jsonl:1", "all.jsonl:3"}},
		{name: "another file", file: "notes.txt", data: "not an order"},
		{name: "damaged", file: "all.jsonl", data: order("uact", "5") + "\n{\"resources\":", err: "all.jsonl:2: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			orders, err := quote.ParseOrders(test.file, []byte(test.data))
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Fatalf("%v, want %q", err, test.err)
			}
			var names []string
			for _, o := range orders {
				names = append(names, o.Name)
			}
			if diff := cmp.Diff(test.want, names); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReplayOrders(t *testing.T) {
	orders, err := quote.ParseOrders("all.jsonl", []byte(order("uact", "10")+"\n"+order("uact", "5")+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	was := prices(t, map[string]any{"price_target_cpu": 4})
	r, err := quote.ReplayOrders(orders, prices(t, nil), &was)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := r.Write(&text); err != nil {
		t.Fatal(err)
	}
	const want = `provider.yaml (February-04-2025+uact)
against provider.yaml (February-04-2025+uact)

order, USD a month (an hour)  at most          before           now
all.jsonl:1                   4.30 (0.005885)  4.87 (0.006667)  2.47 (0.003381)  too high -> bid
all.jsonl:2                   2.15 (0.002943)  4.87 (0.006667)  2.47 (0.003381)  too high

Before: a bid on 0 of 2 orders, 0.00 USD a month in all, 0 an hour; refused: 2 too high.
Now:    a bid on 1 of 2 orders, 2.47 USD a month in all, 0.003381 an hour; refused: 1 too high.
`
	if diff := cmp.Diff(want, text.String()); diff != "" {
		t.Error(diff)
	}
}

// An order in uakt has no answer without the price of AKT: none is made up.
func TestOrdersInAKTNeedItsPrice(t *testing.T) {
	orders, err := quote.ParseOrders("cheap.json", []byte(order("uakt", "1.5")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := quote.Explain("cheap.json", orders[0].Order, prices(t, nil), nil); !errors.Is(err, quote.ErrNoAKT) {
		t.Errorf("explain: %v", err)
	}
	if _, err := quote.ReplayOrders(orders, prices(t, nil), nil); !errors.Is(err, quote.ErrNoAKT) || !strings.HasPrefix(err.Error(), "cheap.json: ") {
		t.Errorf("replay: %v", err)
	}
	known := prices(t, nil)
	known.Setting.AKT = "3"
	e, err := quote.Explain("cheap.json", orders[0].Order, known, nil)
	if err != nil || e.Answer.Verdict.Bids || e.Answer.Verdict.Reason != price.TooHigh {
		t.Errorf("with the price of AKT: %+v, %v", e.Answer.Verdict, err)
	}
}

func TestMigrateWantsAKnownScript(t *testing.T) {
	odd := script.Recognise([]byte("#!/bin/bash\necho 5\n"))
	if err := quote.Known(odd); err == nil || !strings.Contains(err.Error(), "-script-version") {
		t.Errorf("an unknown script: %v", err)
	}
	named, err := quote.Recognise([]byte("#!/bin/bash\necho 5\n"), price.Newest)
	if err != nil {
		t.Fatal(err)
	}
	m, err := quote.Migrate("odd.sh", akash.Charged{Script: named}, price.Newest)
	if err != nil || m.FormatVersion != quote.Format || !strings.HasPrefix(m.Block, "price_targets {") {
		t.Errorf("%+v, %v", m, err)
	}
}
