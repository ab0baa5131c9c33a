package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v3"

	"upkeep/providers/facts"
)

func observeCommand(env environment) *cli.Command {
	flags := []cli.Flag{&cli.StringFlag{Name: "out", Usage: "write the facts to `FILE` instead of the terminal"}, jsonFlag()}
	flags = append(flags, configurationFlags()...)
	flags = append(flags, observationFlags()...)
	return &cli.Command{
		Name: "observe", Usage: "record the facts that a plan would be made from",
		Description: "`upkeep plan -facts=FILE` plans from recorded facts, for instance where no credentials are. Facts hold no secrets.",
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
			if err := w.takeOut(ctx); err != nil {
				return err
			}
			world, err := w.observeAll(ctx, cmd)
			if err != nil {
				return err
			}
			data, err := facts.Encode(world)
			if err != nil {
				return err
			}
			if out.path == "" {
				_, err := env.stdout.Write(data)
				return err
			}
			if err := out.write(data); err != nil {
				return fmt.Errorf("writing facts: %w", err)
			}
			unknown := 0
			for _, name := range world.NodeNames() {
				if why := world.Node(name).Unknown; why != "" {
					unknown++
					fmt.Fprintf(env.stderr, "unknown: %s: %s\n", name, why)
				}
			}
			said := env.stdout
			if out.toStandard() {
				said = env.stderr
			}
			_, err = fmt.Fprintf(said, "Observed %d of %d nodes; facts are in %s.\n", len(world.Nodes)-unknown, len(world.Nodes), out.path)
			return err
		},
	}
}
