package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v3"

	"upkeep/providers/akash/price"
	"upkeep/providers/akash/quote"
	"upkeep/providers/akash/script"
	"upkeep/providers/bounded"
	"upkeep/providers/plain"
)

func priceExplainCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "explain", Usage: "show the price of an order, line by line",
		Description: "The order is the JSON that the provider pipes to its bid price script; with -order=- it is read from " +
			"standard input. With -against, the prices of another file are shown as the old prices.",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "order", Usage: "the order in `FILE`"},
			&cli.BoolFlag{Name: "run", Usage: "run the script in a sandbox, and show what it really answers; Linux only"},
		}, priceFlags()...),
		Action: func(ctx context.Context, cmd *cli.Command) error {
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
			if cmd.Bool("run") {
				if err := runScripts(ctx, cmd, order, &is, was); err != nil {
					return err
				}
			}
			e, err := quote.Explain(file, order, is, was)
			if err != nil {
				return err
			}
			plain.In(&e, plain.Line)
			if cmd.Bool("json") {
				err = printPrices(env.stdout, e)
			} else {
				err = e.Write(env.stdout)
			}
			if err == nil && !e.Known() {
				return ending(exitError)
			}
			return err
		},
	}
}

// runScripts measures what scripts answer to an order.
func runScripts(ctx context.Context, cmd *cli.Command, order price.Order, all ...*quote.Prices) error {
	ran := false
	for _, p := range all {
		if p == nil {
			continue
		}
		if quote.NeedsAKT(order) && p.Setting.AKT == "" {
			return quote.ErrNoAKT
		}
		question, ok := p.Question(order)
		if !ok {
			continue
		}
		m := measurer{}.Measure(ctx, question)
		if m.Unknown != "" {
			return fmt.Errorf("running the script of %s: %s", p.Name, m.Unknown)
		}
		p.Measured, ran = &m, true
		if probe, ok := script.Probe(question); ok {
			probed := measurer{}.Measure(ctx, probe)
			p.Probed = &probed
		}
	}
	if !ran {
		return usage(cmd, "-run needs a script: -script=FILE, or -targets=FILE with the script in it")
	}
	return nil
}

func readOrder(env environment, cmd *cli.Command, file string) (price.Order, error) {
	var data []byte
	var err error
	if file == "-" {
		data, err = bounded.All(env.stdin, 0, bounded.Text)
	} else {
		data, err = bounded.Given(file, bounded.Text)
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
