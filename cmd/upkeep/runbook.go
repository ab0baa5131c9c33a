package main

import (
	"bytes"
	"context"
	"fmt"

	"github.com/urfave/cli/v3"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/planner/report"
	"upkeep/planner/report/runbook"
	"upkeep/providers"
	"upkeep/providers/node"
	"upkeep/state"
)

// runbookFlag turns a plan into its runbook.
func runbookFlag() cli.Flag {
	return &cli.BoolFlag{Name: "as-runbook", Usage: "print the plan as Markdown for a person who carries it out when upkeep cannot run"}
}

func runbookOf(plan planner.Plan, types []providers.Type) (report.RunbookJSON, error) {
	return report.Runbook(plan, effects(types), func(n config.Node, c config.Connection) (string, error) {
		return node.ShellCommand(node.TargetOf(n, c))
	})
}

// showRunbook prints the runbook of a plan: as JSON with -json, else as Markdown. unverified says why nothing proves who made
// the plan, and stands in the runbook itself: whoever follows a runbook has not seen the terminal.
func showRunbook(env environment, cmd *cli.Command, plan planner.Plan, types []providers.Type, unverified error) error {
	byHand, err := runbookOf(plan, types)
	if err != nil {
		return err
	}
	if unverified != nil {
		byHand.Unverified = unverified.Error()
		fmt.Fprintf(env.stderr, "WARN  NOT VERIFIED: %v. The commands connect to where this file says.\n", unverified)
	}
	if cmd.Bool("json") {
		return report.JSON(env.stdout, byHand)
	}
	return runbook.Markdown(env.stdout, byHand)
}

// saveDocuments keeps a copy of a plan and its runbook beside the journal, so that whoever finds a run that died can finish
// it by hand, or apply the copy.
func saveDocuments(ctx context.Context, lock state.Lock, plan planner.Plan, types []providers.Type) error {
	data, err := planner.File(plan, lock.State().Key.MAC)
	if err != nil {
		return err
	}
	if err := lock.Save(ctx, plan.ID, state.SavedPlan, data); err != nil {
		return err
	}
	byHand, err := runbookOf(plan, types)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := runbook.Markdown(&text, byHand); err != nil {
		return err
	}
	return lock.Save(ctx, plan.ID, state.Runbook, text.Bytes())
}
