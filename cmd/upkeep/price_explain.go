package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v3"

	"upkeep/providers/akash/price"
	"upkeep/providers/akash/quote"
	"upkeep/providers/plain"
)

func priceExplainCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "explain", Usage: "show the price of an order, line by line",
		Description: "The order is the JSON that the provider pipes to its bid price script; with -order=- it is read from " +
			"standard input. With -against, the prices of another file are shown as the old prices.",
		Flags: append([]cli.Flag{&cli.StringFlag{Name: "order", Usage: "the order in `FILE`"}}, priceFlags()...),
		Action: func(_ context.Context, cmd *cli.Command) error {
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
			e, err := quote.Explain(file, order, is, was)
			if err != nil {
				return err
			}
			plain.In(&e, plain.Line)
			if cmd.Bool("json") {
				return printJSON(env.stdout, e)
			}
			return e.Write(env.stdout)
		},
	}
}

func readOrder(env environment, cmd *cli.Command, file string) (price.Order, error) {
	var data []byte
	var err error
	if file == "-" {
		data, err = io.ReadAll(env.stdin)
	} else {
		data, err = os.ReadFile(file)
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
