package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v3"

	"upkeep/providers/facts"
)

// forgetClusterCommand lets a state belong to another cluster, or to one whose CA was rotated.
func forgetClusterCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "forget-cluster", Usage: "forget which cluster the state belongs to; the next apply remembers the one that it finds",
		Description: "For a cluster that was rebuilt, or whose CA was rotated. For another cluster use another state path.",
		Flags:       append([]cli.Flag{&cli.BoolFlag{Name: "force", Usage: "do not ask"}, lockTimeoutFlag()}, configurationFlags()...),
		Action: func(ctx context.Context, cmd *cli.Command) (err error) {
			w, err := open(env, cmd)
			if err != nil {
				return err
			}
			backend, err := stateBackend(w)
			if err != nil {
				return err
			}
			lock, err := takeLock(ctx, env, cmd, backend, "forget-cluster", w.key)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, lock.Unlock()) }()
			s := lock.State()
			if s.Memory.Cluster.IsZero() {
				_, err := fmt.Fprintf(env.stdout, "The state %s belongs to no cluster yet.\n", backend.Describe())
				return err
			}
			if !cmd.Bool("force") {
				fmt.Fprintf(env.stdout, "The state %s belongs to the cluster with\n%s\nWork planned for one cluster must not be done to another. Forget which one it is?\n  Only 'yes' will be accepted.\n\n  Enter a value: ",
					backend.Describe(), identityLines(s.Memory.Cluster))
				if err := readYes(env); err != nil {
					return err
				}
			}
			s.Memory.Cluster = facts.Identity{}
			if _, err := lock.Write(ctx, s); err != nil {
				return err
			}
			_, err = fmt.Fprintln(env.stdout, "Forgotten. The next apply remembers the cluster that it finds.")
			return err
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

func lockTimeoutFlag() cli.Flag {
	return &cli.StringFlag{Name: "lock-timeout", Value: "0s", Usage: "wait up to `DURATION` for locks that others hold"}
}
