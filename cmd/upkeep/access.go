package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"

	"upkeep/cmd/upkeep/wiring"
	"upkeep/providers/node"
)

func accessCommand(env environment) *cli.Command {
	flags := append([]cli.Flag{
		&cli.StringFlag{Name: "user", Value: "upkeep", Usage: "the user for connections that name none"},
		&cli.BoolFlag{Name: "print", Usage: "print what to do on each node so that upkeep can reach it"},
		&cli.BoolFlag{Name: "kubernetes", Usage: "print three ClusterRoles instead: what observing, applying and measuring in a pod ask of the Kubernetes API; the last can read the wallet"},
		jsonFlag(),
	}, configurationFlags()...)
	return &cli.Command{
		Name: "access", Usage: "print the user, sudoers and known_hosts lines that let upkeep in",
		Description: "Changes nothing: it prints lines to read and to run by hand.",
		Flags:       flags,
		Action: func(_ context.Context, cmd *cli.Command) error {
			if !cmd.Bool("print") {
				return usage(cmd, "access only prints so far; write `upkeep access -print`")
			}
			if cmd.Bool("kubernetes") {
				return writeClusterRoles(env.stdout)
			}
			w, err := open(env, cmd)
			if err != nil {
				return err
			}
			client, err := newClient(1)
			if err != nil {
				return err
			}
			nodes := wiring.NewNodes(client, w.desired, nil)
			var targets []node.Target
			for _, n := range w.desired.Nodes {
				targets = append(targets, nodes.Target(n))
			}
			text, err := client.AccessLines(cmd.String("user"), targets)
			if err != nil {
				return err
			}
			if cmd.Bool("json") {
				return printJSON(env.stdout, struct {
					Lines []string `json:"lines"`
				}{strings.Split(strings.TrimSuffix(text, "\n"), "\n")})
			}
			_, err = fmt.Fprint(env.stdout, text)
			return err
		},
	}
}
