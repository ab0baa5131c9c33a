package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"upkeep/providers/akash/price"
)

func priceReplayCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "replay", Usage: "reprice recorded orders: which bids would fit, and for how much",
		ArgsUsage: "DIR",
		Description: "Reads the orders in the *.json files of a directory, one each, and in its *.jsonl files, one a line: the " +
			"JSON that the provider pipes to its bid price script. With -against, it says what changes.",
		Flags: priceFlags(),
		Action: func(_ context.Context, cmd *cli.Command) error {
			if cmd.Args().Len() != 1 {
				return usage(cmd, "replay takes one directory of recorded orders")
			}
			directory := cmd.Args().First()
			recorded, err := readOrders(directory, inDirectory(cmd, directory))
			if err != nil {
				return err
			}
			is, was, err := settings(cmd)
			if err != nil {
				return err
			}
			r, err := replay(recorded, is, was)
			if err != nil {
				return err
			}
			if cmd.Bool("json") {
				return printJSON(env.stdout, r)
			}
			return r.write(env.stdout)
		},
	}
}

// recordedOrder is an order and where it stands.
type recordedOrder struct {
	name  string
	order price.Order
}

// readOrders reads the orders of a directory, in the order of file names and lines.
func readOrders(name, directory string) ([]recordedOrder, error) {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return nil, err
	}
	var out []recordedOrder
	for _, entry := range entries {
		extension := filepath.Ext(entry.Name())
		if entry.IsDir() || extension != ".json" && extension != ".jsonl" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(directory, entry.Name()))
		if err != nil {
			return nil, err
		}
		texts := [][]byte{data}
		if extension == ".jsonl" {
			texts = jsonLinesOf(data)
		}
		for i, text := range texts {
			if len(bytes.TrimSpace(text)) == 0 {
				continue
			}
			place := entry.Name()
			if extension == ".jsonl" {
				place = fmt.Sprintf("%s:%d", place, i+1)
			}
			order, err := price.ParseOrder(text)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", filepath.Join(name, place), err)
			}
			out = append(out, recordedOrder{place, order})
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("there is no order in %s: no *.json and no *.jsonl file", name)
	}
	return out, nil
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

// replayed is the answer of `upkeep price replay`; its text is made of the same.
type replayed struct {
	FormatVersion string        `json:"format_version"`
	Prices        prices        `json:"prices"`
	Against       *prices       `json:"against,omitempty"`
	Orders        []replayOrder `json:"orders"`
	Summary       replaySummary `json:"summary"`
	// Before is the summary under the prices compared with.
	Before *replaySummary `json:"before,omitempty"`
}

type replayOrder struct {
	Name string `json:"name"`
	// Maximum is the order's maximum in USD a month, USD its price; nil where they cannot be told.
	Maximum *price.USD    `json:"maximum_usd_month"`
	USD     *price.USD    `json:"usd_month"`
	Verdict price.Verdict `json:"verdict"`
	Before  *replayBefore `json:"before,omitempty"`
}

type replayBefore struct {
	USD     *price.USD    `json:"usd_month"`
	Verdict price.Verdict `json:"verdict"`
}

// replaySummary counts what would fit.
type replaySummary struct {
	Orders int `json:"orders"`
	Bids   int `json:"bids"`
	// USD is what all orders with a bid pay together a month.
	USD price.USD `json:"usd_month"`
	// Refused counts the others by reason.
	Refused map[price.Reason]int `json:"refused"`
}

func (s *replaySummary) add(a answer) {
	s.Orders++
	if !a.Verdict.Bids {
		if s.Refused == nil {
			s.Refused = map[price.Reason]int{}
		}
		s.Refused[a.Verdict.Reason]++
		return
	}
	s.Bids++
	s.USD = s.USD.Plus(a.Result.Total)
}

func replay(recorded []recordedOrder, is prices, was *prices) (replayed, error) {
	r := replayed{FormatVersion: pricesFormat, Prices: is, Against: was, Summary: replaySummary{Refused: map[price.Reason]int{}}}
	if was != nil {
		r.Before = &replaySummary{Refused: map[price.Reason]int{}}
	}
	for _, o := range recorded {
		if needsAKT(o.order) && is.Setting.AKT == "" {
			return r, fmt.Errorf("%s: %w", o.name, errNoAKT)
		}
		now, err := answerTo(o.order, is)
		if err != nil {
			return r, fmt.Errorf("%s: %w", o.name, err)
		}
		r.Summary.add(now)
		line := replayOrder{Name: o.name, USD: totalOf(now), Verdict: now.Verdict}
		if maximum, ok := price.MonthlyMaximum(o.order, is.Setting.AKT); ok {
			line.Maximum = &maximum
		}
		if was != nil {
			before, err := answerTo(o.order, *was)
			if err != nil {
				return r, fmt.Errorf("%s: %w", o.name, err)
			}
			r.Before.add(before)
			line.Before = &replayBefore{USD: totalOf(before), Verdict: before.Verdict}
		}
		r.Orders = append(r.Orders, line)
	}
	return r, nil
}

func totalOf(a answer) *price.USD {
	if !a.Result.Priced {
		return nil
	}
	return &a.Result.Total
}

func (r replayed) write(w io.Writer) error {
	fmt.Fprintf(w, "%s (%s)\n", r.Prices.Name, r.Prices.Script)
	if r.Against != nil {
		fmt.Fprintf(w, "against %s (%s)\n", r.Against.Name, r.Against.Script)
	}
	fmt.Fprintln(w)
	lines := [][]string{{"order", "at most", "price", ""}}
	if r.Against != nil {
		lines = [][]string{{"order", "at most", "before", "now", ""}}
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
	return writeProblems(w, &r.Prices, r.Against)
}

func dollars(u *price.USD) string {
	if u == nil {
		return "?"
	}
	return u.Round()
}

// verdictWord is a verdict in a word or two.
func verdictWord(v price.Verdict) string {
	if v.Bids {
		return "bid"
	}
	return strings.ReplaceAll(string(v.Reason), "_", " ")
}

func (s replaySummary) saying() string {
	text := fmt.Sprintf("a bid on %d of %d orders, %s USD a month in all", s.Bids, s.Orders, s.USD.Round())
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
