package main

import (
	"context"

	"github.com/urfave/cli/v3"

	"upkeep/planner"
	"upkeep/planner/report"
	"upkeep/planner/report/text"
)

func rehearseCommand(env environment) *cli.Command {
	flags := []cli.Flag{
		&cli.StringSliceFlag{Name: "fault", Usage: "inject a fault: `STEP=KIND`, where KIND is fails, lies or loses; may be repeated"},
		jsonFlag(),
	}
	for _, more := range [][]cli.Flag{planningFlags(), factsFlags(), configurationFlags(), observationFlags()} {
		flags = append(flags, more...)
	}
	return &cli.Command{
		Name: "rehearse", Usage: "walk a plan over predicted facts; change nothing",
		ArgsUsage: "[PLANFILE]",
		Flags:     flags,
		Action: func(ctx context.Context, cmd *cli.Command) error {
			plan, err := savedOrFresh(ctx, env, cmd)
			if err != nil {
				return err
			}
			var faults []planner.Fault
			for _, text := range cmd.StringSlice("fault") {
				fault, err := planner.ParseFault(text)
				if err != nil {
					return err
				}
				faults = append(faults, fault)
			}
			rehearsal, err := planner.Rehearse(plan, domains(), faults)
			if err != nil {
				return err
			}
			judged := report.Rehearsal(plan, rehearsal)
			if err := showRehearsal(env, cmd, judged); err != nil {
				return err
			}
			return rehearsalEnding(plan, judged)
		},
	}
}

// savedOrFresh returns the plan in the named file, or makes one.
func savedOrFresh(ctx context.Context, env environment, cmd *cli.Command) (planner.Plan, error) {
	if cmd.Args().Len() > 1 {
		return planner.Plan{}, usage(cmd, "%s takes one plan file", cmd.Name)
	}
	if file := cmd.Args().First(); file != "" {
		return loadPlan(file, domains())
	}
	plan, _, err := makePlan(ctx, env, cmd)
	return plan, err
}

func showRehearsal(env environment, cmd *cli.Command, rehearsal report.RehearsalJSON) error {
	if cmd.Bool("json") {
		return report.JSON(env.stdout, rehearsal)
	}
	return text.Rehearsal(env.stdout, rehearsal.Rehearsal, styleOf(env, cmd))
}

// rehearsalEnding ends a rehearsal as that apply would end, but for what could not be checked, which is an error of every other
// command.
func rehearsalEnding(plan planner.Plan, r report.RehearsalJSON) error {
	planned := verdictExit(report.VerdictOf(plan), exitDone)
	if left := r.Left(); planned == exitDone && left > 0 && left < len(r.Steps) {
		return ending(exitPartial)
	}
	return ending(verdictExit(r.Status, exitDone))
}
