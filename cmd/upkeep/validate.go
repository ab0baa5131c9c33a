package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/urfave/cli/v3"
)

func validateCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "validate", Usage: "check the configuration; look at nothing else",
		Flags: slices.Concat([]cli.Flag{jsonFlag()}, trustFlags(), configurationFlags()),
		Action: func(_ context.Context, cmd *cli.Command) error {
			directory, err := directoryOf(cmd)
			if err != nil {
				return err
			}
			result, err := load(env, cmd, directory, domains())
			if err != nil {
				return err
			}
			if cmd.Bool("json") {
				return result.printJSON(env)
			}
			if err := result.print(env, cmd); err != nil {
				return err
			}
			_, err = fmt.Fprintln(env.stdout, "Success! The configuration is valid.")
			return err
		},
	}
}
