package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v3"

	"upkeep/providers/akash/price"
)

func priceExplainCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "explain", Usage: "show the price of an order, line by line",
		Description: "The order is the JSON that the provider pipes to its bid price script; with -order=- it is read from " +
			"standard input. With -against, the prices of another file stand beside it, as what was before.",
		Flags: append([]cli.Flag{&cli.StringFlag{Name: "order", Usage: "the order in `FILE`"}}, priceFlags()...),
		Action: func(_ context.Context, cmd *cli.Command) error {
			if err := noArguments(cmd); err != nil {
				return err
			}
			file := cmd.String("order")
			if file == "" {
				return usage(cmd, "name the order: -order=FILE")
			}
			order, err := readOrder(env, cmd, file)
			if err != nil {
				return err
			}
			is, was, err := settings(cmd)
			if err != nil {
				return err
			}
			if needsAKT(order) && is.Setting.AKT == "" {
				return errNoAKT
			}
			e, err := explain(file, order, is, was)
			if err != nil {
				return err
			}
			if cmd.Bool("json") {
				return printJSON(env.stdout, e)
			}
			return e.write(env.stdout)
		},
	}
}

func readOrder(env environment, cmd *cli.Command, file string) (price.Order, error) {
	var data []byte
	var err error
	if file == "-" {
		data, err = io.ReadAll(env.stdin)
	} else {
		data, err = os.ReadFile(inDirectory(cmd, file))
	}
	if err != nil {
		return price.Order{}, err
	}
	order, err := price.ParseOrder(data)
	if err != nil {
		return order, fmt.Errorf("%s: %w", file, err)
	}
	return order, nil
}

// explanation is the answer of `upkeep price explain`; its text is made of the same.
type explanation struct {
	FormatVersion string `json:"format_version"`
	Order         string `json:"order"` // its file
	Denom         string `json:"denom,omitempty"`
	Amount        string `json:"amount,omitempty"` // the maximum for a block
	// Maximum is the maximum in USD a month, where it can be told.
	Maximum *price.USD `json:"maximum_usd_month,omitempty"`
	Prices  prices     `json:"prices"`
	Answer  answer     `json:"answer"`
	// Before is the other side of a comparison.
	Before *explanationBefore `json:"before,omitempty"`
}

type explanationBefore struct {
	Prices prices `json:"prices"`
	Answer answer `json:"answer"`
	// Percent is by how much the price rises; empty where it was nothing.
	Percent string `json:"percent,omitempty"`
}

func explain(file string, order price.Order, is prices, was *prices) (explanation, error) {
	e := explanation{FormatVersion: pricesFormat, Order: file, Denom: order.Denom, Amount: order.Amount, Prices: is}
	if maximum, ok := price.MonthlyMaximum(order, is.Setting.AKT); ok {
		e.Maximum = &maximum
	}
	var err error
	if e.Answer, err = answerTo(order, is); err != nil || was == nil {
		return e, err
	}
	before, err := answerTo(order, *was)
	e.Before = &explanationBefore{Prices: *was, Answer: before}
	if before.Result.Priced && e.Answer.Result.Priced {
		e.Before.Percent, _ = e.Answer.Result.Total.Percent(before.Result.Total)
	}
	return e, err
}

// write renders an explanation as text.
func (e explanation) write(w io.Writer) error {
	fmt.Fprintf(w, "%s", e.Order)
	if e.Amount != "" {
		fmt.Fprintf(w, ": at most %s %s a block", trimmedNumber(e.Amount), denomWord(e.Denom))
	}
	if e.Maximum != nil {
		fmt.Fprintf(w, ", %s USD a month", e.Maximum.Round())
	}
	fmt.Fprintf(w, "\n%s (%s)\n", e.Prices.Name, e.Prices.Script)
	if e.Before != nil {
		fmt.Fprintf(w, "against %s (%s)\n", e.Before.Prices.Name, e.Before.Prices.Script)
	}
	fmt.Fprintln(w)
	if err := e.table(w); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if e.Before != nil {
		fmt.Fprintf(w, "Before: %s.\nNow:    %s.\n", e.Before.Answer.saying(), e.Answer.saying())
	} else {
		fmt.Fprintf(w, "Answer: %s.\n", e.Answer.saying())
	}
	for _, fault := range e.Answer.Result.Faults {
		fmt.Fprintf(w, "Note: %s.\n", fault)
	}
	if e.Before == nil {
		return writeProblems(w, &e.Prices)
	}
	return writeProblems(w, &e.Prices, &e.Before.Prices)
}

// row is one line of the table, of one setting.
type row struct{ what, reckoning, usd string }

func (e explanation) table(w io.Writer) error {
	now := rows(e.Answer.Result)
	if e.Before == nil {
		lines := [][]string{{"", "", "USD a month"}}
		for _, r := range now {
			lines = append(lines, []string{r.what, r.reckoning, r.usd})
		}
		return aligned(w, lines)
	}
	lines := [][]string{{"", "before", "USD a month", "now", "USD a month", ""}}
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
		out = append(out, row{l.What, fmt.Sprintf("%s %s x %s", quantity, l.Unit, l.Target), l.USD.Round()})
	}
	for _, g := range r.GPUs {
		if g.Units == "0" {
			continue
		}
		out = append(out, gpuRow(g))
	}
	total := row{what: "total", usd: "cannot be computed"}
	if r.Priced {
		total.usd = r.Total.Round()
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
	out := row{what: "GPU " + g.Model, reckoning: reckoning, usd: g.USD.Round()}
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
