package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v3"

	"upkeep/providers/akash/quote"
	"upkeep/providers/bounded"
	"upkeep/providers/plain"
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
			recorded, odd, err := readOrders(directory)
			if err != nil {
				return err
			}
			is, was, err := settings(cmd)
			if err != nil {
				return err
			}
			r := quote.ReplayOrders(recorded, odd, is, was)
			plain.In(&r, plain.Line)
			if cmd.Bool("json") {
				err = printPrices(env.stdout, r)
			} else {
				err = r.Write(env.stdout)
			}
			if err == nil && !r.Known() {
				return ending(exitError)
			}
			return err
		},
	}
}

// maxOrders bounds one file of orders: a million of them.
const maxOrders = 1 << 30

// readOrders reads the orders of a directory, in the order of file names and lines.
func readOrders(directory string) (out []quote.Order, odd []quote.Unanswered, err error) {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return nil, nil, err
	}
	for _, entry := range entries {
		extension := filepath.Ext(entry.Name())
		if entry.IsDir() || extension != ".json" && extension != ".jsonl" {
			continue
		}
		data, err := bounded.File(filepath.Join(directory, entry.Name()), maxOrders)
		if err != nil {
			return nil, nil, err
		}
		orders, unread := quote.ParseOrders(entry.Name(), data)
		out, odd = append(out, orders...), append(odd, unread...)
	}
	if len(out)+len(odd) == 0 {
		return nil, nil, fmt.Errorf("there is no order in %s: no *.json file, and no *.jsonl file with a line", directory)
	}
	return out, odd, nil
}
