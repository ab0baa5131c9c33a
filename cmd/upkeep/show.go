package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v3"

	"upkeep/planner"
	"upkeep/planner/report"
	"upkeep/planner/report/text"
	"upkeep/state/seen"
)

func showCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "show", Usage: "print a saved plan",
		ArgsUsage: "PLANFILE",
		Description: "Prints what the plan does, what its digest covers, and whether the state of this directory made the file.\n" +
			"Asks no node and no cluster.",
		Flags: append([]cli.Flag{
			runbookFlag(),
			jsonFlag(),
			&cli.BoolFlag{Name: "verbose", Usage: "unfold steps that are the same on many nodes"},
		}, configurationFlags()...),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if cmd.Args().Len() != 1 {
				return usage(cmd, "show takes one plan file")
			}
			path := cmd.Args().First()
			data, err := readPlanFile(path)
			if err != nil {
				return err
			}
			plan, err := decodePlan(path, data, domains())
			if err != nil {
				return err
			}
			why := unverified(ctx, env, cmd, data)
			if cmd.Bool("as-runbook") {
				err = showRunbook(env, cmd, plan, domains(), why)
			} else {
				err = showPlan(env, cmd, plan, why, seen.Seen{}, text.Run{SavedTo: path})
			}
			if err == nil && !cmd.Bool("json") && !cmd.Bool("as-runbook") {
				origin := "VERIFIED: the state of this directory made this file, and nobody changed the file since."
				if why != nil {
					origin = fmt.Sprintf("NOT VERIFIED: %v", why)
				}
				err = text.Digest(env.stdout, report.Plan(plan), origin, styleOf(env, cmd))
			}
			if err != nil {
				return err
			}
			return planEnding(plan, false)
		},
	}
}

// unverified says why nothing proves that the state of this directory made a plan file; nil where its key does.
func unverified(ctx context.Context, env environment, cmd *cli.Command, data []byte) error {
	directory, err := directoryOf(cmd)
	if err != nil {
		return err
	}
	w := workspace{env: env, directory: directory}
	read, err := load(env, cmd, directory, domains())
	if err != nil {
		return err
	}
	w.desired = read.desired // a configuration that is wrong elsewhere still says where its state is
	backend, err := stateBackend(w)
	if err != nil {
		return err
	}
	remembered, err := backend.Read(ctx)
	if err != nil {
		return err
	}
	if !remembered.Exists() {
		return fmt.Errorf("there is no state at %s", backend.Describe())
	}
	return planner.CheckOrigin(data, remembered.Key.MAC)
}
