package main

import (
	"context"

	"github.com/urfave/cli/v3"
)

// app assembles the command line.
func app(env environment) *cli.Command {
	root := &cli.Command{
		Name:      "upkeep",
		Usage:     "keep a Kubernetes GPU provider in the state you declared",
		UsageText: "upkeep [-chdir=DIR] COMMAND [flags]",
		Description: "Declare what must hold in *.upkeep.hcl, read the plan, apply the plan you read.\n" +
			"`upkeep help COMMAND` says more; `upkeep help exit-codes` lists the exit codes.",
		Writer:                          env.stdout,
		ErrWriter:                       env.stderr,
		Reader:                          env.stdin,
		HideVersion:                     true,
		HideHelp:                        true, // help.go has it
		EnableShellCompletion:           true,
		ConfigureShellCompletionCommand: configureCompletion(env),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "chdir", Usage: "change to `DIR` first; every other path is then relative to it"},
			&cli.BoolFlag{Name: "version", Usage: "print the version"},
		},
		ExitErrHandler: func(context.Context, *cli.Command, error) {},
		Action: func(_ context.Context, cmd *cli.Command) error {
			if cmd.Bool("version") && !cmd.Args().Present() {
				return writeVersion(env, false)
			}
			return nothingAsked(env, cmd)
		},
	}
	for _, group := range []struct {
		name     string
		commands []*cli.Command
	}{
		{groupWork, []*cli.Command{
			planCommand(env), approveCommand(env), applyCommand(env), stopCommand(env), holdCommand(env), driftCommand(env),
			backupCommand(env),
		}},
		{groupLook, []*cli.Command{
			doctorCommand(env), statusCommand(env), showCommand(env), explainCommand(env), rehearseCommand(env), observeCommand(env),
			priceCommand(env), windowCommand(env), forecastCommand(env),
		}},
		{groupWrite, []*cli.Command{validateCommand(env), fmtCommand(env), schemaCommand(env), accessCommand(env)}},
		{groupRemember, []*cli.Command{
			stateCommand(env), forceUnlockCommand(env), marksCommand(env), nodeCommand(env), historyCommand(env),
		}},
		{groupOther, []*cli.Command{versionCommand(env), helpCommand(env)}},
	} {
		for _, command := range group.commands {
			command.Category = group.name
			root.Commands = append(root.Commands, command)
		}
	}
	prepare(env, root)
	return root
}
