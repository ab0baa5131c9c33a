package quote_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/notscripts"
	"upkeep/providers/akash"
	"upkeep/providers/akash/price"
	"upkeep/providers/akash/quote"
	scripts "upkeep/providers/akash/script"
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
		want, odd        []string // names
	}{
		{name: "one", file: "gpu.json", data: order("uact", "5"), want: []string{"gpu.json"}},
		{name: "one a line, with empty lines", file: "all.jsonl", data: order("uact", "5") + "\n\n" + order("uact", "6") + "\n", want: []string{"all.jsonl:1", "all.jsonl:3"}},
		{name: "another file", file: "notes.txt", data: "not an order"},
		{name: "a byte order mark and line ends of Windows", file: "all.jsonl", data: "\ufeff" + order("uact", "5") + "\r\n" + order("uact", "6") + "\r\n",
			want: []string{"all.jsonl:1", "all.jsonl:2"}},
		{name: "a byte order mark within", file: "all.jsonl", data: order("uact", "5") + "\n\ufeff" + order("uact", "6") + "\n",
			want: []string{"all.jsonl:1"}, odd: []string{"all.jsonl:2"}},
		{name: "an empty file that should be an order", file: "gpu.json", data: "\n", odd: []string{"gpu.json"}},
		{name: "an empty file of lines", file: "all.jsonl", data: "\n"},
		{name: "comments", file: "all.jsonl", data: "# mine\n" + order("uact", "5") + "\n// yours", want: []string{"all.jsonl:2"}, odd: []string{"all.jsonl:1", "all.jsonl:3"}},
		{name: "a damaged line among good ones", file: "all.jsonl", data: order("uact", "5") + "\n{\"resources\":\n" + order("uact", "6"),
			want: []string{"all.jsonl:1", "all.jsonl:3"}, odd: []string{"all.jsonl:2"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			orders, unanswered := quote.ParseOrders(test.file, []byte(test.data))
			var names, odd []string
			for _, o := range orders {
				names = append(names, o.Name)
			}
			for _, u := range unanswered {
				odd = append(odd, u.Name)
			}
			if diff := cmp.Diff(test.want, names); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.odd, odd); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// One odd line of 5,000 is named by its number; the others are answered.
func TestReplayGoesOn(t *testing.T) {
	text := strings.Repeat(order("uact", "10")+"\n", 2500) + "an odd line\n" + order("uakt", "10") + "\n" + strings.Repeat(order("uact", "5")+"\n", 2498)
	orders, odd := quote.ParseOrders("all.jsonl", []byte(text))
	r := quote.ReplayOrders(orders, odd, prices(t, nil), nil)
	if r.Known() || len(r.Orders) != 4998 || r.Summary.Bids != 4998-2498 {
		t.Errorf("%d orders, %+v", len(r.Orders), r.Summary)
	}
	var text2 strings.Builder
	if err := r.Write(&text2); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"UNKNOWN  2 of 5000 recorded lines have no answer:\n", "  all.jsonl:2501: this is not an order", "  all.jsonl:2502: the order asks in uakt"} {
		if !strings.Contains(text2.String(), want) {
			t.Errorf("the text lacks %q", want)
		}
	}
}

func TestReplayOrders(t *testing.T) {
	orders, odd := quote.ParseOrders("all.jsonl", []byte(order("uact", "10")+"\n"+order("uact", "5")+"\n"))
	was := prices(t, map[string]any{"price_target_cpu": 4})
	r := quote.ReplayOrders(orders, odd, prices(t, nil), &was)
	if !r.Known() {
		t.Fatal(r.Unanswered)
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
	orders, _ := quote.ParseOrders("cheap.json", []byte(order("uakt", "1.5")))
	if _, err := quote.Explain("cheap.json", orders[0].Order, prices(t, nil), nil); !errors.Is(err, quote.ErrNoAKT) {
		t.Errorf("explain: %v", err)
	}
	if r := quote.ReplayOrders(orders, nil, prices(t, nil), nil); len(r.Unanswered) != 1 || r.Unanswered[0].Name != "cheap.json" {
		t.Errorf("replay: %+v", r)
	}
	known := prices(t, nil)
	known.Setting.AKT = "3"
	e, err := quote.Explain("cheap.json", orders[0].Order, known, nil)
	if err != nil || e.Answer.Verdict.Bids || e.Answer.Verdict.Reason != price.TooHigh {
		t.Errorf("with the price of AKT: %+v, %v", e.Answer.Verdict, err)
	}
}

// What a script charges that nobody published is unknown: explain says so in its answer, migrate marks every row, and
// neither says that prices stay.
func TestModifiedScripts(t *testing.T) {
	const script = `#!/bin/bash
order=$(jq .) gpu_mappings="$PRICE_TARGET_GPU_MAPPINGS"
TARGET_CPU="2.25"
`
	source := quote.Source{Names: []string{"mine.sh"}, Body: []byte(script), Flags: "-script=mine.sh"}
	p, err := quote.Of(source, price.Setting{}, "")
	if err != nil {
		t.Fatal(err)
	}
	orders, _ := quote.ParseOrders("o.json", []byte(order("uact", "10")))
	e, err := quote.Explain("o.json", orders[0].Order, p, nil)
	if err != nil || e.Known() || e.Answer.Verdict.Bids || e.Answer.Result.Priced {
		t.Errorf("%+v, %v", e.Answer, err)
	}
	if r := quote.ReplayOrders(orders, nil, p, nil); r.Known() || len(r.Orders) > 0 {
		t.Errorf("replay: %+v", r)
	}
	charged := akash.Charged{Script: scripts.Recognise([]byte(script)), Body: script, Values: map[string]any{"price_target_memory": 0.0}, Fleet: []price.FleetGPU{{Vendor: "nvidia", Model: "t4"}}}
	m, err := quote.Migrate("mine.sh", charged, price.Newest)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name  string
		write func(*strings.Builder) error
		has   []string
	}{
		{"explain", func(b *strings.Builder) error { return e.Write(b) },
			[]string{"Answer: unknown: the script is modified", "  upkeep price explain -run -order=o.json -script=mine.sh\n"}},
		{"migrate", func(b *strings.Builder) error { return m.Write(b) },
			[]string{"UNKNOWN  Prices before are unknown", "Warning: mine.sh: price_target_memory: the chart leaves out the number 0"}},
	} {
		var text strings.Builder
		if err := test.write(&text); err != nil {
			t.Fatal(err)
		}
		for _, want := range test.has {
			if !strings.Contains(text.String(), want) {
				t.Errorf("%s lacks %q:\n%s", test.name, want, text.String())
			}
		}
		if strings.Contains(text.String(), "every price stays as it is") || strings.Contains(text.String(), "bids ") && test.name == "migrate" {
			t.Errorf("%s is sure:\n%s", test.name, text.String())
		}
	}
	for _, c := range m.Prices {
		if c.Before != nil {
			t.Errorf("%s costs %s before", c.What, c.Before)
		}
	}
}

// A target that is seen and not understood, and a text that is no script, are errors of migrate.
func TestMigrateRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"#!/bin/bash\ngpu_mappings=1\nTARGET_CPU=2.25\n":   `mine.sh: line 3 sets TARGET_CPU in a form that upkeep does not read`,
		"#!/bin/bash\ngpu_mappings=1\nTARGET_CPU='450'\n":  `mine.sh: line 3 sets TARGET_CPU`,
		"#!/bin/bash\ngpu_mappings=1\nTARGET_CPU=\"1\";\n": `mine.sh: line 3 sets TARGET_CPU`,
		"404: Not Found":                    "not a bid price script",
		"<html></html>":                     "this is a web page",
		"#!/bin/bash\r\ngpu_mappings=1\r\n": "carriage returns",
	} {
		if _, err := quote.Migrate("mine.sh", akash.Charged{Script: scripts.Recognise([]byte(text)), Body: text}, price.Newest); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// No price command takes a text for a script that is none.
func TestTextsThatAreNoScript(t *testing.T) {
	for _, text := range notscripts.All() {
		body := []byte(text.Body)
		_, ofErr := quote.Of(quote.Source{Names: []string{"s.sh"}, Body: body}, price.Setting{}, price.Newest)
		_, recogniseErr := quote.Recognise(body, price.Newest)
		_, migrateErr := quote.Migrate("s.sh", akash.Charged{Script: scripts.Recognise(body), Body: text.Body}, price.Newest)
		for from, err := range map[string]error{"prices": ofErr, "a named version": recogniseErr, "migrate": migrateErr} {
			if err == nil || !strings.Contains(err.Error(), text.Says) {
				t.Errorf("%s, %s: %v", text.Name, from, err)
			}
		}
	}
}

func TestMigrateWantsALikeness(t *testing.T) {
	odd := scripts.Recognise([]byte("#!/bin/bash\necho 5\n"))
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
