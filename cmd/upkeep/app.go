package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"
)

// app assembles the command line.
func app(env environment) *cli.Command {
	root := &cli.Command{
		Name:                      "upkeep",
		Usage:                     "keep a Kubernetes GPU provider in the state you declared",
		UsageText:                 "upkeep [-chdir=DIR] COMMAND [flags]",
		Description:               "Declare what must hold in *.upkeep.hcl, read the plan, apply the plan you read.\n`upkeep help exit-codes` lists the exit codes.",
		Writer:                    env.stdout,
		ErrWriter:                 env.stderr,
		Reader:                    env.stdin,
		HideVersion:               true,
		Suggest:                   true,
		DisableSliceFlagSeparator: true,
		EnableShellCompletion:     true,
		ConfigureShellCompletionCommand: func(c *cli.Command) {
			c.Hidden = false
			c.Usage = "print a completion script: bash, zsh, fish or pwsh"
		},
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "chdir", Usage: "work in `DIR` instead of the current directory"},
		},
		ExitErrHandler: func(context.Context, *cli.Command, error) {},
		CommandNotFound: func(_ context.Context, _ *cli.Command, name string) {
			fmt.Fprintf(env.stderr, "upkeep: there is no command %q\n", name)
		},
		Action: func(_ context.Context, cmd *cli.Command) error {
			if name := cmd.Args().First(); name != "" {
				return unknownCommand(cmd, name)
			}
			return cli.ShowAppHelp(cmd)
		},
	}
	root.Commands = []*cli.Command{
		planCommand(env), applyCommand(env), rehearseCommand(env), driftCommand(env), statusCommand(env),
		observeCommand(env), showCommand(env), validateCommand(env), fmtCommand(env), stateCommand(env),
		forceUnlockCommand(env), accessCommand(env), schemaCommand(env), versionCommand(env), exitCodesTopic(env),
	}
	for _, command := range root.Commands {
		command.OnUsageError = usageError
		command.DisableSliceFlagSeparator = true
	}
	root.OnUsageError = usageError
	return root
}

func unknownCommand(root *cli.Command, name string) error {
	if suggestion := cli.SuggestCommand(root.Commands, name); suggestion != "" {
		return fmt.Errorf("there is no command %q; did you mean `upkeep %s`?", name, suggestion)
	}
	return fmt.Errorf("there is no command %q; `upkeep help` lists them", name)
}

func usageError(_ context.Context, cmd *cli.Command, err error, _ bool) error {
	text := strings.TrimPrefix(err.Error(), "flag provided but not defined: ")
	if text != err.Error() {
		text = "there is no flag " + text
		name := strings.TrimLeft(strings.TrimPrefix(err.Error(), "flag provided but not defined: "), "-")
		if suggestion := cli.SuggestFlag(cmd.Flags, name, false); suggestion != "" {
			text += fmt.Sprintf("; did you mean -%s?", strings.TrimLeft(suggestion, "-"))
		}
	}
	return usage(cmd, "%s", text)
}

// exitCodesTopic is help, not work; `upkeep help exit-codes` finds it.
func exitCodesTopic(env environment) *cli.Command {
	return &cli.Command{
		Name: "exit-codes", Hidden: true, Usage: "what upkeep's exit codes mean",
		CustomHelpTemplate: exitCodesHelp,
		Action: func(context.Context, *cli.Command) error {
			_, err := fmt.Fprint(env.stdout, exitCodesHelp)
			return err
		},
	}
}
