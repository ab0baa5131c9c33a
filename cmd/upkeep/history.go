package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v3"

	"upkeep/providers/facts"
	"upkeep/providers/plain"
	"upkeep/state/seen"
)

// historyCommand shows the faults of GPUs that earlier looks saw: the sheet that a vendor gets. It asks no node.
func historyCommand(env environment) *cli.Command {
	flags := []cli.Flag{&cli.StringFlag{Name: "serial", Usage: "show one GPU, by its serial number `SERIAL`"},
		jsonFlag()}
	return &cli.Command{
		Name: "history", Usage: "list the faults of GPUs by serial number, over boots and slots",
		Description: "Counts are what upkeep saw when a command looked at the nodes. Where a kernel log had gaps, there were more.\n" +
			"What was not seen for 90 days is forgotten. This command asks no node.",
		Flags:  append(flags, configurationFlags()...),
		Action: func(ctx context.Context, cmd *cli.Command) error { return showHistory(ctx, env, cmd) },
	}
}

// deviceHistory is one device in the answer of `history -json`.
type deviceHistory struct {
	Serial string              `json:"serial"`
	Count  int                 `json:"count"`
	First  time.Time           `json:"first"`
	Last   time.Time           `json:"last"`
	Faults []facts.DeviceFault `json:"faults"`
}

func showHistory(ctx context.Context, env environment, cmd *cli.Command) error {
	w, err := open(env, cmd)
	if err != nil {
		return err
	}
	backend, err := stateBackend(w)
	if err != nil {
		return err
	}
	known, err := backend.Seen(ctx)
	if err != nil {
		return fmt.Errorf("reading what was seen: %w", err)
	}
	devices := historyOf(known)
	if serial := cmd.String("serial"); serial != "" {
		devices = slices.DeleteFunc(devices, func(d deviceHistory) bool { return d.Serial != serial })
		if len(devices) == 0 {
			return fmt.Errorf("no fault of a GPU with serial %q was seen; `upkeep history` lists the serial numbers", serial)
		}
	}
	plain.In(&devices, plain.Line)
	if cmd.Bool("json") {
		return printJSON(env.stdout, struct {
			FormatVersion string          `json:"format_version"` // "1.0"
			Devices       []deviceHistory `json:"devices"`
		}{"1.0", devices})
	}
	return writeHistory(env, devices, cmd.String("serial") != "")
}

func historyOf(known seen.Seen) []deviceHistory {
	devices := []deviceHistory{}
	for _, serial := range slices.Sorted(maps.Keys(known.Faults)) {
		f := known.Faults[serial]
		devices = append(devices, deviceHistory{Serial: serial, Count: f.Count, First: f.First, Last: f.Last,
			Faults: f.Recent})
	}
	return devices
}

func writeHistory(env environment, devices []deviceHistory, sheet bool) error {
	if len(devices) == 0 {
		_, err := fmt.Fprintln(env.stdout, "No fault of a GPU was seen.")
		return err
	}
	table := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', 0)
	if sheet {
		d := devices[0]
		fmt.Fprintf(env.stdout, "GPU with serial %s: %d faults, first seen %s, last seen %s\n\n", d.Serial, d.Count,
			stampOf(d.First), stampOf(d.Last))
		fmt.Fprintln(table, "WHEN\tNODE\tSLOT\tFAULT\tKERNEL LOG")
		for _, f := range d.Faults {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", stampOf(f.At), f.Node, f.PCI, f.Kind, f.Text)
		}
		return table.Flush()
	}
	fmt.Fprintln(table, "SERIAL\tFAULTS\tLAST\tNODE\tLAST SEEN")
	for _, d := range devices {
		node, kind := "", ""
		if n := len(d.Faults); n > 0 {
			node, kind = d.Faults[n-1].Node, d.Faults[n-1].Kind
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\n", d.Serial, d.Count, kind, node, stampOf(d.Last))
	}
	return table.Flush()
}

// stampOf spells an instant; one that is not known has no time.
func stampOf(t time.Time) string {
	if t.IsZero() {
		return "unknown"
	}
	return t.UTC().Format("2006-01-02 15:04 MST")
}
