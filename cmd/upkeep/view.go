package main

import (
	"time"

	"github.com/urfave/cli/v3"

	"upkeep/planner"
	"upkeep/planner/report"
	"upkeep/planner/report/text"
	"upkeep/state/seen"
)

// styleOf decides how text looks on standard output.
func styleOf(env environment, cmd *cli.Command) text.Style {
	t := terminalOf(env, env.stdout, cmd.Bool("no-color"))
	return text.Style{Color: t.Colour, Width: t.Width, Verbose: hasFlag(cmd, "verbose") && cmd.Bool("verbose")}
}

// showPlan prints a plan with the steps that are known to wait: as JSON with -json, else as text. apply -json prints
// events instead, and leaves this out.
func showPlan(env environment, cmd *cli.Command, plan planner.Plan, unverified error, known seen.Seen, run text.Run) error {
	shown := report.Plan(plan).WithWaits(report.Waits(plan, known)).At(env.now())
	if unverified != nil {
		shown.Upkeep.Unverified = unverified.Error()
	}
	if cmd.Bool("json") {
		return report.JSON(env.stdout, shown)
	}
	return text.Plan(env.stdout, shown, run, styleOf(env, cmd))
}

// took is how long an observation that began at a time and ended now has taken; nothing for recorded facts.
func took(env environment, plan planner.Plan, began time.Time) time.Duration {
	if plan.Request.Recorded {
		return 0
	}
	return env.now().Sub(began)
}
