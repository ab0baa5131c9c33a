package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v3"

	"upkeep/providers/akash/price"
	"upkeep/providers/akash/quote"
	"upkeep/providers/bounded"
	"upkeep/providers/plain"
)

func priceCompareCommand(env environment) *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "targets", Usage: "take price targets, and the script if it is there, from a values `FILE` such as provider.yaml"},
		&cli.StringFlag{Name: "script", Usage: "take the version, and targets in its text, from the bid price script in `FILE`"},
		&cli.StringFlag{Name: "script-version", Usage: "calculate as this `VERSION` of the script does; the newest where nothing says"},
		&cli.StringFlag{Name: "target", Usage: "the `ADDRESS` of the provider, where the configuration has several"},
		jsonFlag(),
	}
	return &cli.Command{
		Name: "compare", Usage: "hold prices against those of a market",
		ArgsUsage: "FILE",
		Description: "The file holds what others charge, in USD: `per: month` or `per: hour`, `targets: {cpu: 1.6}` with the names of price_targets, " +
			"and `gpu: {a100: 800}`. A price that is more than 5 times off is reported: one an hour in the place of one a month, or cents. " +
			"Without -targets and -script, the prices are those that the configuration declares. No cluster is asked. " +
			"Exit codes: 0 no price is far off, 2 at least one is, 1 a price is unknown.",
		Flags: append(flags, configurationFlags()...),
		Action: func(_ context.Context, cmd *cli.Command) error {
			if cmd.Args().Len() != 1 {
				return usage(cmd, "compare takes one market file")
			}
			file := cmd.Args().First()
			data, err := bounded.Given(file, bounded.Text)
			if err != nil {
				return err
			}
			market, err := quote.ParseMarket(data)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			prices, err := comparedPrices(env, cmd)
			if err != nil {
				return err
			}
			c, err := quote.Compare(file, market, prices)
			if err != nil {
				return err
			}
			plain.In(&c, plain.Line)
			if cmd.Bool("json") {
				err = printPrices(env.stdout, c)
			} else {
				err = c.Write(env.stdout)
			}
			switch {
			case err != nil:
				return err
			case !c.Known():
				return ending(exitError)
			case c.FarOff():
				return ending(exitChanges)
			}
			return nil
		},
	}
}

// comparedPrices are those of the files that the flags name, else those that the configuration declares.
func comparedPrices(env environment, cmd *cli.Command) (quote.Prices, error) {
	named, err := versionFlag(cmd, cmd.String("script-version"), "-script-version")
	if err != nil {
		return quote.Prices{}, err
	}
	source, err := readPrices(cmd, cmd.String("targets"), cmd.String("script"))
	if err != nil {
		return quote.Prices{}, err
	}
	if source.Names == nil {
		w, err := open(env, cmd)
		if err != nil {
			return quote.Prices{}, err
		}
		spec, err := declaredProvider(&w, cmd)
		if err != nil {
			return quote.Prices{}, err
		}
		source.Names, source.Values = []string{spec.Address().String()}, map[string]any{}
		for key, target := range spec.Targets {
			source.Values[key] = target
		}
		if spec.GPU != nil {
			source.Values[price.MappingsKey] = price.Mappings(spec.GPU)
		}
		if spec.Script != nil && named == "" {
			named = spec.Script.Published
		}
	}
	return quote.Of(source, price.Setting{}, named)
}
