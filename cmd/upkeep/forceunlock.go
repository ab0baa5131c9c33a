package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v3"

	"upkeep/providers/plain"
)

func forceUnlockCommand(env environment) *cli.Command {
	flags := append([]cli.Flag{&cli.BoolFlag{Name: "force", Usage: "do not ask"}, jsonFlag()}, configurationFlags()...)
	return &cli.Command{
		Name: "force-unlock", Usage: "remove the state lock of a run that crashed",
		ArgsUsage: "LOCK_ID",
		Flags:     flags,
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if cmd.Args().Len() != 1 {
				return usage(cmd, "force-unlock takes the id of the lock, which the locked command printed")
			}
			if cmd.Bool("json") && !cmd.Bool("force") {
				return usage(cmd, "with -json nobody can be asked; give -force as well")
			}
			w, err := open(env, cmd)
			if err != nil {
				return err
			}
			backend, err := stateBackend(w)
			if err != nil {
				return err
			}
			if !cmd.Bool("force") {
				fmt.Fprintf(env.stdout, "If the run that holds this lock is alive, two runs would work on one cluster.\nRemove lock %s of %s?\n  Only 'yes' will be accepted.\n\n  Enter a value: ", cmd.Args().First(), backend.Describe())
				if err := readYes(env); err != nil {
					return err
				}
			}
			info, err := backend.ForceUnlock(ctx, cmd.Args().First())
			if err != nil {
				return err
			}
			plain.In(&info, plain.Line)
			if cmd.Bool("json") {
				return printJSON(env.stdout, info)
			}
			_, err = fmt.Fprintf(env.stdout, "Removed the lock %s of %s, process %d (%s).\n", info.ID, info.Who, info.PID, info.Operation)
			return err
		},
	}
}
