package quote

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"upkeep/providers/akash/price"
)

// Order is a recorded order and where it stands.
type Order struct {
	Name  string
	Order price.Order
}

// Unanswered is a recorded order that has no answer, and why.
type Unanswered struct {
	Name  string `json:"name"`
	Error string `json:"error"`
}

// ParseOrders reads the orders of one file: one in a *.json file, one a line in a *.jsonl file; none in any other.
// One that is no order is named next to the others: it does not keep them from being read.
func ParseOrders(file string, data []byte) (orders []Order, odd []Unanswered) {
	var texts [][]byte
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) // what an editor put before the first order, as jq skips it
	lines := path.Ext(file) == ".jsonl"
	switch {
	case lines:
		texts = jsonLinesOf(data)
	case path.Ext(file) == ".json":
		texts = [][]byte{data}
	}
	for i, text := range texts {
		if len(bytes.TrimSpace(text)) == 0 {
			if !lines {
				odd = append(odd, Unanswered{file, "the file is empty"})
			}
			continue
		}
		place := file
		if lines {
			place = fmt.Sprintf("%s:%d", file, i+1)
		}
		order, err := price.ParseOrder(text)
		if err != nil {
			odd = append(odd, Unanswered{place, err.Error()})
			continue
		}
		orders = append(orders, Order{place, order})
	}
	return orders, odd
}

func jsonLinesOf(data []byte) [][]byte {
	var out [][]byte
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, len(data)+1)
	for lines.Scan() {
		out = append(out, bytes.Clone(lines.Bytes()))
	}
	return out
}

// Replay is the answer of `upkeep price replay`; its text is made of the same.
type Replay struct {
	FormatVersion string          `json:"format_version"`
	Prices        Prices          `json:"prices"`
	Against       *Prices         `json:"against,omitempty"`
	Orders        []ReplayedOrder `json:"orders"`
	Summary       Summary         `json:"summary"`
	// Before is the summary under the prices compared with.
	Before *Summary `json:"before,omitempty"`
	// Unanswered are what is no order, and orders that have no answer.
	Unanswered []Unanswered `json:"unanswered,omitempty"`
}

// Known reports whether every order has an answer.
func (r Replay) Known() bool { return len(r.Unanswered) == 0 }

// ReplayedOrder is what becomes of one order.
type ReplayedOrder struct {
	Name string `json:"name"`
	// Maximum is the order's maximum in USD a month, USD its price; nil where they cannot be told.
	Maximum *price.USD      `json:"maximum_usd_month"`
	USD     *price.USD      `json:"usd_month"`
	Verdict price.Verdict   `json:"verdict"`
	Before  *ReplayedBefore `json:"before,omitempty"`
}

// ReplayedBefore is the other side of a comparison.
type ReplayedBefore struct {
	USD     *price.USD    `json:"usd_month"`
	Verdict price.Verdict `json:"verdict"`
}

// Summary counts what would fit.
type Summary struct {
	Orders int `json:"orders"`
	Bids   int `json:"bids"`
	// USD is what all orders with a bid pay together a month.
	USD price.USD `json:"usd_month"`
	// Refused counts the others by reason.
	Refused map[price.Reason]int `json:"refused"`
}

func (s *Summary) add(a Answer) {
	s.Orders++
	if !a.Verdict.Bids {
		if s.Refused == nil {
			s.Refused = map[price.Reason]int{}
		}
		s.Refused[a.Verdict.Reason]++
		return
	}
	s.Bids++
	s.USD = s.USD.Plus(a.Result.Charged())
}

// ReplayOrders answers recorded orders, and each next to it under what was before, if that is not nil. What is odd is
// told with the orders that have no answer; it does not end the others.
func ReplayOrders(recorded []Order, odd []Unanswered, is Prices, was *Prices) Replay {
	r := Replay{Unanswered: odd, FormatVersion: Format, Prices: is, Against: was,
		Summary: Summary{Refused: map[price.Reason]int{}}}
	if was != nil {
		r.Before = &Summary{Refused: map[price.Reason]int{}}
	}
	for _, o := range recorded {
		now, before, err := bothSides(o.Order, is, was)
		if err != nil {
			r.Unanswered = append(r.Unanswered, Unanswered{o.Name, err.Error()})
			continue
		}
		r.Summary.add(now)
		line := ReplayedOrder{Name: o.Name, USD: totalOf(now), Verdict: now.Verdict}
		if maximum, ok := price.MonthlyMaximum(o.Order, is.Setting.AKT); ok {
			line.Maximum = &maximum
		}
		if was != nil {
			r.Before.add(before)
			line.Before = &ReplayedBefore{USD: totalOf(before), Verdict: before.Verdict}
		}
		r.Orders = append(r.Orders, line)
	}
	return r
}

// bothSides answers an order under what is, and under what was before.
func bothSides(o price.Order, is Prices, was *Prices) (now, before Answer, err error) {
	if NeedsAKT(o) && is.Setting.AKT == "" {
		return now, before, ErrNoAKT
	}
	if now, err = To(o, is); err != nil || was == nil {
		return now, before, cmp.Or(err, now.err(is))
	}
	before, err = To(o, *was)
	return now, before, cmp.Or(err, now.err(is), before.err(*was))
}

// err is why an answer is unknown; nil where it is known.
func (a Answer) err(p Prices) error {
	if a.Unknown == "" {
		return nil
	}
	return fmt.Errorf("%s: %s", p.Name, a.Unknown)
}

func totalOf(a Answer) *price.USD {
	if !a.Result.Priced {
		return nil
	}
	charged := a.Result.Charged()
	return &charged
}

// Write renders a replay as text.
func (r Replay) Write(w io.Writer) error {
	fmt.Fprintf(w, "%s (%s)\n", r.Prices.Name, r.Prices.Script)
	if r.Against != nil {
		fmt.Fprintf(w, "against %s (%s)\n", r.Against.Name, r.Against.Script)
	}
	fmt.Fprintln(w)
	lines := [][]string{{"order, USD a month (an hour)", "at most", "price", ""}}
	if r.Against != nil {
		lines = [][]string{{"order, USD a month (an hour)", "at most", "before", "now", ""}}
	}
	for _, o := range r.Orders {
		fate := verdictWord(o.Verdict)
		if o.Before == nil {
			lines = append(lines, []string{o.Name, dollars(o.Maximum), dollars(o.USD), fate})
			continue
		}
		if before := verdictWord(o.Before.Verdict); before != fate {
			fate = before + " -> " + fate
		}
		lines = append(lines, []string{o.Name, dollars(o.Maximum), dollars(o.Before.USD), dollars(o.USD), fate})
	}
	if err := aligned(w, lines); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if r.Before != nil {
		fmt.Fprintf(w, "Before: %s.\n", r.Before.saying())
		fmt.Fprintf(w, "Now:    %s.\n", r.Summary.saying())
	} else {
		fmt.Fprintf(w, "%s.\n", capitalised(r.Summary.saying()))
	}
	if len(r.Unanswered) > 0 {
		fmt.Fprintf(w, "\nUNKNOWN  %d of %d recorded lines have no answer:\n", len(r.Unanswered),
			len(r.Unanswered)+len(r.Orders))
	}
	for _, u := range r.Unanswered[:min(len(r.Unanswered), mostUnanswered)] {
		fmt.Fprintf(w, "  %s: %s\n", u.Name, u.Error)
	}
	if more := len(r.Unanswered) - mostUnanswered; more > 0 {
		fmt.Fprintf(w, "  %d more; -json lists all\n", more)
	}
	return writeProblems(w, &r.Prices, r.Against)
}

// mostUnanswered is how many lines without an answer the text names.
const mostUnanswered = 20

func dollars(u *price.USD) string {
	if u == nil {
		return "?"
	}
	return both(*u)
}

// both is an amount a month, and in brackets an hour.
func both(u price.USD) string { return u.Round() + " (" + u.Hourly() + ")" }

// verdictWord is a verdict in a word or two.
func verdictWord(v price.Verdict) string {
	if v.Bids {
		return "bid"
	}
	return strings.ReplaceAll(string(v.Reason), "_", " ")
}

func (s Summary) saying() string {
	text := fmt.Sprintf("a bid on %d of %d orders, %s USD a month in all, %s an hour", s.Bids, s.Orders, s.USD.Round(),
		s.USD.Hourly())
	var reasons []string
	for reason, n := range s.Refused {
		reasons = append(reasons, fmt.Sprintf("%d %s", n, strings.ReplaceAll(string(reason), "_", " ")))
	}
	slices.Sort(reasons)
	if len(reasons) > 0 {
		text += "; refused: " + strings.Join(reasons, ", ")
	}
	return text
}

func capitalised(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
