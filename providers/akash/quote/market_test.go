package quote_test

import (
	"strings"
	"testing"

	"upkeep/providers/akash/price"
	"upkeep/providers/akash/quote"
)

// A price an hour, and one in cents, are far off the market and named for what they are.
func TestCompare(t *testing.T) {
	m, err := quote.ParseMarket([]byte("per: month\ntargets: {cpu: 1.6, memory: 0.80}\ngpu: {a100: 1095, h100: 1600, t4: 80, \"a100.80Gi\": 1200}\n"))
	if err != nil {
		t.Fatal(err)
	}
	ours := prices(t, map[string]any{"price_target_cpu": "160", "price_target_gpu_mappings": "a100=1.5,h100=1700,t4=390,a100.80Gi=160000"})
	c, err := quote.Compare("market.yaml", m, ours)
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, w := range c.Warnings {
		said[w.What] = w.Text
	}
	for what, want := range map[string]string{"gpu a100": "per_hour(1.5)", "cpu": "cents", "gpu a100.80Gi": "cents"} {
		if !strings.Contains(said[what], want) {
			t.Errorf("%s: %q, want %q", what, said[what], want)
		}
	}
	if len(said) != 3 {
		t.Errorf("warnings are %q", said)
	}
	var text strings.Builder
	if err := c.Write(&text); err != nil || !strings.Contains(text.String(), "WARN gpu a100: 1.5 USD a month (0.002053 an hour) is more than 5 times off the market's 1095.00 (1.499)") {
		t.Errorf("%v\n%s", err, text.String())
	}
}

// A market an hour is the same market.
func TestMarketAnHour(t *testing.T) {
	m, err := quote.ParseMarket([]byte(`{"per": "hour", "gpu": {"a100": 1.5}}`))
	if err != nil {
		t.Fatal(err)
	}
	want, _ := price.ParseUSD("1095.732")
	if got := m.Prices["gpu a100"]; !got.Equal(want) {
		t.Errorf("1.5 an hour is %s a month", got)
	}
}

func TestParseMarketRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "another unit": "per: week\ngpu: {a100: 1}", "a misspelt target": "targets: {cpus: 1}", "no number": "gpu: {a100: cheap}",
		"zero": "gpu: {a100: 0}", "an exponent": "gpu: {a100: 1e400}", "a key more": "gpus: {a100: 1}", "a list": "[1]",
	} {
		if m, err := quote.ParseMarket([]byte(text)); err == nil {
			t.Errorf("%s is read as %+v", name, m)
		}
	}
}

func FuzzParseMarket(f *testing.F) {
	f.Add([]byte("per: hour\ntargets: {cpu: 1.6}\ngpu: {a100: 800}\n"))
	f.Add([]byte(`{"gpu": {"a100.80Gi.sxm": "1.5"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := quote.ParseMarket(data)
		if err != nil {
			return
		}
		for what, amount := range m.Prices {
			if amount.Sign() <= 0 {
				t.Errorf("%s costs %s", what, amount)
			}
		}
	})
}
