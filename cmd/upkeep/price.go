package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v3"

	"upkeep/providers/akash/price"
	"upkeep/providers/akash/quote"
	"upkeep/providers/akash/script"
	"upkeep/providers/bounded"
	"upkeep/providers/strict"
)

// priceCommand answers questions about bid prices. It changes nothing; migrate alone looks at a cluster, where no
// file says what is charged.
func priceCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "price", Usage: "what a provider bids, and how its prices move to another script",
		Commands: []*cli.Command{priceExplainCommand(env), priceReplayCommand(env), priceMigrateCommand(env),
			priceCompareCommand(env)},
	}
}

// printPrices writes the JSON of an answer about prices. What costs so much a month there costs so much an hour next
// to it.
func printPrices(w io.Writer, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	hourly, err := quote.WithHours(data)
	if err != nil {
		return err
	}
	return printJSON(w, json.RawMessage(hourly))
}

// priceFlags say with which prices to reckon.
func priceFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "targets", Usage: "take price targets, and the script if it is there, from a values `FILE` such as provider.yaml"},
		&cli.StringFlag{Name: "script", Usage: "take the version, and targets in its text, from the bid price script in `FILE`"},
		&cli.StringFlag{Name: "script-version", Usage: "calculate as this `VERSION` of the script does, or scale: as a provider without one; the newest where nothing says"},
		&cli.StringFlag{Name: "akt-price", Usage: "`USD` for one AKT; needed for orders in uakt"},
		&cli.StringFlag{Name: "whitelist", Usage: "refuse tenants that the list in `FILE` does not name, as a script with whitelist_url does; needs -owner"},
		&cli.StringFlag{Name: "owner", Usage: "the `ADDRESS` of the tenant whose orders these are"},
		&cli.StringFlag{Name: "against", Usage: "also show the prices of the values or the script in `FILE`"},
		&cli.StringFlag{Name: "against-version", Usage: "the `VERSION` of the script of -against"},
		jsonFlag(),
	}
}

// settings returns the prices that the flags name, and those to compare with, if any.
func settings(cmd *cli.Command) (is quote.Prices, against *quote.Prices, err error) {
	if is, err = settingOf(cmd, cmd.String("targets"), cmd.String("script"), cmd.String("script-version"),
		"-script-version"); err != nil {
		return is, nil, err
	}
	file := cmd.String("against")
	if file == "" {
		if cmd.String("against-version") == "" {
			return is, nil, nil
		}
		// The same prices under another script.
		was, err := settingOf(cmd, cmd.String("targets"), cmd.String("script"), cmd.String("against-version"),
			"-against-version")
		return is, &was, err
	}
	data, err := bounded.Given(file, bounded.Text)
	if err != nil {
		return is, nil, fmt.Errorf("-against: %w", err)
	}
	values, body := file, ""
	if strings.HasPrefix(string(data), "#!") {
		values, body = "", file
	}
	was, err := settingOf(cmd, values, body, cmd.String("against-version"), "-against-version")
	return is, &was, err
}

// settingOf reads one setting. A version that is named is believed before a script's text.
func settingOf(cmd *cli.Command, valuesFile, scriptFile, version, flag string) (quote.Prices, error) {
	setting := price.Setting{AKT: cmd.String("akt-price"), Owner: cmd.String("owner")}
	if file := cmd.String("whitelist"); file != "" {
		if setting.Owner == "" {
			return quote.Prices{}, usage(cmd, "say whose orders these are: -owner=ADDRESS")
		}
		list, err := bounded.Given(file, bounded.Text)
		if err != nil {
			return quote.Prices{}, fmt.Errorf("-whitelist: %w", err)
		}
		setting.Whitelist = &price.Whitelist{Text: string(list)}
	}
	source, err := readPrices(cmd, valuesFile, scriptFile)
	if err != nil {
		return quote.Prices{}, err
	}
	named, err := versionFlag(cmd, version, flag)
	if err != nil {
		return quote.Prices{}, err
	}
	prices, err := quote.Of(source, setting, named)
	if err == nil && setting.Owner != "" && setting.Whitelist == nil && prices.Setting.Policy == nil {
		return prices, usage(cmd, "-owner counts where there is a list of tenants: -whitelist=FILE, or a script under a policy")
	}
	return prices, err
}

// readPrices reads the chart's values and the script from files: the script's own, or the values. An empty name is no
// file.
func readPrices(cmd *cli.Command, valuesFile, scriptFile string) (source quote.Source, err error) {
	if valuesFile != "" {
		source.Flags = "-targets=" + valuesFile
		source.Names = append(source.Names, valuesFile)
		data, err := bounded.Given(valuesFile, bounded.Text)
		if err != nil {
			return quote.Source{}, err
		}
		if err := strict.YAML(data, &source.Values); err != nil {
			return quote.Source{}, fmt.Errorf("%s holds no values as Helm reads them: %w", valuesFile, err)
		}
		if encoded, ok := source.Values[price.ScriptKey].(string); ok && encoded != "" && scriptFile == "" {
			if source.Body, err = script.Decode(encoded); err != nil {
				return quote.Source{}, fmt.Errorf("%s: %s: %w", valuesFile, price.ScriptKey, err)
			}
		}
	}
	if scriptFile != "" {
		source.Flags = strings.TrimSpace(source.Flags + " -script=" + scriptFile)
		source.Names = append(source.Names, scriptFile)
		if source.Body, err = bounded.Given(scriptFile, bounded.Text); err != nil {
			return quote.Source{}, err
		}
	}
	return source, nil
}

// versionFlag reads a version of the script; none where the text is empty.
func versionFlag(cmd *cli.Command, text, flag string) (price.Version, error) {
	if text == "" {
		return "", nil
	}
	v, ok := price.ParseVersion(text)
	if !ok {
		return "", usage(cmd, "%s=%s is no version of the script; there are %s", flag, text, quote.VersionWords())
	}
	return v, nil
}
