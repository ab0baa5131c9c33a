package claim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"upkeep/providers/node/protocol"
	"upkeep/providers/plain"
)

// NodeLocker asks the helper of a node for its lock. A node that refuses says so in its result: the lock is not held,
// and who holds it. An error means that the node gave no answer, or cannot lock itself.
type NodeLocker interface {
	Lock(ctx context.Context, node string, request protocol.LockRequest) (protocol.LockResult, error)
}

// NodeLockedError says that a node refused its lock, so another run works on this cluster.
type NodeLockedError struct {
	Node       string
	Holder     string // empty where the node does not say
	Generation uint64
}

// Error implements error.
func (e *NodeLockedError) Error() string {
	holder := ""
	if e.Holder != "" {
		holder = fmt.Sprintf(": held by %s (generation %d)", plain.Said(e.Holder), e.Generation)
	}
	return fmt.Sprintf("another upkeep works on this cluster: could not lock node %s%s; wait for the lock with -lock-timeout=5m", e.Node, holder)
}

// Lost tells this error from one that a later renewal may repair.
func (*NodeLockedError) Lost() bool { return true }

// NoNodeError says that no node could be locked, since none answered, or since there is none.
type NoNodeError struct {
	Nodes []string
	Why   string // the first one's; without nodes, why there are none
}

// Error implements error.
func (e *NoNodeError) Error() string {
	if len(e.Nodes) == 0 {
		return "no other run can be kept away: " + e.Why
	}
	return fmt.Sprintf("no other run can be kept away: none of %s gave its lock: %s", strings.Join(e.Nodes, ", "), e.Why)
}

// NodeLocks are the locks of all nodes of a list that answer. It is how one run keeps others away while the cluster's
// API is down. A node that does not answer now is asked again at each renewal.
type NodeLocks struct {
	locker  NodeLocker
	nodes   []string
	request protocol.LockRequest

	mu   sync.Mutex
	held []string
}

// LockNodes takes the locks of the nodes that answer, at least one. When one of them refuses, those that were taken are
// given back and the refusal (*NodeLockedError) is returned; when none answers, *NoNodeError.
func LockNodes(ctx context.Context, locker NodeLocker, nodes []string, request protocol.LockRequest) (*NodeLocks, error) {
	l := &NodeLocks{locker: locker, nodes: slices.Clone(nodes), request: request}
	if len(nodes) == 0 {
		return nil, &NoNodeError{Why: "there is none that could be asked"}
	}
	if err := l.Renew(ctx); err != nil {
		back, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		_ = l.Release(back) // each ends by itself; the refusal is what matters
		return nil, err
	}
	return l, nil
}

// Held lists the nodes whose lock was had at the last renewal.
func (l *NodeLocks) Held() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.held)
}

// Renew asks every node again. One that refuses ends it all; that some do not answer is no error while one does.
func (l *NodeLocks) Renew(ctx context.Context) error {
	answers := l.ask(ctx, l.request)
	var held []string
	var refused, silent error
	for i, err := range answers {
		switch {
		case err == nil:
			held = append(held, l.nodes[i])
		case isLost(err):
			if refused == nil {
				refused = err
			}
		case silent == nil:
			silent = err
		}
	}
	l.mu.Lock()
	l.held = held
	l.mu.Unlock()
	switch {
	case refused != nil:
		return refused
	case len(held) == 0:
		return &NoNodeError{Nodes: l.nodes, Why: silent.Error()}
	}
	return nil
}

// ask sends a request to every node at once and returns what became of it, by node.
func (l *NodeLocks) ask(ctx context.Context, request protocol.LockRequest) []error {
	answers := make([]error, len(l.nodes))
	var group sync.WaitGroup
	for i, node := range l.nodes {
		group.Go(func() {
			result, err := l.locker.Lock(ctx, node, request)
			if err == nil && !request.Release && !result.Held {
				err = &NodeLockedError{Node: node, Holder: result.Holder, Generation: result.Generation}
			}
			answers[i] = err
		})
	}
	group.Wait()
	return answers
}

// Check asks nothing: each node compares the run's generation itself, with every request that changes something.
func (*NodeLocks) Check(context.Context) error { return nil }

// Release gives every lock back; on a node where it is not held that does nothing.
func (l *NodeLocks) Release(ctx context.Context) error {
	request := l.request
	request.Release = true
	held := l.Held()
	answers := l.ask(ctx, request)
	var errs []error
	for i, err := range answers {
		// A node that was silent all the time has nothing to give back.
		if err != nil && !isLost(err) && slices.Contains(held, l.nodes[i]) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// String names the locks for people.
func (l *NodeLocks) String() string { return "the lock of " + strings.Join(l.nodes, ", ") }
