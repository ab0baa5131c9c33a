package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"

	"upkeep/providers/kube"
	"upkeep/providers/plain"
	"upkeep/state"
)

func lockTimeoutFlag() cli.Flag {
	return &cli.StringFlag{Name: "lock-timeout", Value: "0s", Usage: "wait up to `DURATION` for locks that others hold"}
}

// underLock does something while the command holds the state's lock. Nothing that waits for a person belongs there.
func underLock(
	ctx context.Context, env environment, cmd *cli.Command, w workspace, do func(state.Lock) error,
) (err error) {
	backend, err := stateBackend(w)
	if err != nil {
		return err
	}
	lock, err := takeLock(ctx, env, cmd, backend, w.key)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	return do(lock)
}

// takeLock takes the state's lock in the command's name, waiting as long as -lock-timeout says.
func takeLock(
	ctx context.Context, env environment, cmd *cli.Command, backend state.Backend, key state.Key,
) (state.Lock, error) {
	timeout, err := durationFlag(cmd, "lock-timeout")
	if err != nil {
		return nil, err
	}
	lock, err := backend.Lock(ctx, state.LockRequest{
		Operation: strings.TrimPrefix(fullName(cmd), "upkeep "), Timeout: timeout, Key: key,
		Waiting: func(info state.LockInfo) {
			fmt.Fprintf(env.stderr, "Waiting up to %s for the state lock of %s (%s)...\n",
				timeout, plain.Line(info.Who), plain.Line(info.Operation))
		},
	})
	var locked *state.LockedError
	if errors.As(err, &locked) {
		return nil, exit{exitLocked, err}
	}
	if err != nil {
		return nil, err
	}
	if stale := lock.TookOver(); stale != nil {
		fmt.Fprintf(env.stderr, "Note: %s\n", stale)
	}
	if hold := lock.State().Memory.Hold; hold != nil && !duringHold(cmd) {
		return nil, errors.Join(exit{exitLocked, &kube.HoldError{Hold: *hold}}, lock.Unlock())
	}
	return lock, nil
}

func writeState(ctx context.Context, lock state.Lock, next state.State) error {
	if _, err := lock.Write(ctx, next); err != nil {
		return fmt.Errorf("writing the state: %w", err)
	}
	return nil
}
