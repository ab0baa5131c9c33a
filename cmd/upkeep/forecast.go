package main

import (
	"context"
	"time"

	"github.com/urfave/cli/v3"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/planner/forecast"
	"upkeep/planner/report"
	"upkeep/planner/report/text"
)

// longestForecast bounds -for.
const longestForecast = 5 * 365 * 24 * time.Hour

// forecastCommand looks ahead. It is handed a plan, which is data, and no operation.
func forecastCommand(env environment) *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "for", Value: "1y", Usage: "look `LENGTH` ahead, such as 90d or 2y"},
		jsonFlag(), &cli.BoolFlag{Name: "verbose", Usage: "name every node and object"},
	}
	for _, more := range [][]cli.Flag{factsFlags(), configurationFlags(), observationFlags()} {
		flags = append(flags, more...)
	}
	return &cli.Command{
		Name: "forecast", Usage: "say what comes: what upkeep will do in which window, and what a person must do",
		Description: "Walks the plan ahead, from change to change. Changes nothing. " +
			"The forecast supposes that every step succeeds. Exits 1 when something could not be checked.",
		Flags: flags,
		Action: func(ctx context.Context, cmd *cli.Command) error {
			length, err := config.ParseDuration(cmd.String("for"))
			if err != nil {
				return usage(cmd, "-for: %v", err)
			}
			if length <= 0 || time.Duration(length) > longestForecast {
				return usage(cmd, "-for=%s: write a length up to 5y", cmd.String("for"))
			}
			plan, w, err := makePlan(ctx, env, cmd)
			if err != nil {
				return err
			}
			course, err := planner.Walk(plan.Request, w.types, time.Duration(length), planner.Look{})
			if err != nil {
				return err
			}
			zone := zoneOfWindows(plan)
			f := forecast.Make(plan, course, zone)
			if cmd.Bool("json") {
				f.Version = version
				err = report.JSON(env.stdout, f)
			} else {
				err = text.Forecast(env.stdout, f, zone, styleOf(env, cmd))
			}
			if err != nil {
				return err
			}
			if len(f.Unknown) > 0 {
				return ending(exitError)
			}
			return nil
		},
	}
}

// zoneOfWindows is the zone of the first declared window; UTC where there is none.
func zoneOfWindows(plan planner.Plan) *time.Location {
	for _, w := range planner.Windows(plan.Request.Desired) {
		if zone, err := time.LoadLocation(w.Timezone); err == nil {
			return zone
		}
	}
	return time.UTC
}
