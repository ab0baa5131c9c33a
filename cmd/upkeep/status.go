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
		Description: "With -run, says what a run did instead: which steps are done, half-done and untouched. That asks no node.",
		Flags:       flags,
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if which := cmd.String("run"); which != "" {
				return showRun(ctx, env, cmd, which)
			}
			began := env.now()
			plan, w, err := makePlan(ctx, env, cmd)
			if err != nil {
				return err
			}
			status := report.Status(plan).WithFirstSeen(plan.Findings, recordSeen(ctx, env, w, plan))
			if cmd.Bool("json") {
				return report.JSON(env.stdout, status)
			}
			return text.Status(env.stdout, status, text.Run{Took: took(env, plan, began)}, styleOf(env, cmd))
		},
	}
}
