package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/urfave/cli/v3"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/planner/report/text"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/state"
)

// maxFactsAge is how old recorded facts may be before plan refuses them.
const maxFactsAge = 24 * time.Hour

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
	return []cli.Flag{
		&cli.StringFlag{Name: "facts", Usage: "use the facts that observe -out recorded in `FILE`; such a plan cannot be applied"},
		&cli.StringFlag{Name: "facts-max-age", Value: "24h", Usage: "refuse recorded facts older than `DURATION`"},
	}
}

func planCommand(env environment) *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "out", Usage: "save the plan to `FILE` for apply"},
		&cli.BoolFlag{Name: "detailed-exitcode", Usage: "exit 0: nothing to do, 1: error, or what is due cannot be planned, 2: there are steps"},
		&cli.BoolFlag{Name: "verbose", Usage: "unfold steps that are the same on many nodes"},
		runbookFlag(),
		jsonFlag(),
	}
	for _, more := range [][]cli.Flag{planningFlags(), factsFlags(), configurationFlags(), observationFlags()} {
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
			recordSeen(ctx, env, w, plan)
			if out := (outFile{path: cmd.String("out"), inputs: w.inputs(cmd)}); out.path != "" {
				if err := keepKey(ctx, w, plan); err != nil {
					return err
				}
				if err := savePlan(plan, out); err != nil {
					return err
				}
			}
			if cmd.Bool("as-runbook") {
				err = showRunbook(env, cmd, plan, w.types)
			} else {
				err = showPlan(env, cmd, plan, text.Run{Took: took(env, plan, began), SavedTo: cmd.String("out")})
			}
			if err != nil {
				return err
			}
			switch {
			case !cmd.Bool("detailed-exitcode"):
			case len(plan.Steps) > 0:
				return exit{code: exitChanges}
			case nothingPlanned(plan) != nil:
				return exit{code: exitError} // the plan has said why
			}
			return nil
		},
	}
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
	if request.Overrides, err = overrides(cmd); err != nil {
		return fail(err)
	}
	remembered, err := readState(ctx, w)
	if err != nil {
		return fail(err)
	}
	if w.desired, err = planner.WithOuts(w.desired, remembered.Memory); err != nil {
		return fail(err)
	}
	if cmd.String("facts") == "" { // recorded facts have a clock of their own
		if err := planner.CheckOuts(w.desired, env.now()); err != nil {
			return fail(err)
		}
	}
	w.key = keyOf(remembered)
	w.mac = macOf(w.key)
	if w.desired, err = seal(w.desired, w.secrets, w.mac); err != nil {
		return fail(err)
	}
	request.Desired = w.desired
	request.Memory, request.Lineage, request.Serial = remembered.Memory, remembered.Lineage, remembered.Serial
	if file := cmd.String("facts"); file != "" {
		if request.World, err = readFacts(env, cmd, file); err != nil {
			return fail(err)
		}
		request.Recorded = true
	} else if request.World, err = w.observeAll(ctx, cmd); err != nil {
		return fail(err)
	}
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

// keepKey makes the state where a plan that is saved has secrets and there is no state yet: what stands for the secrets in
// the plan is made with the state's key, and an apply with another key would take each of them for a changed one.
func keepKey(ctx context.Context, w workspace, plan planner.Plan) error {
	if plan.Request.Lineage != "" || plan.Request.Recorded || !holdsSecrets(w.desired) {
		return nil
	}
	backend, err := stateBackend(w)
	if err != nil {
		return err
	}
	lock, err := backend.Lock(ctx, state.LockRequest{Operation: "plan", Key: w.key})
	if err != nil {
		return fmt.Errorf("making the state, whose key the saved plan needs: %w", err)
	}
	if !lock.State().Key.Equal(w.key) {
		return errors.Join(errors.New("somebody else made the state meanwhile, with another key; plan again"), lock.Unlock())
	}
	return lock.Unlock()
}

func readState(ctx context.Context, w workspace) (state.State, error) {
	backend, err := stateBackend(w)
	if err != nil {
		return state.State{}, err
	}
	return backend.Read(ctx)
}

// savePlan writes a plan file that only its owner can read.
func savePlan(plan planner.Plan, out outFile) error {
	data, err := planner.Encode(plan)
	if err != nil {
		return err
	}
	if err := out.write(data); err != nil {
		return fmt.Errorf("saving the plan: %w", err)
	}
	return nil
}

// loadPlan reads a plan file.
func loadPlan(path string, types []providers.Type) (planner.Plan, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return planner.Plan{}, fmt.Errorf("there is no plan file %s; `upkeep plan -out=%s` makes one", path, path)
	}
	if err != nil {
		return planner.Plan{}, fmt.Errorf("reading the plan: %w", err)
	}
	plan, err := planner.Decode(data, types)
	if err != nil {
		return planner.Plan{}, fmt.Errorf("%s: %w", path, err)
	}
	return plan, nil
}

// readFacts reads recorded facts and refuses old ones.
func readFacts(env environment, cmd *cli.Command, path string) (facts.World, error) {
	limit, err := durationFlag(cmd, "facts-max-age")
	if err != nil {
		return facts.World{}, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return facts.World{}, fmt.Errorf("reading recorded facts: %w; `upkeep observe -out=FILE` records them", err)
	}
	world, err := facts.Decode(data)
	if err != nil {
		return facts.World{}, fmt.Errorf("%s: %w; record them again with `upkeep observe -out=%s`", path, err, path)
	}
	if age := env.now().Sub(world.ObservedAt); age > limit {
		return facts.World{}, fmt.Errorf("the facts in %s are %s old and -facts-max-age is %s; record them again with `upkeep observe -out=%s`",
			path, config.Duration(age.Truncate(time.Minute)), config.Duration(limit), path)
	}
	return world, nil
}
