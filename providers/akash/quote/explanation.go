package quote

import (
	"fmt"
	"io"

	"upkeep/providers/akash/price"
)

// Explanation is the answer of `upkeep price explain`; its text is made of the same.
type Explanation struct {
	FormatVersion string `json:"format_version"`
	Order         string `json:"order"` // its file
	Denom         string `json:"denom,omitempty"`
	Amount        string `json:"amount,omitempty"` // the maximum for a block
	// Maximum is the maximum in USD a month, where it can be told.
	Maximum *price.USD `json:"maximum_usd_month,omitempty"`
	Prices  Prices     `json:"prices"`
	Answer  Answer     `json:"answer"`
	// Before is the other side of a comparison.
	Before *ExplanationBefore `json:"before,omitempty"`
}

// ExplanationBefore is the other side of a comparison.
type ExplanationBefore struct {
	Prices Prices `json:"prices"`
	Answer Answer `json:"answer"`
	// Percent is by how much the price rises; empty where it was nothing.
	Percent string `json:"percent,omitempty"`
}

// Explain answers an order line by line, and next to it under what was before, if that is not nil. The name is the
// order's, for people.
func Explain(name string, order price.Order, is Prices, was *Prices) (Explanation, error) {
	e := Explanation{FormatVersion: Format, Order: name, Denom: order.Denom, Amount: order.Amount, Prices: is}
	if maximum, ok := price.MonthlyMaximum(order, is.Setting.AKT); ok {
		e.Maximum = &maximum
	}
	if NeedsAKT(order) && is.Setting.AKT == "" {
		return e, ErrNoAKT
	}
	var err error
	if e.Answer, err = To(order, is); err != nil || was == nil {
		return e, err
	}
	before, err := To(order, *was)
	e.Before = &ExplanationBefore{Prices: *was, Answer: before}
	if before.Result.Priced && e.Answer.Result.Priced {
		e.Before.Percent, _ = e.Answer.Result.Charged().Percent(before.Result.Charged())
	}
	return e, err
}

// Write renders an explanation as text.
func (e Explanation) Write(w io.Writer) error {
	fmt.Fprintf(w, "%s", e.Order)
	if e.Amount != "" {
		fmt.Fprintf(w, ": at most %s %s a block", trimmedNumber(e.Amount), denomWord(e.Denom))
	}
	if e.Maximum != nil {
		fmt.Fprintf(w, ", %s USD a month, %s an hour", e.Maximum.Round(), e.Maximum.Hourly())
	}
	fmt.Fprintf(w, "\n%s (%s)\n", e.Prices.Name, e.Prices.Script)
	if e.Before != nil {
		fmt.Fprintf(w, "against %s (%s)\n", e.Before.Prices.Name, e.Before.Prices.Script)
	}
	fmt.Fprintln(w)
	if e.computed() {
		if err := e.table(w); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	if e.Before != nil {
		fmt.Fprintf(w, "Before: %s.\nNow:    %s.\n", e.Before.Answer.saying(), e.Answer.saying())
	} else {
		fmt.Fprintf(w, "Answer: %s.\n", e.Answer.saying())
	}
	for _, fault := range e.Answer.Result.Faults {
		fmt.Fprintf(w, "Note: %s.\n", fault)
	}
	e.unpublished(w, &e.Prices)
	if e.Before != nil {
		e.unpublished(w, &e.Before.Prices)
	}
	if e.Before == nil {
		return writeProblems(w, &e.Prices)
	}
	return writeProblems(w, &e.Prices, &e.Before.Prices)
}

// Known reports whether every answer is known.
func (e Explanation) Known() bool {
	return e.Answer.Unknown == "" && (e.Before == nil || e.Before.Answer.Unknown == "")
}

// computed reports whether there is a sum to show line by line.
func (e Explanation) computed() bool {
	of := func(a Answer) bool { return a.Unknown == "" && a.Measured == "" }
	return of(e.Answer) && (e.Before == nil || of(e.Before.Answer))
}

// unpublished says where a script differs from a published one, and how its prices become known.
func (e Explanation) unpublished(w io.Writer, p *Prices) {
	if len(p.Differences) == 0 {
		return
	}
	fmt.Fprintf(w, "\nWarning: %s is modified:\n", p.Name)
	for _, line := range p.Differences {
		fmt.Fprintf(w, "  %s\n", line)
	}
	if p.Unknown != "" && p.Measured == nil {
		fmt.Fprintf(w, "To run the script in a sandbox:\n  upkeep price explain -run -order=%s %s\n", e.Order, p.flags)
	}
}

// row is one line of the table, of one setting.
type row struct{ what, reckoning, usd string }

func (e Explanation) table(w io.Writer) error {
	now := rows(e.Answer.Result)
	if e.Before == nil {
		lines := [][]string{{"", "", "USD a month (an hour)"}}
		for _, r := range now {
			lines = append(lines, []string{r.what, r.reckoning, r.usd})
		}
		return aligned(w, lines)
	}
	lines := [][]string{{"", "before", "USD a month (an hour)", "now", "USD a month (an hour)", ""}}
	for _, pair := range pairs(rows(e.Before.Answer.Result), now) {
		mark, what := "", pair[1].what
		if what == "" {
			what = pair[0].what
		}
		if pair[0].usd != pair[1].usd {
			mark = "~"
		}
		if what == "total" && e.Before.Percent != "" && mark != "" {
			mark = "~ " + signed(e.Before.Percent) + "%"
		}
		lines = append(lines, []string{what, pair[0].reckoning, pair[0].usd, pair[1].reckoning, pair[1].usd, mark})
	}
	return aligned(w, lines)
}

func signed(percent string) string {
	if percent != "" && percent[0] != '-' {
		return "+" + percent
	}
	return percent
}

// rows are the parts of a result that cost something or could have, and the total.
func rows(r price.Result) []row {
	var out []row
	for _, l := range r.Lines {
		if l.Quantity == "" || l.Failed {
			out = append(out, row{l.What, l.Quantity + " x " + l.Target, "cannot be computed"})
			continue
		}
		quantity := trimmedNumber(l.Quantity)
		if quantity == "0" {
			continue
		}
		out = append(out, row{l.What, fmt.Sprintf("%s %s x %s", quantity, l.Unit, l.Target), both(l.USD)})
	}
	for _, g := range r.GPUs {
		if g.Units == "0" {
			continue
		}
		out = append(out, gpuRow(g))
	}
	total := row{what: "total", usd: "cannot be computed"}
	if r.Priced {
		total.usd = both(r.Charged())
	}
	if r.Raised != nil {
		out = append(out, row{what: "minimum of the policy", usd: "+" + both(r.Raised.Minus(r.Total))})
	}
	return append(out, total)
}

func gpuRow(g price.GPULine) row {
	reckoning := g.Units + " GPU x " + g.Price
	switch {
	case g.Count != "" && !g.CountIgnored:
		reckoning = g.Count + " x " + reckoning
	case g.CountIgnored && g.Count != "1" && g.Count != "":
		reckoning += " (replicas are not counted)"
	}
	switch {
	case g.Key != "" && g.Key != g.Model:
		reckoning += " (as " + g.Key + ")"
	case g.Key == "" && g.Tried != nil:
		reckoning += " (not listed)"
	}
	out := row{what: "GPU " + g.Model, reckoning: reckoning, usd: both(g.USD)}
	if g.Model == "*" && g.Tried == nil {
		out.what = "GPUs"
	}
	if g.Failed {
		out.usd = "cannot be computed"
	}
	return out
}

// trimmedNumber drops zeros that say nothing.
func trimmedNumber(text string) string {
	u, err := price.ParseUSD(text)
	if err != nil {
		return text
	}
	return u.String()
}

// pairs puts the rows of two results side by side: those of the same name, in their order, the total last.
func pairs(before, now []row) [][2]row {
	var out [][2]row
	used := map[int]bool{}
	for _, n := range now[:len(now)-1] {
		pair := [2]row{1: n}
		for i, b := range before[:len(before)-1] {
			if !used[i] && (b.what == n.what) {
				used[i] = true
				pair[0] = b
				break
			}
		}
		out = append(out, pair)
	}
	for i, b := range before[:len(before)-1] {
		if !used[i] {
			out = append(out, [2]row{b, {}})
		}
	}
	return append(out, [2]row{before[len(before)-1], now[len(now)-1]})
}
