package main

import (
	"context"

	"github.com/urfave/cli/v3"

	"upkeep/config"
)

func schemaCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "schema", Usage: "print every block type, its arguments and their types",
		Flags: []cli.Flag{jsonFlag()},
		Action: func(_ context.Context, cmd *cli.Command) error {
			if err := noArguments(cmd); err != nil {
				return err
			}
			types := blockTypes(domains())
			if cmd.Bool("json") {
				data, err := config.SchemaJSON(types)
				if err != nil {
					return err
				}
				_, err = env.stdout.Write(data)
				return err
			}
			_, err := env.stdout.Write([]byte(config.SchemaText(types)))
			return err
		},
	}
}
