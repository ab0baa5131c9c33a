package main

import (
	"context"

	"github.com/urfave/cli/v3"

	"upkeep/planner/report/text"
	"upkeep/state/seen"
)

func showCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "show", Usage: "print a saved plan",
		ArgsUsage: "PLANFILE",
		Flags: []cli.Flag{
			runbookFlag(),
			jsonFlag(),
			&cli.BoolFlag{Name: "no-color", Usage: "print without colour"},
			&cli.BoolFlag{Name: "verbose", Usage: "unfold steps that are the same on many nodes"},
		},
		Action: func(_ context.Context, cmd *cli.Command) error {
			if cmd.Args().Len() != 1 {
				return usage(cmd, "show takes one plan file")
			}
			plan, err := loadPlan(cmd.Args().First(), domains())
			if err != nil {
				return err
			}
			if cmd.Bool("as-runbook") {
				err = showRunbook(env, cmd, plan, domains())
			} else {
				err = showPlan(env, cmd, plan, seen.Seen{}, text.Run{SavedTo: cmd.Args().First()})
			}
			if err != nil {
				return err
			}
			return planEnding(plan, false)
		},
	}
}
