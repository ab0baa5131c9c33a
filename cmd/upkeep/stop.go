package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"upkeep/providers/claim"
	"upkeep/providers/kube"
	"upkeep/providers/plain"
	"upkeep/state"
	"upkeep/state/local"
	"upkeep/state/seen"
)

// stopCommand asks a run that goes on, here or on another machine, to stop.
func stopCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "stop", Usage: "ask the run that is in progress to stop: no new node is started",
		Description: "Writes the request to the state and to the cluster's Lease, so it works from every machine that\n" +
			"reaches one of them. Nodes in progress run to their next safe point, and guards end. The run\n" +
			"hears of it within seconds, and through the Lease within a minute. It then exits 130.\n" +
			"An approval under which it runs is taken back, so that no timer starts it again.",
		Flags: append([]cli.Flag{&cli.StringFlag{Name: "reason", Usage: "say why, in `TEXT`; the run prints it"}},
			configurationFlags()...),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if cmd.Args().Present() {
				return usage(cmd, "stop takes no argument")
			}
			w, err := open(env, cmd)
			if err != nil {
				return err
			}
			return stopRun(ctx, env, w, strings.TrimSpace(plain.Line(cmd.String("reason"))))
		},
	}
}

// stopRun asks through the state and through the Lease. Where the one has no run and the other cannot be asked, nobody
// knows whether something goes on, and that is an error.
func stopRun(ctx context.Context, env environment, w workspace, reason string) error {
	backend, err := stateBackend(w)
	if err != nil {
		return err
	}
	who := local.Who()
	here, err := stopThroughState(ctx, env, backend, who, reason)
	if err != nil {
		return err
	}
	there, unasked := stopThroughLease(ctx, env, w, who, reason)
	switch {
	case unasked != nil && !here:
		return fmt.Errorf("nothing is in progress with the state %s, and the Lease could not be asked: %w",
			backend.Describe(), unasked)
	case unasked != nil:
		fmt.Fprintf(env.stderr, "Note: the Lease could not be asked: %v\n", unasked)
	case !here && !there:
		_, err := fmt.Fprintln(env.stdout, "No run is in progress, so nothing was asked to stop.")
		return err
	}
	_, err = fmt.Fprintln(env.stdout, "It starts no new node. See what is left: upkeep status -run=last")
	return err
}

func stopThroughState(ctx context.Context, env environment, backend state.Backend, who, reason string) (bool, error) {
	holder, held, err := backend.Holder(ctx)
	if err != nil || !held || holder.Stale != "" {
		return false, err
	}
	request := &seen.Stop{Lock: holder.ID, Who: who, At: env.now().UTC(), Reason: reason}
	if _, err := backend.UpdateSeen(ctx, func(s seen.Seen) seen.Seen { s.Stop = request; return s }); err != nil {
		return false, fmt.Errorf("writing the request: %w", err)
	}
	_, err = fmt.Fprintf(env.stdout, "Asked the run of %s to stop (%s, process %d, since %s).\n",
		plain.Line(holder.Who), plain.Line(holder.Operation), holder.PID, holder.Created.UTC().Format(time.RFC3339))
	return true, err
}

func stopThroughLease(ctx context.Context, env environment, w workspace, who, reason string) (bool, error) {
	cluster := w.desired.Cluster
	if cluster == nil {
		return false, fmt.Errorf("the configuration has no cluster block")
	}
	client, err := kube.Open(cluster.Kubeconfig, cluster.Context)
	if err != nil {
		return false, err
	}
	holder, asked, err := client.AskStop(ctx, saidBy(who, reason))
	if asked {
		fmt.Fprintf(env.stdout, "Asked through the Lease: %s works on plan %s.\n",
			plain.Line(holder.Holder), plain.Line(holder.Plan))
	}
	return asked, err
}

func saidBy(who, reason string) string {
	if reason == "" {
		return who
	}
	return who + ": " + reason
}

// stopLook is how often a run looks whether somebody asks it to stop.
const stopLook = 2 * time.Second

// stopWhenAsked stops a run that somebody asks to stop. It returns with the context.
func stopWhenAsked(ctx context.Context, env environment, backend state.Backend, lock state.Lock, claim *claim.Claim, halt *halt) {
	for {
		if by := stopAskedBy(ctx, backend, lock, claim); by != "" && halt.asked() {
			fmt.Fprintf(env.stderr, "\nStop, asked by %s: no new node is started. "+
				"Nodes in progress run to their next safe point, and guards end.\n", plain.Said(by))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(stopLook):
		}
	}
}

// stopAskedBy is who wants the run to stop, and why; empty: nobody does, as far as can be read.
func stopAskedBy(ctx context.Context, backend state.Backend, lock state.Lock, claim *claim.Claim) string {
	if known, err := backend.Seen(ctx); err == nil && known.Stop != nil && known.Stop.Lock == lock.Info().ID {
		return saidBy(known.Stop.Who, known.Stop.Reason)
	}
	return claim.StopAsked()
}
