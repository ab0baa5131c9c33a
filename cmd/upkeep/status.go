package main

import (
	"context"

	"github.com/urfave/cli/v3"

	"upkeep/planner/report"
	"upkeep/planner/report/text"
)

func statusCommand(env environment) *cli.Command {
	flags := []cli.Flag{jsonFlag(), runFlag(), &cli.BoolFlag{Name: "verbose", Usage: "print paths"}}
	for _, more := range [][]cli.Flag{factsFlags(), configurationFlags(), observationFlags()} {
		flags = append(flags, more...)
	}
	return &cli.Command{
		Name: "status", Usage: "list everything that is watched, healthy or not",
		Description: "Exits 1 when a line says ERROR or UNKNOWN. " +
			"With -run, says what a run did instead: which steps are done, half-done and untouched. That asks no node.",
		Flags: flags,
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if which := cmd.String("run"); which != "" {
				return showRun(ctx, env, cmd, which)
			}
			began := env.now()
			plan, w, err := makePlan(ctx, env, cmd)
			if err != nil {
				return err
			}
			known := recordSeen(ctx, env, w, plan)
			status := report.Status(plan).WithFirstSeen(plan.Findings, firstSeen(known)).
				WithWaits(report.Waits(plan, known)).At(env.now())
			if status.NextDue, err = plan.NextDue(w.types); err != nil {
				return err
			}
			if cmd.Bool("json") {
				err = report.JSON(env.stdout, status)
			} else {
				err = text.Status(env.stdout, status, text.Run{Took: took(env, plan, began)}, styleOf(env, cmd))
			}
			if err != nil {
				return err
			}
			return ending(verdictExit(status.Status, exitDone))
		},
	}
}
