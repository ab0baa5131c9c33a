package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"upkeep/planner"
	"upkeep/providers"
	"upkeep/providers/backup"
)

func backupCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "backup", Usage: "take, look at and restore backups of etcd and of the control planes' keys",
		Commands: []*cli.Command{
			backupTakeCommand(env), backupListCommand(env), backupShowCommand(env), backupVerifyCommand(env), backupRestoreCommand(env),
			backupRemoveCommand(env),
		},
	}
}

func backupTakeCommand(env environment) *cli.Command {
	flags := []cli.Flag{
		&cli.BoolFlag{Name: "auto-approve", Usage: "do not ask before taking"},
		lockTimeoutFlag(),
		&cli.BoolFlag{Name: "input", Value: true, Usage: "ask on the terminal; -input=false never asks"},
		&cli.BoolFlag{Name: "verbose", Usage: "unfold steps that are the same on many nodes"},
		jsonFlag(),
	}
	for _, more := range [][]cli.Flag{configurationFlags(), observationFlags()} {
		flags = append(flags, more...)
	}
	return &cli.Command{
		Name: "take", Usage: "take and prove a bundle now, however young the last one is",
		ArgsUsage:   "[NAME]",
		Description: "The same as `upkeep apply -target=etcd_backup.NAME -replace=etcd_backup.NAME`. Without a NAME, every etcd_backup of the configuration takes one.",
		Flags:       flags,
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if cmd.Args().Len() > 1 {
				return usage(cmd, "backup take takes one name, and there are %d arguments", cmd.Args().Len())
			}
			began := env.now()
			plan, w, err := makePlanOf(ctx, env, cmd, func(w workspace, request *planner.Request) error {
				chosen, err := chooseBackups(w, cmd.Args().First())
				request.Targets, request.Replace = chosen, chosen
				return err
			})
			if err != nil {
				return err
			}
			_, applied := applyPlan(ctx, env, cmd, w, plan, readSeen(ctx, env, w, true), false, began)
			if remembered, err := readState(ctx, w); err == nil {
				if err := noteKey(env, w.desired, remembered); err != nil {
					return err
				}
			}
			return errors.Join(applied, untaken(plan))
		},
	}
}

// untaken says which blocks no bundle was even tried for: what nobody could see is no success, and not left for later.
func untaken(plan planner.Plan) error {
	var errs []error
	for _, address := range plan.Request.Targets {
		if !slices.ContainsFunc(plan.Steps, func(s providers.Step) bool { return s.Address == address }) {
			err := fmt.Errorf("%s: no bundle was taken: not everything that it needs could be checked", address)
			errs = append(errs, exit{exitError, err})
		}
	}
	return errors.Join(errs...)
}

// chooseBackups returns the etcd_backup of a name (NAME or etcd_backup.NAME); all of them for no name.
func chooseBackups(w workspace, name string) ([]providers.Address, error) {
	var declared []string
	var chosen []providers.Address
	for _, spec := range backup.Declared(w.desired) {
		address := spec.Address()
		declared = append(declared, address.String())
		if name == "" || name == address.String() || "etcd_backup."+name == address.String() {
			chosen = append(chosen, address)
		}
	}
	switch {
	case len(declared) == 0:
		return nil, fmt.Errorf("the configuration has no etcd_backup; write one: upkeep schema")
	case len(chosen) == 0:
		return nil, fmt.Errorf("there is no etcd_backup %q; the configuration has %s", name, strings.Join(declared, ", "))
	}
	return chosen, nil
}
