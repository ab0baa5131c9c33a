package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/urfave/cli/v3"

	"upkeep/planner"
	"upkeep/providers"
	"upkeep/providers/bounded"
	"upkeep/state"
)

// savedPlan returns the plan in a file for whoever applies it. Where to connect and where to write is said by the
// configuration of the directory that apply is called in, never by the file: the file is not read before the key of that
// configuration's state vouches for it, and a plan from another configuration is refused.
func savedPlan(ctx context.Context, env environment, cmd *cli.Command, path string) (planner.Plan, workspace, error) {
	fail := func(err error) (planner.Plan, workspace, error) { return planner.Plan{}, workspace{}, err }
	data, err := readPlanFile(path)
	if err != nil {
		return fail(err)
	}
	w, err := open(env, cmd)
	if err != nil {
		return fail(err)
	}
	backend, err := stateBackend(w)
	if err != nil {
		return fail(err)
	}
	remembered, err := backend.Read(ctx)
	if err != nil {
		return fail(err)
	}
	if !remembered.Exists() {
		return fail(exit{exitStale, fmt.Errorf("%s: this plan was not made with this state: there is no state at %s; run apply in the directory that the plan was made in, or make a new plan with `upkeep plan -out=FILE`", path, backend.Describe())})
	}
	given, err := overrides(cmd)
	if err != nil {
		return fail(err)
	}
	return w.trusted(path, data, remembered, given)
}

// trusted returns the plan of a plan file for whoever applies it, once the key of the state has vouched for the file. path names it
// for people. The overrides are those of the run.
func (w workspace) trusted(
	path string, data []byte, remembered state.State, given []planner.Override,
) (planner.Plan, workspace, error) {
	fail := func(err error) (planner.Plan, workspace, error) { return planner.Plan{}, workspace{}, err }
	if err := planner.CheckOrigin(data, remembered.Key.MAC); err != nil {
		return fail(exit{exitStale, fmt.Errorf("%s: %w", path, err)})
	}
	plan, err := decodePlan(path, data, w.types)
	if err != nil {
		return fail(staleWhere(err))
	}
	w.useKey(remembered)
	if w.desired, err = seal(w.desired, w.secrets, w.mac); err != nil {
		return fail(err)
	}
	// Overrides are of this run: never of the file, whose digest does not cover them.
	plan.Request.Overrides = given
	if plan, err = plan.Under(w.desired, w.directory, w.types); err != nil {
		return fail(staleWhere(fmt.Errorf("%s: %w", path, err)))
	}
	w.desired = plan.Request.Desired
	return plan, w, nil
}

// staleWhere gives an error that says that a plan is not the one for this configuration the exit code of a stale plan.
func staleWhere(err error) error {
	var digest *planner.DigestError
	var configuration *planner.ConfigurationError
	if errors.As(err, &digest) || errors.As(err, &configuration) {
		return exit{exitStale, err}
	}
	return err
}

// maxFile bounds a plan file and a facts file: both come from elsewhere. 1,000 nodes are 16 MiB.
const maxFile = 256 << 20

// readPlanFile returns the text of a plan file.
func readPlanFile(path string) ([]byte, error) {
	data, err := bounded.Given(path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no plan file %s; `upkeep plan -out=%s` makes one", path, path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the plan: %w", err)
	}
	if data, err = planner.Unpack(data, maxFile); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return data, nil
}

func decodePlan(path string, data []byte, types []providers.Type) (planner.Plan, error) {
	plan, err := planner.Decode(data, types)
	if err != nil {
		return planner.Plan{}, fmt.Errorf("%s: %w", path, err)
	}
	return plan, nil
}

// loadPlan reads a plan file to look at: nothing that acts may be given what it returns. See savedPlan.
func loadPlan(path string, types []providers.Type) (planner.Plan, error) {
	data, err := readPlanFile(path)
	if err != nil {
		return planner.Plan{}, err
	}
	return decodePlan(path, data, types)
}
