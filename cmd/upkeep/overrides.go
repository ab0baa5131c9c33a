package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"

	"upkeep/planner"
)

// overrideFlag lets one apply go without a safety rule.
func overrideFlag() cli.Flag {
	return &cli.StringSliceFlag{
		Name:  "override",
		Usage: "override a safety rule for this run: `RULE[@NODE]=REASON`, where RULE is " + strings.Join(planner.OverridableRules(domains()), ", ") + "; recorded; may be repeated",
	}
}

// overrides reads the flag; nothing for a command that does not have it.
func overrides(cmd *cli.Command) ([]planner.Override, error) {
	if !hasFlag(cmd, "override") {
		return nil, nil
	}
	var out []planner.Override
	for _, text := range cmd.StringSlice("override") {
		o, err := planner.ParseOverride(text, domains())
		if err != nil {
			return nil, fmt.Errorf("-override: %w", err)
		}
		out = append(out, o)
	}
	return out, nil
}
