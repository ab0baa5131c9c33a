package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/akash"
	"upkeep/providers/akash/price"
	"upkeep/providers/akash/script"
	"upkeep/providers/facts"
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
		Description: "Looks at the script, the values and the GPUs of the provider that the configuration declares, or at the files of " +
			"-script and -targets with the models of -gpu. Prints what everything costs before and after, sample orders " +
			"among it, and the block to write. It changes nothing.",
		Flags: flags,
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if err := noArguments(cmd); err != nil {
				return err
			}
			m, err := migrate(ctx, env, cmd)
			if err != nil {
				return err
			}
			if cmd.Bool("json") {
				return printJSON(env.stdout, m)
			}
			return m.write(env.stdout)
		},
	}
}

// migrated is the answer of `upkeep price migrate`; its text is made of the same.
type migrated struct {
	FormatVersion string `json:"format_version"`
	Name          string `json:"name"` // the files, or the provider, that the prices are of
	Script        string `json:"script"`
	script.Migration
	// Block is the block price_targets, in the language.
	Block string `json:"block"`
	// Fleet are the GPUs that have their prices.
	Fleet []price.FleetGPU `json:"fleet"`
}

func migrate(ctx context.Context, env environment, cmd *cli.Command) (migrated, error) {
	charged, name, to, err := charging(ctx, env, cmd)
	if err != nil {
		return migrated{}, err
	}
	if to == "" {
		to = price.Newest
	}
	if named, err := versionFlag(cmd, cmd.String("to"), "-to"); err != nil {
		return migrated{}, err
	} else if named != "" {
		to = named
	}
	m := migrated{FormatVersion: pricesFormat, Name: name, Script: charged.Script.String(), Fleet: charged.Fleet}
	if m.Migration, err = charged.Script.Migrate(charged.Targets, to, charged.Fleet); err != nil {
		return m, fmt.Errorf("%s: %w", name, err)
	}
	if m.Block, err = akash.PriceTargets(m.Values); err != nil {
		return m, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

// charging is how the provider prices that the flags name: what is charged, whose it is, and the version of the script that it
// is to go to, if that is declared.
func charging(ctx context.Context, env environment, cmd *cli.Command) (akash.Charged, string, price.Version, error) {
	named, err := versionFlag(cmd, cmd.String("script-version"), "-script-version")
	if err != nil {
		return akash.Charged{}, "", "", err
	}
	values, body, names, err := readPrices(cmd, cmd.String("targets"), cmd.String("script"))
	switch {
	case err != nil:
		return akash.Charged{}, "", "", err
	case names == nil && len(cmd.StringSlice("gpu")) > 0:
		return akash.Charged{}, "", "", usage(cmd, "-gpu goes with -script or -targets; without them the models are those of the cluster's nodes")
	case names == nil:
		return declaredCharging(ctx, env, cmd, named)
	}
	name := strings.Join(names, ", ")
	if body == nil {
		return akash.Charged{}, "", "", fmt.Errorf("%s has no bid price script in %s; name the file with -script", name, price.ScriptKey)
	}
	charged := akash.Charged{Targets: price.TargetsOf(values)}
	if charged.Script, err = recognise(body, named); err != nil {
		return charged, "", "", fmt.Errorf("%s: %w", name, err)
	}
	charged.Fleet, err = fleetFlag(cmd)
	return charged, name, "", err
}

// declaredCharging looks at the provider that the configuration declares.
func declaredCharging(ctx context.Context, env environment, cmd *cli.Command, named price.Version) (akash.Charged, string, price.Version, error) {
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
		world, err = readFacts(env, cmd, file)
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
	if err := unknownScript(charged.Script); err != nil {
		return charged, "", "", fmt.Errorf("%s: %w", name, err)
	}
	to := price.Version("")
	if declared := provider.Script; declared != nil && declared.Text != "" {
		to = script.Recognise([]byte(declared.Text)).Version
	}
	return charged, name, to, nil
}

// declaredProvider finds the provider that is meant, and leaves it as the one thing that is declared: nothing else is looked at.
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
		return akash.Spec{}, usage(cmd, "several providers are declared; say which one: -target=%s", strings.Join(addresses, " or -target="))
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

func (m migrated) write(w io.Writer) error {
	fmt.Fprintf(w, "%s (%s)\nto %s\n\n", m.Name, m.Script, m.To.Version)
	changed := 0
	lines := [][]string{{"USD a month", "per", "before", "now", ""}}
	for _, c := range m.Prices {
		mark := ""
		if c.Changed() {
			changed++
			mark = changeMark(c.Percent)
		}
		lines = append(lines, []string{c.What, c.Unit, exactly(c.Before), exactly(c.After), mark})
	}
	if err := aligned(w, lines); err != nil {
		return err
	}
	fmt.Fprintln(w)
	lines = [][]string{{"Sample orders, USD a month", "before", "now", ""}}
	for _, o := range m.Orders {
		mark := ""
		if dollars(o.Before) != dollars(o.After) {
			changed++
			mark = changeMark(o.Percent)
		}
		lines = append(lines, []string{o.Name, dollars(o.Before), dollars(o.After), mark})
	}
	if err := aligned(w, lines); err != nil {
		return err
	}
	fmt.Fprint(w, "\nWrite into the block akash_provider:\n\n")
	for line := range strings.Lines(m.Block) {
		fmt.Fprint(w, "  "+line)
	}
	switch {
	case changed > 0:
		fmt.Fprint(w, "\nWhat is marked ~ would cost something else: the two scripts do not reckon alike. Correct the block where that is not meant.\n")
	default:
		fmt.Fprint(w, "\nWith it every price stays as it is.\n")
	}
	if len(m.Fleet) == 0 {
		fmt.Fprint(w, "Warning: no GPU is named, so none has a price of its own; name each model of the fleet with -gpu=MODEL, or let upkeep look at the nodes.\n")
	}
	return nil
}

func changeMark(percent string) string {
	if percent == "" {
		return "~"
	}
	return "~ " + signed(percent) + "%"
}

func exactly(u *price.USD) string {
	if u == nil {
		return "cannot be computed"
	}
	return u.String()
}
