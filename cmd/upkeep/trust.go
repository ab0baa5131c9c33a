package main

import (
	"github.com/urfave/cli/v3"

	"upkeep/config"
)

// trustFlags say what a configuration may read of this machine. docs/what-a-plan-may-do.md says when which of them counts.
func trustFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "trusted", Usage: "read whatever files and environment variables the configuration names: it is your own"},
		&cli.StringSliceFlag{Name: "allow-env", Usage: "a configuration that is not trusted may read the environment variable `NAME`; may be repeated"},
	}
}

// trustOf returns how far the configuration is trusted. A plan from recorded facts is for review, and reviews what another
// person wrote. What looks at the cluster or applies has its user's power anyway; the configuration is that user's own.
func trustOf(cmd *cli.Command) (config.Trust, []string, error) {
	if !hasFlag(cmd, "trusted") {
		return config.Trusted, nil, nil
	}
	allowed := cmd.StringSlice("allow-env")
	switch {
	case !hasFlag(cmd, "facts"):
		if cmd.Bool("trusted") {
			return config.Trusted, nil, nil
		}
		return config.Unread, allowed, nil
	case cmd.String("facts") != "" && cmd.Bool("trusted") && cmd.Bool("untrusted"):
		return 0, nil, usage(cmd, "-trusted and -untrusted exclude one another")
	case cmd.String("facts") != "" && !cmd.Bool("trusted"):
		return config.Untrusted, allowed, nil
	case cmd.String("facts") != "":
		return config.Trusted, nil, nil
	}
	for _, name := range []string{"untrusted", "trusted", "allow-env"} {
		if cmd.IsSet(name) {
			return 0, nil, usage(cmd, "-%s needs -facts=FILE: without recorded facts, %s connects to the cluster with your credentials", name, cmd.Name)
		}
	}
	return config.Trusted, nil, nil
}
