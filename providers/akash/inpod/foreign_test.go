package inpod_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/akash/inpod"
	"upkeep/providers/facts"
	"upkeep/providers/plain"
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// reportOf is a report in which the given lines stand.
func reportOf(lines ...string) []byte {
	return []byte("upkeep-measure 1\n" + strings.Join(lines, "\n") + "\nend\n")
}

func TestReadReport(t *testing.T) {
	clock, script := "clock 1764374404", "script "+strings.Repeat("a", 64)
	client, node := "balance 0 "+b64(balances)+",", "status 0 "+b64(status)+","
	answer := "answer 0 " + b64("1.5\x1b[2J\n") + "," + b64("warn\u202eing\n")
	got, err := inpod.ReadReport(reportOf(clock, script, "akt "+b64("0.55\n"), "jq 0 "+b64("jq-1.6\n")+",", "target "+b64("PRICE_TARGET_CPU=1"), answer, client, node), []string{order})
	if err != nil {
		t.Fatal(err)
	}
	want := facts.PriceMeasurement{
		Script: strings.Repeat("a", 64), AKT: "0.55", JQ: "jq-1.6", Targets: map[string]string{"PRICE_TARGET_CPU": "1"},
		Answers: []facts.PriceAnswer{{Order: order, Stdout: "1.5\\u001b[2J\n", Stderr: "warn\\u202eing"}},
	}
	if diff := cmp.Diff(want, got.Price); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, test := range []struct {
		name  string
		lines []string
	}{
		{"nothing", nil},
		{"no clock", []string{script, answer, client, node}},
		{"a clock that is none", []string{"clock now", script, answer, client, node}},
		{"no answer", []string{clock, script, client, node}},
		{"more answers than orders", []string{clock, script, answer, answer, client, node}},
		{"no balance", []string{clock, script, answer, node}},
		{"a word of its own", []string{clock, script, answer, client, node, "also 1"}},
		{"no base64", []string{clock, script, "answer 0 !,", client, node}},
		{"no status", []string{clock, script, "answer x ,", client, node}},
		{"a digest that is none", []string{clock, "script ../../etc", answer, client, node}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, err := inpod.ReadReport(reportOf(test.lines...), []string{order}); err == nil {
				t.Errorf("got %+v", got)
			}
		})
	}
	if _, err := inpod.ReadReport([]byte("upkeep-measure 1\nclock 1\n"), nil); err == nil {
		t.Error("half a report is believed")
	}
}

func TestReadLog(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 11, 28, 20, minute, 0, 0, time.UTC) }
	stamp := func(minute int) string { return at(minute).Format(time.RFC3339Nano) + " " }
	for _, test := range []struct {
		name, log string
		want      facts.BidLog
	}{
		{"empty", "", facts.BidLog{}},
		{
			"two forms of lines",
			stamp(1) + "I[2026-11-28|20:01:00.100] order detected                               module=bidengine-service cmp=provider order=order/akash1q/8676889/1/1\n" +
				stamp(2) + "8:02PM INF bid complete module=bidengine-order order=akash1q/418553/1/1\n" +
				stamp(3) + "\x1b[90m8:03PM\x1b[0m \x1b[32mINF\x1b[0m order detected \x1b[36mmodule=\x1b[0mbidengine-service\n",
			facts.BidLog{Since: at(1), Until: at(3), Orders: 2, Bids: 1, LastBid: at(2)},
		},
		{
			"a price that fails", // akash-network/support#296
			stamp(4) + `E[2025-04-01|13:30:41.317] error calculating price                      module=bidengine-order cmp=provider ` +
				`order=akash1l/20891730/1/1 err="invalid decimal stringA bid quantity is invalid"` + "\n",
			facts.BidLog{Since: at(4), Until: at(4), FailedAt: at(4), LastFailure: "the price could not be calculated: invalid decimal stringA bid quantity is invalid"},
		},
		{
			"words that a tenant wrote", stamp(5) + "I[] service log   module=provider-manifest text=\" bid complete module=bidengine-order\"\n",
			facts.BidLog{Since: at(5), Until: at(5)},
		},
		{"no time", "bid complete module=bidengine-order\n" + stamp(6) + "x\n", facts.BidLog{Since: at(6), Until: at(6)}},
		{
			"a line without end", stamp(7) + strings.Repeat("y", 100<<10) + "\n" + stamp(8) + "8:08PM INF bid complete module=bidengine-order",
			facts.BidLog{Since: at(7), Until: at(8), Bids: 1, LastBid: at(8)},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := inpod.ReadLog(strings.NewReader(test.log))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if _, err := inpod.ReadLog(bytes.NewReader(bytes.Repeat([]byte("z\n"), inpod.LogLimit/2+1))); err == nil {
		t.Error("a log that is too large is believed")
	}
}

func FuzzReadReport(f *testing.F) {
	f.Add(reportOf("clock 1", "script none", "balance 0 "+b64(balances)+",", "status 0 "+b64(status)+","))
	f.Add(reportOf("clock 1", "script "+strings.Repeat("0", 64), "answer 124 ,"+b64("\x1b[31m"), "balance 1 ,", "status 7 ,"))
	f.Add([]byte("upkeep-measure 1\nend"))
	f.Fuzz(func(t *testing.T, printed []byte) {
		got, err := inpod.ReadReport(printed, []string{order})
		if err != nil {
			return
		}
		if got.Price.Unknown == "" && len(got.Price.Answers) != 1 {
			t.Fatalf("%d answers", len(got.Price.Answers))
		}
		for _, text := range []string{got.Price.JQ, got.Balance.Unknown, got.RPC.Unknown, got.RPC.Silent} {
			if text != plain.Line(text) || len(text) > 4096 {
				t.Fatalf("%q was not cleaned", text)
			}
		}
		for _, a := range got.Price.Answers {
			if a.Stdout != plain.Text(a.Stdout) || a.Stderr != plain.Line(a.Stderr) || len(a.Stdout)+len(a.Stderr) > 4200 {
				t.Fatalf("%+v was not cleaned", a)
			}
		}
	})
}

func FuzzReadLog(f *testing.F) {
	f.Add([]byte("2026-11-28T22:00:02.5Z 8:02PM ERR bid failed module=bidengine-order err=\"insufficient funds\"\n"))
	f.Add([]byte("2026-11-28T22:00:02Z \x1b[1m bid complete module=bidengine-\n"))
	f.Fuzz(func(t *testing.T, log []byte) {
		got, err := inpod.ReadLog(bytes.NewReader(log))
		if err != nil {
			return
		}
		if got.LastFailure != plain.Line(got.LastFailure) || len(got.LastFailure) > 300 {
			t.Fatalf("%q was not cleaned", got.LastFailure)
		}
		if got.Bids > 0 && got.LastBid.IsZero() || got.Bids < 0 {
			t.Fatalf("%+v", got)
		}
	})
}
