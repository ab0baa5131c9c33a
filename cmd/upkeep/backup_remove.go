package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/urfave/cli/v3"

	"upkeep/providers"
	"upkeep/providers/backup"
	"upkeep/providers/backup/bundle"
	"upkeep/state"
)

// backupRemoveCommand removes what no policy removes: bundles that do not count. It also forgets bundles that are gone.
func backupRemoveCommand(env environment) *cli.Command {
	flags := []cli.Flag{
		&cli.BoolFlag{Name: "force", Usage: "do not ask"},
		&cli.BoolFlag{Name: "missing", Usage: "forget every proved bundle that is missing from its store"},
		lockTimeoutFlag(),
	}
	return &cli.Command{
		Name: "remove", Usage: "remove bundles by name, and forget bundles that are missing from their store",
		ArgsUsage: "[BUNDLE...]",
		Description: "BUNDLE is the full id of a bundle. `keep` removes proved bundles; this command is for the others: bundles that are not authentic, damaged, not proved or in the clear. " +
			"The newest proved bundle is never removed. upkeep forgets the proof of a bundle that is missing from its store (BACKUP_MISSING).",
		Flags: append(flags, configurationFlags()...),
		Action: func(ctx context.Context, cmd *cli.Command) (err error) {
			if (cmd.Args().Len() == 0) == !cmd.Bool("missing") {
				return usage(cmd, "backup remove takes full ids of bundles, or -missing")
			}
			s, err := openInventories(ctx, env, cmd, "")
			if err != nil {
				return err
			}
			chosen, err := s.toRemove(ctx, cmd.Args().Slice(), cmd.Bool("missing"))
			if err != nil {
				return err
			}
			if len(chosen) == 0 {
				_, err := fmt.Fprintln(env.stdout, "No proved bundle is missing.")
				return err
			}
			for _, c := range chosen {
				fmt.Fprintf(env.stdout, "  %s: %s\n", c.id, c.what)
			}
			if !cmd.Bool("force") {
				fmt.Fprint(env.stdout, "Remove them? Removed bundles cannot be restored.\n  Only 'yes' will be accepted.\n\n  Enter a value: ")
				if err := readYes(env); err != nil {
					return err
				}
			}
			return s.remove(ctx, cmd, chosen)
		},
	}
}

// removal is one bundle to remove, or to forget.
type removal struct {
	id, what string
	owner    providers.Address // whose memory may have a proof of it
	spec     backup.Spec
	gone     bool // from the store
}

// toRemove finds the bundles that are named, or all that are missing.
func (s inventories) toRemove(ctx context.Context, ids []string, missing bool) (out []removal, err error) {
	refused := map[string]error{}
	for _, address := range s.addresses {
		spec, _ := s.stores.spec(address)
		observed, err := s.look(ctx, spec)
		if err != nil {
			return nil, err
		}
		for _, p := range observed.Missing {
			if missing || slices.Contains(ids, p.Bundle) {
				out = append(out, removal{id: p.Bundle, what: "gone from " + observed.Store + ", to be forgotten", owner: address, spec: spec, gone: true})
			}
		}
		for _, j := range observed.Bundles {
			switch {
			case !slices.Contains(ids, j.ID):
			case j.Newest:
				return nil, fmt.Errorf("bundle %s is the newest proved one and is never removed", j.ID)
			case j.Status == backup.OtherBlock || j.Status == backup.OtherCluster:
				refused[j.ID] = fmt.Errorf("bundle %s is %s (%s); remove it with the configuration and the state of that one", j.ID, j.Status, j.Why)
			default:
				out = append(out, removal{id: j.ID, what: string(j.Status), owner: address, spec: spec})
			}
		}
	}
	for _, id := range ids {
		if slices.ContainsFunc(out, func(r removal) bool { return r.id == id }) {
			continue
		}
		if err := refused[id]; err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("no store of this configuration has a bundle %q, and none is missing; write its full name, as `upkeep backup list` prints it", id)
	}
	return out, nil
}

// remove removes bundles under the state's lock, each from its store first: a proof without its bundle is reported, a bundle
// without its proof is not.
func (s inventories) remove(ctx context.Context, cmd *cli.Command, chosen []removal) error {
	w, err := open(s.env, cmd)
	if err != nil {
		return err
	}
	return underLock(ctx, s.env, cmd, w, func(lock state.Lock) error {
		for _, c := range chosen {
			if err := s.removeOne(ctx, &memory{lock: lock}, c); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s inventories) removeOne(ctx context.Context, remembers *memory, c removal) error {
	if !c.gone {
		opened, err := s.stores.open(c.spec)
		if err != nil {
			return err
		}
		if err := bundle.Remove(ctx, opened, c.id); err != nil {
			return fmt.Errorf("remove bundle %s: %w", c.id, err)
		}
	}
	forget := func(old json.RawMessage) (json.RawMessage, error) { return backup.Without(c.owner, old, c.id) }
	if err := remembers.Remember(ctx, c.owner, forget); err != nil {
		return err
	}
	if c.gone {
		fmt.Fprintf(s.env.stdout, "Forgot %s.\n", c.id)
	} else {
		fmt.Fprintf(s.env.stdout, "Removed %s.\n", c.id)
	}
	return nil
}
