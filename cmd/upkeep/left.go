package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/urfave/cli/v3"

	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/planner/report"
	"upkeep/planner/report/text"
)

// leftOver says what a run that did all its steps leaves all the same, and returns the exit code of a run. What could not
// be checked, and what must wait until something else is repaired, was not planned: then a plan is at best applied in part.
func leftOver(env environment, cmd *cli.Command, plan planner.Plan, result apply.Result) error {
	unknown, waiting := counted(plan), plan.Waiting()
	if result.Outcome != apply.Complete || plan.Complete && len(unknown)+len(waiting) == 0 {
		return outcomeExit(result)
	}
	out := env.stdout
	if cmd.Bool("json") {
		out = env.stderr // standard output is a stream of events
	}
	fmt.Fprintln(out, "\nNot everything could be planned, so this is left:")
	for _, u := range unknown {
		fmt.Fprintf(out, "  UNKNOWN  %s: %s\n", text.Place(u), text.Clean(u.Why))
	}
	for _, finding := range waiting {
		fmt.Fprintf(out, "  WAITS    %s: %s\n", text.Clean(finding.Address.String()), text.Clean(finding.Summary))
	}
	fmt.Fprintln(out, "Fix what stands above, then plan again:\n  upkeep plan")
	return exit{code: exitPartial}
}

// counted lists what could not be checked, but for what somebody exempted.
func counted(plan planner.Plan) []planner.Unknown {
	return slices.DeleteFunc(report.Unknowns(plan), func(u planner.Unknown) bool { return u.Exempt != "" })
}

// nothingPlanned ends an apply of a plan without steps, which does not always mean that nothing is due: what is due may have to
// wait, and what could not be checked is left.
func nothingPlanned(env environment, cmd *cli.Command, plan planner.Plan) error {
	shown := report.Plan(plan).Upkeep
	switch {
	case len(plan.Waiting()) > 0:
		return errors.New("nothing can be applied: what is due must wait until something else is repaired; the findings say what")
	case shown.Status == report.Failed:
		return errors.New("nothing can be applied: upkeep has no step for what is wrong; the findings say what a person can do")
	case shown.Status == report.Unsure && text.NothingSeen(shown):
		return errors.New("nothing can be applied: the cluster was NOT checked; the lines above say what did not answer")
	case shown.Status == report.Unsure:
		return leftOver(env, cmd, plan, apply.Result{Outcome: apply.Complete})
	}
	return nil
}
