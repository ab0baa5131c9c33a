package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v3"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/planner/report/text"
	"upkeep/providers/facts"
	"upkeep/providers/plain"
	"upkeep/state"
)

func stateCommand(env environment) *cli.Command {
	show := &cli.Command{
		Name: "show", Usage: "print what is remembered: runs, durations, serial and lineage",
		Flags:  append([]cli.Flag{jsonFlag()}, configurationFlags()...),
		Action: func(ctx context.Context, cmd *cli.Command) error { return showState(ctx, env, cmd) },
	}
	lock := &cli.Command{
		Name: "lock", Usage: "print who holds the state lock",
		Flags:  append([]cli.Flag{jsonFlag()}, configurationFlags()...),
		Action: func(ctx context.Context, cmd *cli.Command) error { return showLock(ctx, env, cmd) },
	}
	return &cli.Command{
		Name: "state", Usage: "look at what upkeep remembers between runs",
		Commands: []*cli.Command{show, lock, statePublicKeyCommand(env), stateRotateKeyCommand(env), forgetClusterCommand(env)},
	}
}

// stateView is what `state show` prints. The state's key is not in it.
type stateView struct {
	Path       string             `json:"path"`
	Exists     bool               `json:"exists"`
	Lineage    string             `json:"lineage,omitempty"`
	Serial     uint64             `json:"serial"`
	Generation uint64             `json:"generation"`
	Cluster    facts.Identity     `json:"cluster,omitzero"`
	Out        []config.Out       `json:"out,omitempty"`
	Durations  map[string]float64 `json:"durations,omitempty"`
	Runs       []state.RunRecord  `json:"runs"`
}

func showState(ctx context.Context, env environment, cmd *cli.Command) error {
	w, err := open(env, cmd)
	if err != nil {
		return err
	}
	backend, err := stateBackend(w)
	if err != nil {
		return err
	}
	s, err := backend.Read(ctx)
	if err != nil {
		return err
	}
	view := stateView{Path: backend.Describe(), Exists: s.Exists(), Lineage: s.Lineage, Serial: s.Serial, Generation: s.Generation, Cluster: s.Memory.Cluster, Durations: s.Memory.Durations, Runs: s.Runs}
	if view.Out, err = planner.RememberedOuts(s.Memory); err != nil {
		return err
	}
	if view.Runs == nil {
		view.Runs = []state.RunRecord{}
	}
	plain.In(&view, plain.Line) // a store of states may be written by others
	if cmd.Bool("json") {
		return printJSON(env.stdout, view)
	}
	if !view.Exists {
		_, err := fmt.Fprintf(env.stdout, "There is no state at %s yet; the first apply writes it.\n", view.Path)
		return err
	}
	fmt.Fprintf(env.stdout, "state    %s\nlineage  %s\nserial   %d\n", view.Path, view.Lineage, view.Serial)
	if !view.Cluster.IsZero() {
		fmt.Fprintf(env.stdout, "cluster\n%s", identityLines(view.Cluster))
	}
	for _, o := range view.Out {
		fmt.Fprintf(env.stdout, "out      %s\n", text.Clean(outText(o)))
	}
	table := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', 0)
	if len(view.Durations) > 0 {
		fmt.Fprintln(table, "\nOPERATION\tTOOK LAST")
		for _, operation := range slices.Sorted(maps.Keys(view.Durations)) {
			fmt.Fprintf(table, "%s\t%s\n", operation, elapsed(view.Durations[operation]))
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	if len(view.Runs) == 0 {
		return nil
	}
	fmt.Fprintln(env.stdout)
	fmt.Fprintln(table, "PLAN\tSTARTED\tWHO\tOUTCOME\tDONE\tSKIPPED\tREFUSED\tFAILED")
	for _, run := range view.Runs {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\n", run.PlanID, run.StartedAt.UTC().Format(time.RFC3339), run.Who, run.Outcome, run.Done, run.Skipped, run.Refused, run.Failed)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, run := range view.Runs {
		for _, override := range run.Overrides {
			fmt.Fprintf(env.stdout, "plan %s went with the override %s\n", run.PlanID, override)
		}
	}
	return nil
}

func showLock(ctx context.Context, env environment, cmd *cli.Command) error {
	w, err := open(env, cmd)
	if err != nil {
		return err
	}
	backend, err := stateBackend(w)
	if err != nil {
		return err
	}
	info, held, err := backend.Holder(ctx)
	if err != nil {
		return err
	}
	plain.In(&info, plain.Line)
	if cmd.Bool("json") {
		view := struct {
			Held bool            `json:"held"`
			Lock *state.LockInfo `json:"lock,omitempty"`
		}{Held: held && info.Stale == ""}
		if held {
			view.Lock = &info
		}
		return printJSON(env.stdout, view)
	}
	if !held {
		_, err := fmt.Fprintf(env.stdout, "The state %s is not locked.\n", backend.Describe())
		return err
	}
	if info.Stale != "" {
		_, err := fmt.Fprintf(env.stdout, "Nobody holds the lock of the state %s.\nA run of %s (%s, begun %s, process %d) left lock %s behind: %s. The next apply takes the lock over.\n",
			backend.Describe(), text.Clean(info.Who), text.Clean(info.Operation), info.Created.UTC().Format(time.RFC3339), info.PID, text.Clean(info.ID), info.Stale)
		return err
	}
	_, err = fmt.Fprintf(env.stdout, "lock     %s\nwho      %s, process %d\nfor      %s\nsince    %s\nexpires  %s\n",
		info.ID, info.Who, info.PID, info.Operation, info.Created.UTC().Format(time.RFC3339), info.Expires.UTC().Format(time.RFC3339))
	return err
}
