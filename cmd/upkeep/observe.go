package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v3"

	"upkeep/planner"
	"upkeep/planner/report/text"
	"upkeep/providers/facts"
)

func observeCommand(env environment) *cli.Command {
	flags := []cli.Flag{&cli.StringFlag{Name: "out", Usage: "write the facts to `FILE` instead of the terminal"}, measureFlag(), jsonFlag()}
	flags = append(flags, configurationFlags()...)
	flags = append(flags, observationFlags()...)
	flags = append(flags, measureFlags()...)
	return &cli.Command{
		Name: "observe", Usage: "record the facts that a plan would be made from",
		Description: "`upkeep plan -facts=FILE` plans from recorded facts, for instance where no credentials are. The file also holds what the\nstate remembers, so that such a plan needs no state. Facts hold no secrets.",
		Flags:       flags,
		Action: func(ctx context.Context, cmd *cli.Command) error {
			w, err := open(env, cmd)
			if err != nil {
				return err
			}
			if len(w.desired.Resources) == 0 {
				return errNothingDeclared
			}
			out, err := w.outOf(cmd)
			if err != nil {
				return err
			}
			remembered, err := w.remembered(ctx)
			if err != nil {
				return err
			}
			world, err := w.observeAll(ctx, cmd)
			if err != nil {
				return err
			}
			memory := remembered.Memory
			memory.Earlier = earlier(ctx, w)
			data, err := facts.Recording{
				World: world, Memory: memory, Lineage: remembered.Lineage, Serial: remembered.Serial, Seals: seals(w.desired),
			}.Encode()
			if err != nil {
				return err
			}
			unknown, err := unseen(w, world)
			if err != nil {
				return err
			}
			for _, u := range unknown {
				fmt.Fprintf(env.stderr, "UNKNOWN  %s: %s\n", text.Place(u), text.Clean(u.Why))
			}
			code := exitDone
			if len(unknown) > 0 {
				code = exitError
			}
			if out.path == "" {
				if _, err := env.stdout.Write(data); err != nil {
					return err
				}
				return ending(code)
			}
			if err := out.write(data); err != nil {
				return fmt.Errorf("writing facts: %w", err)
			}
			silent := 0
			for _, name := range world.NodeNames() {
				if world.Node(name).Unknown != "" {
					silent++
				}
			}
			said := env.stdout
			if out.toStandard() {
				said = env.stderr
			}
			if _, err := fmt.Fprintf(said, "Observed %d of %d nodes; facts are in %s.\n", len(world.Nodes)-silent, len(world.Nodes), out.path); err != nil {
				return err
			}
			return ending(code)
		},
	}
}

// unseen lists what a plan from these facts would call unknown, so that observe and plan never disagree.
func unseen(w workspace, world facts.World) ([]planner.Unknown, error) {
	plan, err := planner.Build(planner.Request{Desired: w.desired, World: world, Now: world.ObservedAt}, w.types)
	if err != nil {
		return nil, err
	}
	return counted(plan), nil
}
