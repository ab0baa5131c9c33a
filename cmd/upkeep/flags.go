package main

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v3"

	"upkeep/config"
)

// noArguments refuses words that a command has no use for: they are more often a mistyped flag than meant.
func noArguments(cmd *cli.Command) error {
	if cmd.Args().Present() {
		return usage(cmd, "%s takes no argument, and there is %q", cmd.Name, cmd.Args().First())
	}
	return nil
}

// durationFlag reads a flag that holds a duration in the language's spelling.
func durationFlag(cmd *cli.Command, name string) (time.Duration, error) {
	d, err := config.ParseDuration(cmd.String(name))
	if err != nil {
		return 0, fmt.Errorf("-%s: %w", name, err)
	}
	return time.Duration(d), nil
}
