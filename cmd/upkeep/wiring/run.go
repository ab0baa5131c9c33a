package wiring

import (
	"context"
	"errors"
	"fmt"
	"time"

	"upkeep/providers"
	"upkeep/providers/claim"
	"upkeep/providers/node/protocol"
	"upkeep/state"
)

// RunOf names a run to the nodes: the state that it works with, the generation of its lock, and its plan.
func RunOf(lock state.Lock, plan string) protocol.Run {
	return protocol.Run{Lineage: lock.State().Lineage, Generation: lock.Info().Generation, Plan: plan}
}

// Caller sends requests to nodes as a part of one run. It is the only way for operations to a node: a request that
// cannot name its run is not sent, and no domain needs to know of runs.
type Caller struct {
	Nodes *Nodes
	Run   protocol.Run
	// Fence is asked after a session has begun and before a request is sent.
	Fence func(context.Context) error
}

// Call implements the callers that domains ask for.
func (c Caller) Call(ctx context.Context, node, method string, request, result any, progress func(string)) error {
	changing, ok := request.(protocol.Changing)
	if !ok {
		return fmt.Errorf("request %s to %s does not say which run it belongs to, so it was not sent", method, node)
	}
	return c.Nodes.Call(ctx, node, method, changing.InRun(c.Run), result, progress, c.Fence)
}

// Fence returns what is asked after a session has begun and before a changing request is sent: whether the run still holds
// its locks, and will for as long as the node may take the request. The claim may be nil where there is none.
func Fence(lock state.Lock, held *claim.Claim) func(context.Context) error {
	holds := Holds(lock, held)
	return func(ctx context.Context) error {
		if err := holds(ctx); err != nil {
			return err
		}
		left := time.Until(lock.Info().Expires) // only now: asking takes time, too
		if held != nil {
			left = min(left, held.Left())
		}
		if left < protocol.ChangeWithin {
			return fmt.Errorf("the locks of this run end in %s without another renewal, and a request may be in progress for %s; no new step starts",
				max(left, 0).Round(time.Second), protocol.ChangeWithin)
		}
		return nil
	}
}

// Holds returns what says whether a run still holds its locks. The claim may be nil where there is none.
func Holds(lock state.Lock, held *claim.Claim) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := lock.Check(ctx); err != nil {
			return err
		}
		if held != nil {
			return held.Check(ctx)
		}
		return nil
	}
}

// ClusterLost reports whether an error says that another run has the cluster, or that this run's own locks are gone.
func ClusterLost(err error) bool {
	var final interface{ Lost() bool }
	var lost *state.LostError
	var late *claim.ClaimLostError
	return errors.As(err, &final) && final.Lost() || errors.As(err, &lost) || errors.As(err, &late)
}

// Fenced returns operations that ask whether the run still holds its locks before they do anything: between the executor's
// question and this the journal was written, and a process may have been paused for as long as another run took.
func Fenced(operations map[string]providers.Operation, fence func(context.Context) error) map[string]providers.Operation {
	if fence == nil {
		return operations
	}
	out := make(map[string]providers.Operation, len(operations))
	for name, operation := range operations {
		out[name] = fencedOperation{operation, fence}
	}
	return out
}

type fencedOperation struct {
	providers.Operation
	fence func(context.Context) error
}

// Run implements providers.Operation.
func (o fencedOperation) Run(ctx context.Context, step providers.Step, progress providers.Progress) error {
	if err := o.fence(ctx); err != nil {
		return fmt.Errorf("nothing was done: %w", err)
	}
	return o.Operation.Run(ctx, step, progress)
}
