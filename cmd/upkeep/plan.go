package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/urfave/cli/v3"

	"upkeep/planner"
	"upkeep/planner/report"
	"upkeep/planner/report/text"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/state"
)

// planningFlags choose what a plan is about.
func planningFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "target", Usage: "plan only `ADDRESS` (TYPE.NAME or TYPE.NAME@NODE); may be repeated"},
		&cli.StringSliceFlag{Name: "exclude", Usage: "leave `ADDRESS` out; may be repeated"},
		&cli.StringSliceFlag{Name: "replace", Usage: "renew `ADDRESS` although nothing of it is due; may be repeated"},
	}
}

// factsFlags let a command work on recorded facts instead of the world.
func factsFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "facts", Usage: "use the facts that observe -out recorded in `FILE`; such a plan cannot be applied"},
		&cli.StringFlag{Name: "facts-max-age", Value: "24h", Usage: "refuse recorded facts older than `DURATION`"},
		&cli.BoolFlag{Name: "untrusted", Usage: "another person wrote the configuration: read only files below its directory; the default with -facts"},
	}, trustFlags()...)
}

func planCommand(env environment) *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "out", Usage: "save the plan to `FILE` for apply"},
		&cli.BoolFlag{Name: "detailed-exitcode", Usage: "exit 2 where there are steps, instead of 0"},
		&cli.BoolFlag{Name: "verbose", Usage: "unfold steps that are the same on many nodes"},
		runbookFlag(),
		jsonFlag(),
	}
	for _, more := range [][]cli.Flag{planningFlags(), factsFlags(), configurationFlags(), observationFlags(), measureFlags()} {
		flags = append(flags, more...)
	}
	return &cli.Command{
		Name: "plan", Usage: "observe, and show what is due and in which order it would be done",
		Flags: flags,
		Action: func(ctx context.Context, cmd *cli.Command) error {
			began := env.now()
			plan, w, err := makePlan(ctx, env, cmd)
			if err != nil {
				return err
			}
			known := recordSeen(ctx, env, w, plan)
			if out := w.outAt(cmd); out.path != "" {
				if err := savePlan(plan, w.key, out); err != nil {
					return err
				}
			}
			if cmd.Bool("as-runbook") {
				err = showRunbook(env, cmd, plan, w.types, nil)
			} else {
				err = showPlan(env, cmd, plan, nil, known, text.Run{Took: took(env, plan, began), SavedTo: cmd.String("out")})
			}
			if err != nil {
				return err
			}
			return planEnding(plan, cmd.Bool("detailed-exitcode"))
		},
	}
}

// planEnding ends a command that has shown a plan. detailed: steps are told by the exit code.
func planEnding(plan planner.Plan, detailed bool) error {
	verdict := report.VerdictOf(plan)
	if detailed && verdict == report.Changes {
		return ending(exitChanges)
	}
	return ending(verdictExit(verdict, exitDone))
}

// makePlan reads the configuration and the state, observes (or reads recorded facts), and builds the plan.
func makePlan(ctx context.Context, env environment, cmd *cli.Command) (planner.Plan, workspace, error) {
	return makePlanOf(ctx, env, cmd, func(_ workspace, request *planner.Request) (err error) {
		for _, chosen := range []struct {
			flag string
			into *[]providers.Address
		}{{"target", &request.Targets}, {"exclude", &request.Exclude}, {"replace", &request.Replace}} {
			if *chosen.into, err = addresses(cmd, chosen.flag); err != nil {
				return err
			}
		}
		return nil
	})
}

// makePlanOf is makePlan for what choose chooses.
func makePlanOf(ctx context.Context, env environment, cmd *cli.Command, choose func(workspace, *planner.Request) error) (planner.Plan, workspace, error) {
	fail := func(err error) (planner.Plan, workspace, error) { return planner.Plan{}, workspace{}, err }
	if _, err := measuring(cmd); err != nil { // before anything is read
		return fail(err)
	}
	w, err := open(env, cmd)
	if err != nil {
		return fail(err)
	}
	if len(w.desired.Resources) == 0 {
		return fail(errNothingDeclared)
	}
	if hasFlag(cmd, "out") { // before anything is looked at
		if _, err := w.outOf(cmd); err != nil {
			return fail(err)
		}
	}
	request := planner.Request{Desired: w.desired, Directory: w.directory}
	if err := choose(w, &request); err != nil {
		return fail(err)
	}
	given, err := overrides(cmd)
	if err != nil {
		return fail(err)
	}
	request.Overrides = append(request.Overrides, given...)
	if file := cmd.String("facts"); file != "" {
		err = w.fromFacts(env, cmd, file, &request)
	} else {
		err = w.fromCluster(ctx, env, cmd, &request)
	}
	if err != nil {
		return fail(err)
	}
	request.Desired = w.desired
	request.Now = request.World.ObservedAt
	plan, err := planner.Build(request, w.types)
	if err != nil {
		return fail(err)
	}
	plan.UpkeepVersion = version
	if plan.ID, err = newPlanID(); err != nil {
		return fail(err)
	}
	return plan, w, nil
}

// errNothingDeclared keeps an empty configuration from looking like a healthy cluster.
var errNothingDeclared = errors.New("nothing is declared, so there is nothing to plan: write a certificates block; `upkeep schema` lists the block types")

func newPlanID() (string, error) {
	var id [8]byte
	if _, err := rand.Read(id[:]); err != nil {
		return "", fmt.Errorf("naming the plan: %w", err)
	}
	return hex.EncodeToString(id[:]), nil
}

// addresses reads the addresses of a flag.
func addresses(cmd *cli.Command, flag string) ([]providers.Address, error) {
	if !hasFlag(cmd, flag) {
		return nil, nil
	}
	var out []providers.Address
	for _, text := range cmd.StringSlice(flag) {
		address, err := facts.ParseAddress(text)
		if err != nil {
			return nil, fmt.Errorf("-%s: %w", flag, err)
		}
		out = append(out, address)
	}
	return out, nil
}

func hasFlag(cmd *cli.Command, name string) bool {
	for _, flag := range cmd.Flags {
		for _, n := range flag.Names() {
			if n == name {
				return true
			}
		}
	}
	return false
}

func readState(ctx context.Context, w workspace) (state.State, error) {
	backend, err := stateBackend(w)
	if err != nil {
		return state.State{}, err
	}
	return backend.Read(ctx)
}

// savePlan writes a plan file that only its owner can read, and that says which state it was made with.
func savePlan(plan planner.Plan, key state.Key, out outFile) error {
	data, err := planner.File(plan, key.MAC)
	if err != nil {
		return fmt.Errorf("saving the plan: %w", err)
	}
	if err := out.write(data); err != nil {
		return fmt.Errorf("saving the plan: %w", err)
	}
	return nil
}
