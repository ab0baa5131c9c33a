package main

import (
	"fmt"
	"regexp"
	"time"

	"github.com/urfave/cli/v3"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/providers/akash/price"
	"upkeep/providers/akash/quote"
	"upkeep/providers/backup"
	"upkeep/providers/facts"
	"upkeep/providers/plain"
	"upkeep/state/journal"
)

// flagValues judges the values of flags, by the flag's name, before a command does or reads anything: a mistake on the
// command line is told whatever else there is, also where the value would not have been needed. A flag that is here
// means the same in every command that has it, but for the checks that look at the command.
var flagValues = map[string]func(cmd *cli.Command, value string) error{
	"accept":          lineOfText,
	"against-version": priceVersion,
	"akt-price": func(_ *cli.Command, value string) error {
		if err := price.CheckAKT(value); err != nil {
			return fmt.Errorf("%w; write USD for one AKT, such as 0.85", err)
		}
		return nil
	},
	"allow-env": func(_ *cli.Command, value string) error {
		if !environmentName.MatchString(value) {
			return fmt.Errorf("%q is not the name of an environment variable", value)
		}
		return nil
	},
	"at": func(_ *cli.Command, value string) error {
		_, err := instantOf(value)
		return err
	},
	"exclude": address,
	"expect": func(_ *cli.Command, value string) error {
		_, err := planner.ParseExpectations([]string{value})
		return err
	},
	"fault": func(_ *cli.Command, value string) error {
		_, err := planner.ParseFault(value)
		return err
	},
	"for": func(_ *cli.Command, value string) error {
		_, err := config.ParseDuration(value)
		return err
	},
	"gpu": func(_ *cli.Command, value string) error {
		if !fleetGPU.MatchString(value) {
			return fmt.Errorf("%q names no model; write it as the labels of the nodes do: "+
				"a100, a100.80Gi, a100.80Gi.sxm, amd/mi100", value)
		}
		return nil
	},
	"level": func(_ *cli.Command, value string) error {
		if value != backup.LevelHash && value != backup.LevelRestore {
			return fmt.Errorf("%q: the levels are hash and restore", value)
		}
		return nil
	},
	"member": func(_ *cli.Command, value string) error {
		_, err := peers([]string{value})
		return err
	},
	"override": func(_ *cli.Command, value string) error {
		_, err := planner.ParseOverride(value, domains())
		return err
	},
	"owner": lineOfText,
	"proxy-jump": func(_ *cli.Command, value string) error {
		if !config.ValidJump(value) {
			return fmt.Errorf("%q is not a list of jump hosts; write [USER@]HOST[:PORT], with commas between them", value)
		}
		return nil
	},
	"public-key": func(_ *cli.Command, value string) error {
		_, err := facts.ParsePublicKey(value)
		return err
	},
	"reason":  lineOfText,
	"replace": address,
	"revoke":  func(_ *cli.Command, value string) error { return journal.CheckPlanID(value) },
	"run": func(_ *cli.Command, value string) error {
		if value == latestRun {
			return nil
		}
		return journal.CheckPlanID(value)
	},
	"script-version": priceVersion,
	"target":         address,
	"to": func(cmd *cli.Command, value string) error {
		if cmd.Name != "migrate" {
			return nil // of backup restore it is a directory
		}
		return priceVersion(cmd, value)
	},
	"until": func(cmd *cli.Command, value string) (err error) {
		if cmd.Name == "approve" {
			_, err = instant(value)
		} else {
			_, err = config.ParseUntil(value)
		}
		return err
	},
	"user": func(_ *cli.Command, value string) error {
		if !config.ValidUser(value) {
			return fmt.Errorf("%q is not the name of a user", value)
		}
		return nil
	},
	"without-backup": lineOfText,
}

// largest bounds the flags that are numbers.
var largest = map[string]int{"port": 65535, "parallelism": 10000, "next": mostOpenings}

// latestRun is what -run calls the newest run.
const latestRun = "last"

var environmentName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func address(_ *cli.Command, value string) error {
	_, err := facts.ParseAddress(value)
	return err
}

func priceVersion(_ *cli.Command, value string) error {
	if _, ok := price.ParseVersion(value); !ok {
		return fmt.Errorf("%q is no version of the script; there are %s", value, quote.VersionWords())
	}
	return nil
}

// lineOfText refuses what a report could not show.
func lineOfText(_ *cli.Command, value string) error {
	if shown := plain.Line(value); shown != value {
		return fmt.Errorf("%q holds a character that cannot be printed; write one line of text", shown)
	}
	return nil
}

// instantOf reads a time of the command line.
func instantOf(text string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf("%q is not a time; write it as in 2026-12-24T02:00:00Z", text)
	}
	return at, nil
}
