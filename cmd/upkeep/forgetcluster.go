package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v3"

	"upkeep/providers/facts"
	"upkeep/state"
)

// forgetClusterCommand lets a state belong to another cluster, or to one whose CA was rotated.
func forgetClusterCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "forget-cluster", Usage: "forget which cluster the state belongs to; the next apply remembers the one that it finds",
		Description: "For a cluster that was rebuilt, or whose CA was rotated. For another cluster use another state path.",
		Flags:       append([]cli.Flag{&cli.BoolFlag{Name: "force", Usage: "do not ask"}, lockTimeoutFlag()}, configurationFlags()...),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			w, err := open(env, cmd)
			if err != nil {
				return err
			}
			backend, err := stateBackend(w)
			if err != nil {
				return err
			}
			remembered, err := backend.Read(ctx)
			if err != nil {
				return err
			}
			cluster := remembered.Memory.Cluster
			if cluster.IsZero() {
				_, err := fmt.Fprintf(env.stdout, "The state %s belongs to no cluster yet.\n", backend.Describe())
				return err
			}
			if !cmd.Bool("force") {
				fmt.Fprintf(env.stdout, "The state %s belongs to the cluster with\n%s"+
					"Work planned for one cluster must not be done to another. Forget which one it is?\n"+
					"  Only 'yes' will be accepted.\n\n  Enter a value: ", backend.Describe(), identityLines(cluster))
				if err := readYes(env); err != nil {
					return err
				}
			}
			return underLock(ctx, env, cmd, w, func(lock state.Lock) error {
				next := lock.State()
				if next.Memory.Cluster != cluster {
					return errors.New("another run changed which cluster the state belongs to; look again with `upkeep state show`")
				}
				next.Memory.Cluster = facts.Identity{}
				if err := writeState(ctx, lock, next); err != nil {
					return err
				}
				_, err := fmt.Fprintln(env.stdout, "Forgotten. The next apply remembers the cluster that it finds.")
				return err
			})
		},
	}
}

// identityLines spells the known parts of an identity, a line for each.
func identityLines(i facts.Identity) (text string) {
	for _, part := range []struct{ what, value string }{
		{"CA (SHA-256)", i.Authority}, {"kube-system uid", i.KubeSystemUID}, {"etcd cluster id", i.EtcdClusterID},
	} {
		if part.value != "" {
			text += fmt.Sprintf("  %-16s %s\n", part.what, part.value)
		}
	}
	return text
}
