package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v3"

	"upkeep/config"
	"upkeep/planner/report"
	"upkeep/planner/report/text"
	"upkeep/providers"
	"upkeep/providers/backup"
	"upkeep/providers/backup/bundle"
	"upkeep/providers/facts"
	"upkeep/providers/node/protocol"
	"upkeep/providers/store"
)

// shelves is the backup stores of a configuration, and what the state remembers of their bundles.
type shelves struct {
	desired   config.Desired
	stores    stores
	addresses []providers.Address
	proofs    []facts.Proof
}

// openShelves reads the configuration and the state. It asks no node, but one that a store is on.
func openShelves(ctx context.Context, env environment, cmd *cli.Command, name string) (shelves, error) {
	w, err := open(env, cmd)
	if err != nil {
		return shelves{}, err
	}
	chosen, err := chooseBackups(w, name)
	if err != nil {
		return shelves{}, err
	}
	remembered, err := readState(ctx, w)
	if err != nil {
		return shelves{}, err
	}
	nodes, err := newNodes(w.desired, 1)
	if err != nil {
		return shelves{}, err
	}
	s := shelves{desired: w.desired, stores: storesOf(w.desired, nodes, protocol.Run{}), addresses: chosen}
	for _, address := range chosen {
		proofs, err := backup.Remembered(remembered.Memory, address)
		if err != nil {
			return shelves{}, err
		}
		s.proofs = append(s.proofs, proofs...)
	}
	return s, nil
}

func backupListCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "list", Usage: "list the bundles of each store, and which of them are proved",
		ArgsUsage:   "[NAME]",
		Description: "Proofs are those that the state remembers; what a store says of itself proves nothing.",
		Flags:       append(configurationFlags(), jsonFlag()),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if cmd.Args().Len() > 1 {
				return usage(cmd, "backup list takes one name, and there are %d arguments", cmd.Args().Len())
			}
			s, err := openShelves(ctx, env, cmd, cmd.Args().First())
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(ctx, observeTimeout)
			defer cancel()
			found, unknown := map[string]facts.Backups{}, 0
			var addresses []string
			for _, address := range s.addresses {
				addresses = append(addresses, address.String())
				found[address.String()] = s.stores.Observe(ctx, facts.BackupsQuestion{Address: address.String()})
				if found[address.String()].Unknown != "" {
					unknown++
				}
			}
			all := report.Bundles(addresses, found, s.proofs, env.now())
			if cmd.Bool("json") {
				err = report.JSON(env.stdout, all)
			} else {
				err = text.Bundles(env.stdout, all, styleOf(env, cmd))
			}
			if err == nil && unknown > 0 {
				return exit{code: exitError}
			}
			return err
		},
	}
}

// foundBundle is one bundle of a store of the configuration.
type foundBundle struct {
	desired config.Desired
	spec    backup.Spec
	store   store.Store
	label   bundle.Label
	proofs  []facts.Proof
}

// findBundle looks for the bundle that the one argument of a command names, in all stores of the configuration.
func findBundle(ctx context.Context, env environment, cmd *cli.Command) (foundBundle, error) {
	if cmd.Args().Len() != 1 {
		return foundBundle{}, usage(cmd, "backup %s takes one bundle; `upkeep backup list` lists them, and `latest` is the newest", cmd.Name)
	}
	wanted := cmd.Args().First()
	s, err := openShelves(ctx, env, cmd, "")
	if err != nil {
		return foundBundle{}, err
	}
	var newest foundBundle
	var silent []error
	for _, address := range s.addresses {
		spec, _ := s.stores.spec(address)
		opened, err := s.stores.open(spec)
		if err != nil {
			silent = append(silent, fmt.Errorf("%s: %w", address, err))
			continue
		}
		found, _, err := bundle.Find(ctx, opened)
		if err != nil {
			silent = append(silent, fmt.Errorf("%s: %w", address, err))
			continue
		}
		for _, f := range found {
			candidate := foundBundle{desired: s.desired, spec: spec, store: opened, label: f.Label, proofs: s.proofs}
			switch {
			case f.ID == wanted && f.Label.ID == "":
				return foundBundle{}, fmt.Errorf("bundle %s: %w", wanted, f.Problem)
			case f.ID == wanted:
				return candidate, nil
			case wanted == "latest" && f.Problem == nil && f.Label.TakenAt.After(newest.label.TakenAt):
				newest = candidate
			}
		}
	}
	switch {
	case len(silent) > 0:
		return foundBundle{}, errors.Join(silent...)
	case newest.store == nil && wanted == "latest":
		return foundBundle{}, errors.New("there is no bundle yet; `upkeep backup take` takes one")
	case newest.store == nil:
		return foundBundle{}, fmt.Errorf("no store of this configuration has a bundle %q; `upkeep backup list` lists them", wanted)
	}
	return newest, nil
}
