package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v3"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/providers/bounded"
	"upkeep/providers/facts"
	"upkeep/state"
)

// fromCluster fills a request with what is observed now and what the state remembers. Where the plan is to be saved and there
// is no state yet, it makes the state: its key vouches for the plan file, and its lineage is part of the plan's digests.
func (w *workspace) fromCluster(ctx context.Context, env environment, cmd *cli.Command, request *planner.Request) error {
	remembered, err := w.remembered(ctx)
	if err != nil {
		return err
	}
	if err := planner.CheckOuts(w.desired, env.now()); err != nil {
		return err
	}
	if request.World, err = w.observeAll(ctx, cmd); err != nil {
		return err
	}
	if cmd.String("out") != "" && !remembered.Exists() {
		if remembered, err = makeState(ctx, *w); err != nil {
			return err
		}
	}
	request.Memory, request.Lineage, request.Serial = remembered.Memory, remembered.Lineage, remembered.Serial
	request.Memory.Earlier = earlier(ctx, *w)
	return nil
}

// fromFacts fills a request with what observe recorded: it opens no state, and what stands for secrets is what stood for them
// then.
func (w *workspace) fromFacts(env environment, cmd *cli.Command, file string, request *planner.Request) error {
	recording, err := readFacts(env, cmd, file)
	if err != nil {
		return err
	}
	if w.desired, err = planner.WithOuts(w.desired, recording.Memory); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	w.desired = reseal(w.desired, recording.Seals)
	request.World, request.Memory = recording.World, recording.Memory
	request.Lineage, request.Serial = recording.Lineage, recording.Serial
	request.Recorded = true
	return nil
}

// remembered reads the state, and gives the configuration what the state adds to it: nodes that are out, and the key under
// which secrets are compared.
func (w *workspace) remembered(ctx context.Context) (state.State, error) {
	remembered, err := readState(ctx, *w)
	if err != nil {
		return remembered, err
	}
	if w.desired, err = planner.WithOuts(w.desired, remembered.Memory); err != nil {
		return remembered, err
	}
	w.useKey(remembered)
	w.desired, err = seal(w.desired, w.secrets, w.mac)
	return remembered, err
}

// useKey makes the key of a state the one that stands for secrets; before there is a state, the key that it will have.
func (w *workspace) useKey(remembered state.State) {
	if remembered.Exists() {
		w.key = remembered.Key
		w.mac = macOf(w.key)
	}
}

// makeState makes the state where there is none, with the key that the workspace has used already.
func makeState(ctx context.Context, w workspace) (state.State, error) {
	backend, err := stateBackend(w)
	if err != nil {
		return state.State{}, err
	}
	lock, err := backend.Lock(ctx, state.LockRequest{Operation: "plan", Key: w.key})
	var locked *state.LockedError
	switch {
	case errors.As(err, &locked):
		return state.State{}, exit{exitLocked, err}
	case err != nil:
		return state.State{}, fmt.Errorf("make the state, whose key a saved plan needs: %w", err)
	}
	made := lock.State()
	if err := lock.Unlock(); err != nil {
		return state.State{}, err
	}
	if !made.Key.Equal(w.key) {
		return state.State{}, errors.New("another run made the state at the same time, with another key; plan again")
	}
	return made, nil
}

// readFacts reads recorded facts and refuses old ones.
func readFacts(env environment, cmd *cli.Command, path string) (facts.Recording, error) {
	limit, err := durationFlag(cmd, "facts-max-age")
	if err != nil {
		return facts.Recording{}, err
	}
	file, err := bounded.Open(path, maxFile)
	if err != nil {
		return facts.Recording{}, fmt.Errorf("reading recorded facts: %w; `upkeep observe -out=FILE` records them", err)
	}
	defer func() { _ = file.Close() }() // opened for reading: nothing is lost
	recording, err := facts.ReadRecording(file)
	if err != nil {
		return facts.Recording{}, fmt.Errorf("%s: %w; record them again with `upkeep observe -out=%s`", path, err, path)
	}
	if age := env.now().Sub(recording.World.ObservedAt); age > limit {
		return facts.Recording{}, fmt.Errorf("the facts in %s are %s old and -facts-max-age is %s; record them again with `upkeep observe -out=%s`",
			path, config.Duration(age.Truncate(time.Minute)), config.Duration(limit), path)
	}
	return recording, nil
}
