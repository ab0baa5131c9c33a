package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v3"

	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/planner/report/text"
)

// leftOver says what a run that did all its steps leaves all the same, and returns the exit code of a run. What could not
// be observed, and what must wait until something else is mended, was not planned: then a plan is at best applied in part.
func leftOver(env environment, cmd *cli.Command, plan planner.Plan, result apply.Result) error {
	waiting := plan.Waiting()
	if result.Outcome != apply.Complete || plan.Complete && len(waiting) == 0 {
		return outcomeExit(result.Outcome)
	}
	out := env.stdout
	if cmd.Bool("json") {
		out = env.stderr // standard output is a stream of events
	}
	fmt.Fprintln(out, "\nNot everything could be planned, so this is left:")
	told := map[string]bool{}
	for _, unknown := range plan.Unknown() {
		told[unknown.Name] = true
		fmt.Fprintf(out, "  unknown  %s: %s\n", text.Clean(unknown.Name), text.Clean(unknown.Why))
	}
	for _, finding := range plan.Remaining {
		if finding.Unknown && !told[finding.Address.Node] {
			fmt.Fprintf(out, "  unknown  %s %s: %s\n", text.Clean(finding.Address.String()), text.Clean(finding.Object), text.Clean(finding.Summary))
		}
	}
	for _, finding := range waiting {
		fmt.Fprintf(out, "  waits    %s: %s\n", text.Clean(finding.Address.String()), text.Clean(finding.Summary))
	}
	fmt.Fprintln(out, "Mend what stands in the way, then plan again.")
	return exit{code: exitPartial}
}

// nothingPlanned returns why a plan without steps does not mean that nothing is due; nil where it does.
func nothingPlanned(plan planner.Plan) error {
	switch waiting := len(plan.Waiting()); {
	case !plan.Complete:
		return errors.New("nothing can be applied: what is due is not known while something could not be observed; the findings name it")
	case waiting > 0:
		return errors.New("nothing can be applied: what is due must wait until something else is mended; the findings say what")
	}
	return nil
}
