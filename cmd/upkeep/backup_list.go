package main

import (
	"context"
	"slices"

	"github.com/urfave/cli/v3"

	"upkeep/planner/report"
	"upkeep/planner/report/text"
	"upkeep/providers/facts"
)

func backupListCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "list", Usage: "list the bundles of each store, what each counts for and why it is kept",
		ArgsUsage: "[NAME]",
		Description: "A bundle counts if it is authentic (signed by a key of the state, or proved as the state remembers), proved, of this cluster and block, and not from the future. " +
			"What a store says of itself proves nothing.",
		Flags: append(configurationFlags(), jsonFlag()),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if cmd.Args().Len() > 1 {
				return usage(cmd, "backup list takes one name, and there are %d arguments", cmd.Args().Len())
			}
			s, err := openInventories(ctx, env, cmd, cmd.Args().First())
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(ctx, observeTimeout)
			defer cancel()
			all := s.list(ctx)
			if cmd.Bool("json") {
				err = report.JSON(env.stdout, all)
			} else {
				err = text.Bundles(env.stdout, all, styleOf(env, cmd))
			}
			if err == nil {
				err = noteKey(env, s.desired, s.remembered)
			}
			if err == nil {
				err = ending(verdictExit(all.Status, exitChanges))
			}
			return err
		},
	}
}

// list returns what every store holds.
func (s inventories) list(ctx context.Context) report.BundlesJSON {
	var stores []report.StoreJSON
	for _, address := range s.addresses {
		spec, _ := s.stores.spec(address)
		judged := s.judge(spec, s.stores.Observe(ctx, facts.BackupsQuestion{Address: address.String()}))
		of := report.StoreJSON{
			Address: address.String(), Store: judged.Store, Unknown: judged.Unknown, Bundles: []report.BundleJSON{},
			Strays: append([]facts.Stray{}, judged.Strays...), Missing: judged.Missing,
		}
		for _, j := range slices.Backward(judged.Bundles) {
			of.Bundles = append(of.Bundles, view(s.env, j))
		}
		stores = append(stores, of)
	}
	return report.Bundles(s.env.now().UTC(), stores)
}
