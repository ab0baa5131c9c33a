package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/providers/kube"
	"upkeep/providers/node/protocol"
	"upkeep/state"
)

// claimDuration is how long a claim on the cluster lasts without renewal. A graceful stop of kube-apiserver alone may
// take most of a minute, and a Lease must outlast the restart of the API server that it is renewed through, twice over.
const claimDuration = 3 * time.Minute

// claimAttempt bounds one try to lock the nodes.
const claimAttempt = time.Minute

// claimer takes the claim on a cluster for a run: the Lease in it, or, with its API down, a lock on its control planes.
type claimer struct {
	env   environment
	plan  planner.Plan
	nodes *nodes
	run   protocol.Run
	who   string
}

// claimCluster takes the claim, waiting as long as -lock-timeout says. Its context is a child of the state lock's.
func claimCluster(ctx context.Context, env environment, cmd *cli.Command, plan planner.Plan, nodes *nodes, lock state.Lock) (*apply.Claim, error) {
	timeout, err := durationFlag(cmd, "lock-timeout")
	if err != nil {
		return nil, err
	}
	c := claimer{env: env, plan: plan, nodes: nodes, run: runOf(plan, lock), who: fmt.Sprintf("%s/%d", lock.Info().Who, os.Getpid())}
	end := time.Now().Add(timeout)
	told := false
	for pause := time.Second; ; pause = min(2*pause, 10*time.Second) {
		holding, err := c.take(ctx)
		if err == nil {
			return apply.Keep(lock.Context(), holding, claimDuration, nil), nil
		}
		if !keepsAway(err) {
			return nil, err
		}
		left := time.Until(end)
		if left <= 0 {
			return nil, exit{exitLocked, err}
		}
		if !told {
			fmt.Fprintf(env.stderr, "Waiting up to %s: %v\n", timeout, err)
			told = true
		}
		select {
		case <-lock.Context().Done():
			return nil, context.Cause(lock.Context())
		case <-time.After(min(pause, left)):
		}
	}
}

// runOf names a run to the nodes.
func runOf(plan planner.Plan, lock state.Lock) protocol.Run {
	return protocol.Run{Lineage: lock.State().Lineage, Generation: lock.Info().Generation, Plan: plan.ID}
}

// keepsAway reports whether an error says that another run has the cluster, or that this run's own locks are gone.
func keepsAway(err error) bool {
	var final interface{ Lost() bool }
	var lost *state.LostError
	var late *apply.ClaimLostError
	return errors.As(err, &final) && final.Lost() || errors.As(err, &lost) || errors.As(err, &late)
}

// fenceOf returns what is asked after a session has begun and before a changing request is sent: whether the run still holds
// its locks, and will for as long as the node may take the request. The claim may be nil where there is none.
func fenceOf(lock state.Lock, claim *apply.Claim) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := lock.Check(ctx); err != nil {
			return err
		}
		if claim != nil {
			if err := claim.Check(ctx); err != nil {
				return err
			}
		}
		left := time.Until(lock.Info().Expires) // only now: asking takes time, too
		if claim != nil {
			left = min(left, claim.Left())
		}
		if left < protocol.ChangeWithin {
			return fmt.Errorf("the locks of this run end in %s without another renewal, and a request may be under way for %s; nothing is begun any more", max(left, 0).Round(time.Second), protocol.ChangeWithin)
		}
		return nil
	}
}

// take takes the Lease, or the locks of the control planes where the API does not answer.
func (c claimer) take(ctx context.Context) (apply.Holding, error) {
	lease, err := c.lease(ctx)
	var down *kube.UnreachableError
	if err == nil || !errors.As(err, &down) {
		return lease, err
	}
	names := c.controlPlanes()
	fmt.Fprintf(c.env.stderr, "Note: the cluster's API does not answer (%v); other runs are kept away by a lock on %s.\n", err, strings.Join(names, ", "))
	attempt, cancel := context.WithTimeout(ctx, claimAttempt)
	defer cancel()
	locks, err := apply.LockNodes(attempt, c.nodes, names, protocol.LockRequest{
		Lineage: c.run.Lineage, Generation: c.run.Generation, Holder: c.who, Seconds: int(claimDuration / time.Second),
	})
	if err != nil {
		return nil, err
	}
	return &apply.Upgrade{First: locks, Take: c.lease}, nil
}

// lease takes the Lease. A cluster without a kubeconfig that can be read has an API that is as good as down.
func (c claimer) lease(ctx context.Context) (apply.Holding, error) {
	cluster := c.plan.Request.Desired.Cluster
	if cluster == nil {
		return nil, &kube.UnreachableError{Server: "no cluster", Cause: errors.New("the configuration has no cluster block")}
	}
	client, err := kube.Open(cluster.Kubeconfig, cluster.Context)
	if err != nil {
		return nil, &kube.UnreachableError{Server: cluster.Kubeconfig, Cause: err}
	}
	lease, err := client.AcquireLease(ctx, kube.LeaseRequest{
		Holder: c.who, Lineage: c.run.Lineage, Generation: c.run.Generation, Plan: c.run.Plan, Duration: claimDuration,
		Watching: func(h kube.LeaseHolder) {
			fmt.Fprintf(c.env.stderr, "The Lease of %s (plan %s) has expired by this machine's clock; watching for %s whether it is renewed.\n", h.Holder, h.Plan, h.Duration)
		},
	})
	if err != nil {
		return nil, err // not the nil *kube.Lease: that would be a Holding
	}
	return lease, nil
}

// controlPlanes names the control planes of the plan; without any, the nodes that its steps change.
func (c claimer) controlPlanes() (names []string) {
	for _, node := range c.nodes.inventory(c.plan.Request.Desired, c.plan.Request.World).Nodes {
		if slices.Contains(node.Roles, "control-plane") {
			names = append(names, node.Name)
		}
	}
	if len(names) > 0 {
		return names
	}
	for _, step := range c.plan.Steps {
		if step.Node != "" && !slices.Contains(names, step.Node) {
			names = append(names, step.Node)
		}
	}
	return names
}

// Lock implements apply.NodeLocker: a helper says who is in the way in its result, and any error means that this node
// cannot be locked, so that it cannot be changed either.
func (n *nodes) Lock(ctx context.Context, name string, request protocol.LockRequest) (protocol.LockResult, error) {
	var result protocol.LockResult
	err := n.Call(ctx, name, protocol.MethodLock, request, &result, nil, nil)
	return result, err
}

// runCaller sends requests to nodes as a part of one run. It is the only way for operations to a node: a request that
// cannot name its run is not sent, and no domain needs to know of runs.
type runCaller struct {
	nodes *nodes
	run   protocol.Run
	fence func(context.Context) error
}

// Call implements the callers that domains ask for.
func (c runCaller) Call(ctx context.Context, node, method string, request, result any, progress func(string)) error {
	changing, ok := request.(protocol.Changing)
	if !ok {
		return fmt.Errorf("request %s to %s does not say which run it belongs to, so it was not sent", method, node)
	}
	return c.nodes.Call(ctx, node, method, changing.InRun(c.run), result, progress, c.fence)
}
