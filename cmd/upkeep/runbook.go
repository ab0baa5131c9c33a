package main

import (
	"bytes"
	"fmt"
	"path/filepath"

	"github.com/urfave/cli/v3"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/planner/report"
	"upkeep/planner/report/runbook"
	"upkeep/providers"
	"upkeep/providers/node"
	"upkeep/state/durable"
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

// showRunbook prints the runbook of a plan: as JSON with -json, else as Markdown.
func showRunbook(env environment, cmd *cli.Command, plan planner.Plan, types []providers.Type) error {
	byHand, err := runbookOf(plan, types)
	if err != nil {
		return err
	}
	if cmd.Bool("json") {
		return report.JSON(env.stdout, byHand)
	}
	return runbook.Markdown(env.stdout, byHand)
}

// saveRunbook writes the runbook of a plan into a directory, so that whoever finds a run that died can finish it by hand. It
// returns the file, which only its owner can read.
func saveRunbook(plan planner.Plan, types []providers.Type, directory string, trace durable.Tracer) (string, error) {
	byHand, err := runbookOf(plan, types)
	if err != nil {
		return "", err
	}
	var text bytes.Buffer
	if err := runbook.Markdown(&text, byHand); err != nil {
		return "", err
	}
	path := filepath.Join(directory, plan.ID+".runbook.md")
	if err := durable.Replace(path, text.Bytes(), 0o600, trace); err != nil {
		return "", fmt.Errorf("saving the runbook: %w", err)
	}
	return path, nil
}
