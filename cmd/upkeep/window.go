package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/urfave/cli/v3"

	"upkeep/planner"
	"upkeep/planner/report"
	"upkeep/planner/report/text"
	"upkeep/planner/window"
	"upkeep/providers"
)

func windowCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "window", Usage: "maintenance windows: what is open, why, and what comes",
		Commands: []*cli.Command{windowListCommand(env)},
	}
}

// mostOpenings bounds -next.
const mostOpenings = 1000

func windowListCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "list", Usage: "list the maintenance windows, and when the steps of each block may begin",
		Description: "Reads the configuration, and nothing else: no node and no cluster.",
		Flags: append([]cli.Flag{
			&cli.IntFlag{Name: "next", Value: 5, Usage: "show the next `N` openings of each window"},
			&cli.StringFlag{Name: "at", Usage: "tell what holds at `TIME`, such as 2026-12-24T02:00:00Z, instead of now"},
			&cli.BoolFlag{Name: "ics", Usage: "print a calendar file (iCalendar) that calendar programs subscribe to"},
			jsonFlag(),
		}, slices.Concat(trustFlags(), configurationFlags())...),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			at, next := env.now(), cmd.Int("next")
			if next < 1 || next > mostOpenings {
				return usage(cmd, "-next=%d: write a number from 1 to %d", next, mostOpenings)
			}
			if given := cmd.String("at"); given != "" {
				var err error
				if at, err = instantOf(given); err != nil {
					return usage(cmd, "-at: %v", err)
				}
			}
			if cmd.Bool("ics") && cmd.Bool("json") {
				return usage(cmd, "-ics and -json are two formats; use one of them")
			}
			read, err := readConfiguration(env, cmd)
			if err != nil {
				return err
			}
			windows := report.Windows(planner.Request{Desired: read.desired}, at, next)
			switch {
			case cmd.Bool("ics"):
				_, err = io.WriteString(env.stdout, window.ICS(at, planner.Windows(read.desired), next))
			case cmd.Bool("json"):
				windows.Version = version
				err = report.JSON(env.stdout, windows)
			default:
				err = text.Windows(env.stdout, windows, styleOf(env, cmd))
			}
			if err != nil {
				return fmt.Errorf("write the windows: %w", err)
			}
			return nil
		},
	}
}

// windowDiagnostics are what is wrong with windows once all blocks are read.
func windowDiagnostics(l loaded, types []providers.Type, at time.Time) (diags hcl.Diagnostics) {
	for _, m := range planner.WindowMistakes(l.desired, types, at) {
		diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: m.Summary, Detail: m.Detail, Subject: l.line(m.Position)})
	}
	return diags
}
