package wiring

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"upkeep/providers/claim"
	"upkeep/providers/node/protocol"
)

// ClaimDuration is how long a claim on the cluster lasts without renewal. A graceful stop of kube-apiserver alone may take
// most of a minute, and a Lease must outlast the restart of the API server that it is renewed through, twice over.
const ClaimDuration = 3 * time.Minute

// claimAttempt bounds one try to lock the nodes.
const claimAttempt = time.Minute

// Claimer takes the claim on a cluster for a run: the Lease in it or, with its API down, a lock on nodes.
type Claimer struct {
	Run protocol.Run
	Who string // "user@host/pid"
	// Lease takes the Lease. An error that has a method Unreachable() bool which says true means that the API is down.
	Lease func(context.Context) (claim.Holding, error)
	// Locker locks Nodes, which are asked while the API is down. NoNodes says why there are none.
	Locker  claim.NodeLocker
	Nodes   []string
	NoNodes string
	// Note is told what a person should know at the same time, one line without its end.
	Note func(string)
}

// Claim takes the claim, waiting up to timeout for another run's to end, and keeps it until the parent's end.
func (c Claimer) Claim(ctx, parent context.Context, timeout time.Duration) (*claim.Claim, error) {
	end := time.Now().Add(timeout)
	told := false
	for pause := time.Second; ; pause = min(2*pause, 10*time.Second) {
		holding, err := c.take(ctx)
		if err == nil {
			return claim.Keep(parent, holding, ClaimDuration, nil), nil
		}
		left := time.Until(end)
		if !ClusterLost(err) || left <= 0 {
			return nil, err
		}
		if !told {
			c.Note(fmt.Sprintf("Waiting up to %s: %v", timeout, err))
			told = true
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-parent.Done():
			return nil, context.Cause(parent)
		case <-time.After(min(pause, left)):
		}
	}
}

// take takes the Lease, or the locks of the nodes where the API does not answer.
func (c Claimer) take(ctx context.Context) (claim.Holding, error) {
	lease, err := c.Lease(ctx)
	var down interface{ Unreachable() bool }
	if err == nil || !errors.As(err, &down) || !down.Unreachable() {
		return lease, err
	}
	if len(c.Nodes) == 0 {
		return nil, fmt.Errorf("the cluster's API does not answer (%v), and %w", err, &claim.NoNodeError{Why: c.NoNodes})
	}
	c.Note(fmt.Sprintf("Note: the cluster's API does not answer (%v); other runs are kept away by a lock on %s.", err, strings.Join(c.Nodes, ", ")))
	attempt, cancel := context.WithTimeout(ctx, claimAttempt)
	defer cancel()
	locks, err := claim.LockNodes(attempt, c.Locker, c.Nodes, protocol.LockRequest{
		Lineage: c.Run.Lineage, Generation: c.Run.Generation, Holder: c.Who, Seconds: int(ClaimDuration / time.Second),
	})
	if err != nil {
		return nil, err
	}
	return &claim.Upgrade{First: locks, Take: c.Lease}, nil
}
