package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/akash"
	"upkeep/providers/akash/price"
	"upkeep/providers/akash/quote"
	"upkeep/providers/akash/script"
	"upkeep/providers/facts"
	"upkeep/providers/plain"
)

func priceMigrateCommand(env environment) *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "script", Usage: "take the prices in the text of the bid price script in `FILE`"},
		&cli.StringFlag{Name: "targets", Usage: "take price targets, and the script if it is there, from a values `FILE` such as provider.yaml"},
		&cli.StringFlag{Name: "script-version", Usage: "the `VERSION` that the script of now prices like, where its text does not tell"},
		&cli.StringFlag{Name: "to", Usage: "the `VERSION` of the script to go to; that of the block's bid_script, else the newest"},
		&cli.StringSliceFlag{Name: "gpu", Usage: "with files, a `MODEL` of the fleet, such as a100.80Gi.sxm or amd/mi100; may be repeated"},
		&cli.StringFlag{Name: "target", Usage: "the `ADDRESS` of the provider, where the configuration has several"},
		jsonFlag(),
	}
	for _, more := range [][]cli.Flag{factsFlags(), configurationFlags(), observationFlags()} {
		flags = append(flags, more...)
	}
	return &cli.Command{
		Name: "migrate", Usage: "write the price_targets that keep the prices of an older script",
		Description: "Reads the script, the values and the GPUs of the declared provider. With -script, -targets and -gpu reads files " +
			"and models instead. Prints what everything costs before and after, sample orders " +
			"among it, and the block to write. It changes nothing.",
		Flags: flags,
		Action: func(ctx context.Context, cmd *cli.Command) error {
			m, err := migrate(ctx, env, cmd)
			if err != nil {
				return err
			}
			plain.In(&m, plain.Text)
			if cmd.Bool("json") {
				err = printPrices(env.stdout, m)
			} else {
				err = m.Write(env.stdout)
			}
			if err == nil && !m.Known() {
				return ending(exitError)
			}
			return err
		},
	}
}

func migrate(ctx context.Context, env environment, cmd *cli.Command) (quote.Migration, error) {
	charged, name, to, err := charging(ctx, env, cmd)
	if err != nil {
		return quote.Migration{}, err
	}
	if to == "" {
		to = price.Newest
	}
	if named, err := versionFlag(cmd, cmd.String("to"), "-to"); err != nil {
		return quote.Migration{}, err
	} else if named != "" {
		to = named
	}
	return quote.Migrate(name, charged, to)
}

// charging is how the provider prices that the flags name: what is charged, whose it is, and the version of the
// script that it is to go to, if that is declared.
func charging(ctx context.Context, env environment, cmd *cli.Command) (akash.Charged, string, price.Version, error) {
	named, err := versionFlag(cmd, cmd.String("script-version"), "-script-version")
	if err != nil {
		return akash.Charged{}, "", "", err
	}
	source, err := readPrices(cmd, cmd.String("targets"), cmd.String("script"))
	switch {
	case err != nil:
		return akash.Charged{}, "", "", err
	case source.Names == nil && len(cmd.StringSlice("gpu")) > 0:
		return akash.Charged{}, "", "", usage(cmd,
			"-gpu goes with -script or -targets; without them the models are those of the cluster's nodes")
	case source.Names == nil:
		return declaredCharging(ctx, env, cmd, named)
	}
	name := strings.Join(source.Names, ", ")
	if source.Body == nil {
		return akash.Charged{}, "", "", fmt.Errorf("%s has no bid price script in %s; name the file with -script", name,
			price.ScriptKey)
	}
	charged := akash.Charged{Targets: price.TargetsOf(source.Values), Body: string(source.Body), Values: source.Values}
	if charged.Script, err = quote.Recognise(source.Body, named); err != nil {
		return charged, "", "", fmt.Errorf("%s: %w", name, err)
	}
	charged.Fleet, err = fleetFlag(cmd)
	return charged, name, "", err
}

// declaredCharging looks at the provider that the configuration declares.
func declaredCharging(ctx context.Context, env environment, cmd *cli.Command, named price.Version) (akash.Charged,
	string, price.Version, error) {
	w, err := open(env, cmd)
	if err != nil {
		return akash.Charged{}, "", "", err
	}
	provider, err := declaredProvider(&w, cmd)
	if err != nil {
		return akash.Charged{}, "", "", err
	}
	name := provider.Address().String()
	var world facts.World
	if file := cmd.String("facts"); file != "" {
		var recording facts.Recording
		recording, err = readFacts(env, cmd, file)
		world = recording.World
	} else {
		world, err = w.observeAll(ctx, cmd)
	}
	if err != nil {
		return akash.Charged{}, "", "", err
	}
	charged, err := provider.Charged(world)
	if err != nil {
		return charged, "", "", fmt.Errorf("%s: %w", name, err)
	}
	if named != "" {
		charged.Script.Version = named
	}
	if err := quote.Known(charged.Script); err != nil {
		return charged, "", "", fmt.Errorf("%s: %w", name, err)
	}
	to := price.Version("")
	if declared := provider.Script; declared != nil && declared.Text != "" {
		to = script.Recognise([]byte(declared.Text)).Version
	}
	return charged, name, to, nil
}

// declaredProvider finds the provider that is meant, and leaves it as the one thing that is declared: nothing else is
// looked at.
func declaredProvider(w *workspace, cmd *cli.Command) (akash.Spec, error) {
	var found []akash.Spec
	var addresses []string
	for _, spec := range akash.Declared(w.desired) {
		if wanted := cmd.String("target"); wanted == "" || wanted == spec.Address().String() {
			found, addresses = append(found, spec), append(addresses, spec.Address().String())
		}
	}
	switch {
	case len(found) == 0 && cmd.String("target") != "":
		return akash.Spec{}, fmt.Errorf("-target=%s: no akash_provider of that address is declared", cmd.String("target"))
	case len(found) == 0:
		return akash.Spec{}, usage(cmd, "declare an akash_provider, or name the script in a file: -script=FILE -gpu=MODEL")
	case len(found) > 1:
		return akash.Spec{}, usage(cmd, "several providers are declared; say which one: -target=%s", strings.Join(addresses,
			" or -target="))
	}
	w.desired.Resources = slices.DeleteFunc(slices.Clone(w.desired.Resources), func(d config.Declared) bool {
		resource, ok := d.Value.(providers.Resource)
		return !ok || resource.Address() != found[0].Address()
	})
	return found[0], nil
}

// fleetGPU is how a model is named on the command line: as in a mapping, with its vendor where it is not NVIDIA.
var fleetGPU = regexp.MustCompile(`^(?:([a-z]+)/)?([a-z0-9]+)(?:\.([0-9]+Gi))?(?:\.(sxm|pcie))?$`)

func fleetFlag(cmd *cli.Command) ([]price.FleetGPU, error) {
	fleet := []price.FleetGPU{}
	for _, text := range cmd.StringSlice("gpu") {
		m := fleetGPU.FindStringSubmatch(text)
		if m == nil {
			return nil, usage(cmd, "-gpu=%s names no model; write it as the labels of the nodes do: a100, a100.80Gi, a100.80Gi.sxm, amd/mi100", text)
		}
		g := price.FleetGPU{Vendor: m[1], Model: m[2], RAM: m[3], Interface: m[4]}
		if g.Vendor == "" {
			g.Vendor = "nvidia"
		}
		if !slices.Contains(fleet, g) {
			fleet = append(fleet, g)
		}
	}
	return fleet, nil
}
