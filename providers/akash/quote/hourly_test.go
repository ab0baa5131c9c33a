package quote_test

import (
	"encoding/json"
	"strings"
	"testing"

	"upkeep/providers/akash/price"
	"upkeep/providers/akash/quote"
)

func TestWithHours(t *testing.T) {
	for _, test := range []struct{ given, want string }{
		{`{"usd_month":730.488}`, `{"usd_month":730.488,"usd_hour":1}`},
		{`{"maximum_usd_month":0,"a":null}`, `{"maximum_usd_month":0,"maximum_usd_hour":0,"a":null}`},
		{`[{"before":1.60,"after":null}]`, `[{"before":1.60,"before_usd_hour":0.00219,"after":null}]`},
		{`{"before":{"usd_month":-5},"x":"\"usd_month\": 5"}`, `{"before":{"usd_month":-5,"usd_hour":-0.006845},"x":"\"usd_month\": 5"}`},
		{`{"usd_month":null}`, `{"usd_month":null}`},
		{`[true,"<a>",5,[],{}]`, `[true,"\u003ca\u003e",5,[],{}]`},
	} {
		got, err := quote.WithHours([]byte(test.given))
		if err != nil || string(got) != test.want {
			t.Errorf("%s: %s, %v\nwant %s", test.given, got, err, test.want)
		}
	}
	for _, bad := range []string{"", "{", `{"a":1}{}`} {
		if got, err := quote.WithHours([]byte(bad)); err == nil {
			t.Errorf("%q: %s", bad, got)
		}
	}
}

// Every answer about prices says what costs so much a month by the hour as well, in JSON and in its text.
func TestEveryAnswerHasHours(t *testing.T) {
	orders, _ := quote.ParseOrders("o.json", []byte(order("uact", "10")))
	is, was := prices(t, nil), prices(t, map[string]any{"price_target_cpu": 4})
	e, err := quote.Explain("o.json", orders[0].Order, is, &was)
	if err != nil {
		t.Fatal(err)
	}
	market, err := quote.ParseMarket([]byte("targets: {cpu: 90}\ngpu: {t4: 1}\n"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := quote.Compare("m.yaml", market, is)
	if err != nil {
		t.Fatal(err)
	}
	for name, answer := range map[string]any{"explain": e, "compare": c, "replay": quote.ReplayOrders(orders, nil, is, &was)} {
		data, err := json.Marshal(answer)
		if err != nil {
			t.Fatal(err)
		}
		out, err := quote.WithHours(data)
		if err != nil {
			t.Fatal(err)
		}
		months, hours := strings.Count(string(out), `usd_month":`), strings.Count(string(out), `usd_hour":`)
		nulls := strings.Count(string(out), `usd_month":null`)
		if hours == 0 || hours != months-nulls {
			t.Errorf("%s: %d amounts a month, %d of them null, and %d an hour:\n%s", name, months, nulls, hours, out)
		}
	}
	if len(c.Warnings) == 0 || !strings.Contains(c.Warnings[0].Text, "an hour)") {
		t.Errorf("the warnings lack the hour: %+v", c.Warnings)
	}
}

func FuzzWithHours(f *testing.F) {
	f.Add([]byte(`{"usd_month":1.5,"before":{"after":2}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := quote.WithHours(data)
		if err == nil && !json.Valid(out) {
			t.Fatalf("%q becomes %q", data, out)
		}
	})
}

// A price that the sandbox did not measure is unknown next to a market's, and is not called far off.
func TestCompareKnowsWhatIsUnknown(t *testing.T) {
	market, err := quote.ParseMarket([]byte("targets: {cpu: 90}\n"))
	if err != nil {
		t.Fatal(err)
	}
	modified, err := quote.Of(quote.Source{Names: []string{"mine.sh"}, Body: []byte("#!/bin/bash\ngpu_mappings=1\n")}, price.Setting{}, "")
	if err != nil {
		t.Fatal(err)
	}
	c, err := quote.Compare("m.yaml", market, modified)
	if err != nil || c.Known() || c.FarOff() || !strings.Contains(c.Warnings[0].Text, "the price is unknown: ") {
		t.Errorf("%+v, %v", c, err)
	}
}
