package main

import (
	"context"

	"github.com/urfave/cli/v3"

	"upkeep/planner/report"
	"upkeep/planner/report/text"
)

// driftCommand reports. It is read-only by construction: it is handed a plan, which is data, and no operation.
func driftCommand(env environment) *cli.Command {
	flags := []cli.Flag{
		jsonFlag(),
		&cli.BoolFlag{Name: "verbose", Usage: "name every node and object"},
		&cli.StringSliceFlag{Name: "target", Usage: "report only `ADDRESS`; may be repeated"},
		&cli.StringSliceFlag{Name: "exclude", Usage: "leave `ADDRESS` out; may be repeated"},
		measureFlag(),
	}
	for _, more := range [][]cli.Flag{factsFlags(), configurationFlags(), observationFlags()} {
		flags = append(flags, more...)
	}
	return &cli.Command{
		Name: "drift", Usage: "report what is not as declared; changes nothing",
		Description: "Exits 0 when nothing has drifted, 2 when something has, 1 when not everything could be checked " +
			"or an error occurs.\nDrift during a hold is expected, and exits 0.",
		Flags: flags,
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if measuresInPod(cmd) && cmd.String("facts") != "" {
				return usage(cmd, "-%s asks the cluster, and -facts says not to; record the answers with `upkeep observe -%s -out=FILE`", measureInPod, measureInPod)
			}
			began := env.now()
			plan, w, err := makePlan(ctx, env, cmd)
			if err != nil {
				return err
			}
			drift := report.Drift(plan).WithFirstSeen(firstSeen(recordSeen(ctx, env, w, plan))).At(env.now())
			if drift.NextDue, err = plan.NextDue(w.types); err != nil {
				return err
			}
			if cmd.Bool("json") {
				err = report.JSON(env.stdout, drift)
			} else {
				err = text.Drift(env.stdout, drift, text.Run{Took: took(env, plan, began)}, styleOf(env, cmd))
			}
			if err != nil {
				return err
			}
			code := verdictExit(drift.Status, exitChanges)
			if code == exitChanges && expectedByHold(plan, env.now()) {
				code = exitDone
			}
			return ending(code)
		},
	}
}
