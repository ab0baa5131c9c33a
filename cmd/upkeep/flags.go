package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"upkeep/config"
	"upkeep/providers/plain"
)

// noArguments refuses words that a command has no use for: they are more often a mistyped flag than meant.
func noArguments(cmd *cli.Command) error {
	if cmd.Args().Present() {
		return usage(cmd, "%s takes no argument, and there is %q", cmd.Name, cmd.Args().First())
	}
	return nil
}

// checkLine refuses what stands on a command line and cannot be meant: a word that nobody reads, and a flag whose value is
// empty (an unset variable of a script), no duration, or no number of nodes.
func checkLine(cmd *cli.Command) error {
	if len(cmd.Commands) == 0 && cmd.ArgsUsage == "" {
		if err := noArguments(cmd); err != nil {
			return err
		}
	}
	if slices.Contains(cmd.Args().Slice(), "") {
		return usage(cmd, "an argument is empty")
	}
	for _, c := range cmd.Lineage() {
		for _, flag := range c.Flags {
			if !flag.IsSet() {
				continue
			}
			if err := checkFlag(cmd, flag); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkFlag(cmd *cli.Command, flag cli.Flag) error {
	name := flag.Names()[0]
	var values []string
	switch flag := flag.(type) {
	case *cli.StringFlag:
		values = []string{cmd.String(name)}
		if what, _ := placeholder(flag.Usage); what == "DURATION" && strings.TrimSpace(values[0]) != "" {
			if _, err := durationFlag(cmd, name); err != nil {
				return err
			}
		}
	case *cli.StringSliceFlag:
		values = cmd.StringSlice(name)
	case *cli.IntFlag:
		n := cmd.Int(name)
		if most := largest[name]; most > 0 && (n < 1 || n > most) {
			return usage(cmd, "-%s=%d: write a number from 1 to %d", name, n, most)
		}
		if n < 1 {
			return usage(cmd, "-%s=%d: write a number from 1", name, n)
		}
	}
	for _, value := range values {
		if strings.TrimSpace(value) == "" {
			return usage(cmd, "-%s is empty; give a value, or leave the flag out", name)
		}
		if check := flagValues[name]; check != nil {
			if err := check(cmd, value); err != nil {
				return usage(cmd, "%s", valueText(name, value, err))
			}
		}
	}
	return nil
}

// valueText says what is wrong with the value of a flag: "-at=now is not a time".
func valueText(name, value string, err error) string {
	text := err.Error()
	if rest, quoted := strings.CutPrefix(text, strconv.Quote(value)); quoted {
		return "-" + name + "=" + plain.Line(value) + rest
	}
	if strings.HasPrefix(text, "-"+name) {
		return text
	}
	return "-" + name + ": " + text
}

// enter makes the directory of -chdir the current one, as Terraform does: every other path of the command line is then meant
// against that directory.
func enter(cmd *cli.Command) error {
	directory := cmd.Root().String("chdir")
	if directory == "" {
		return nil
	}
	absolute, err := filepath.Abs(directory)
	if err != nil {
		return err
	}
	if info, err := os.Stat(absolute); err != nil || !info.IsDir() {
		return fmt.Errorf("-chdir=%s: there is no such directory", directory)
	}
	if err := os.Chdir(absolute); err != nil {
		return fmt.Errorf("-chdir=%s: %w", directory, err)
	}
	return os.Setenv("PWD", absolute) // ssh and its like are told the name that the user gave
}

// durationFlag reads a flag that holds a duration in the language's spelling.
func durationFlag(cmd *cli.Command, name string) (time.Duration, error) {
	d, err := config.ParseDuration(cmd.String(name))
	if err != nil {
		return 0, fmt.Errorf("-%s: %w", name, err)
	}
	return time.Duration(d), nil
}
