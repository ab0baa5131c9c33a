package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v3"

	"upkeep/cmd/upkeep/wiring"
	"upkeep/planner"
	"upkeep/providers/claim"
	"upkeep/providers/kube"
	"upkeep/providers/node/protocol"
	"upkeep/providers/plain"
	"upkeep/state"
)

// claimCluster takes the claim, waiting as long as -lock-timeout says. Its context is a child of the state lock's.
func claimCluster(ctx context.Context, env environment, cmd *cli.Command, plan planner.Plan, nodes *wiring.Nodes, lock state.Lock) (*claim.Claim, error) {
	timeout, err := durationFlag(cmd, "lock-timeout")
	if err != nil {
		return nil, err
	}
	run, who := wiring.RunOf(lock, plan.ID), fmt.Sprintf("%s/%d", lock.Info().Who, os.Getpid())
	locked, why := planner.LockedNodes(plan.Steps, plan.Request.Input(nil))
	held, err := wiring.Claimer{
		Run: run, Who: who, Locker: nodes, Nodes: locked, NoNodes: why,
		Lease: func(ctx context.Context) (claim.Holding, error) {
			return takeLease(ctx, env, plan, run, who, duringHold(cmd))
		},
		Note: func(line string) { fmt.Fprintln(env.stderr, plain.Line(line)) },
	}.Claim(ctx, lock.Context(), timeout)
	if wiring.ClusterLost(err) {
		return nil, exit{exitLocked, err}
	}
	return held, err
}

// takeLease takes the Lease. A cluster without a kubeconfig that can be read has an API that is as good as down.
func takeLease(
	ctx context.Context, env environment, plan planner.Plan, run protocol.Run, who string, duringHold bool,
) (claim.Holding, error) {
	cluster := plan.Request.Desired.Cluster
	if cluster == nil {
		return nil, &kube.UnreachableError{Server: "no cluster", Cause: errors.New("the configuration has no cluster block")}
	}
	client, err := kube.Open(cluster.Kubeconfig, cluster.Context)
	if err != nil {
		return nil, &kube.UnreachableError{Server: cluster.Kubeconfig, Cause: err}
	}
	lease, err := client.AcquireLease(ctx, kube.LeaseRequest{
		Holder: who, Lineage: run.Lineage, Generation: run.Generation, Plan: run.Plan, Duration: wiring.ClaimDuration,
		DuringHold: duringHold,
		Watching: func(h kube.LeaseHolder) {
			fmt.Fprintf(env.stderr, "The Lease of %s (plan %s) has expired by this machine's clock; watching for %s whether it is renewed.\n", plain.Line(h.Holder), plain.Line(h.Plan), h.Duration)
		},
	})
	if err != nil {
		return nil, err // not the nil *kube.Lease: that would be a Holding
	}
	return lease, nil
}
