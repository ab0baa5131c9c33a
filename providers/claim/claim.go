// Package claim keeps a cluster for one run at a time: by the Lease in it or, while its API is down, by a lock on its
// nodes.
//
// A Holding is what keeps others away; a Claim keeps one alive and ends the run's work in time when that fails. It
// knows no plan, executes nothing, and has no Kubernetes client: the Lease and the nodes are handed to it. It promises
// that work under a claim's context has been told to stop before anybody else may take the claim.
package claim

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Holding keeps other runs away from a cluster: the Lease in it, or locks on its nodes. An error that has a method
// Lost() bool which says true is final; any other may pass.
type Holding interface {
	// Renew extends it from now.
	Renew(ctx context.Context) error
	// Check looks whether it is still this run's, now.
	Check(ctx context.Context) error
	// Release gives it back. What is not this run's any longer is left alone.
	Release(ctx context.Context) error
	// String names it for people.
	String() string
}

// ErrReleased is the cause of a claim's context after Release.
var ErrReleased = errors.New("the claim on the cluster was released")

// ClaimLostError says that a claim could not be renewed in time. Others may have taken it.
type ClaimLostError struct {
	What string
	Why  string
}

// Error implements error.
func (e *ClaimLostError) Error() string {
	return fmt.Sprintf("%s was lost: %s; work was stopped; the next apply checks what was done and continues", e.What, e.Why)
}

// Claim is a Holding that is kept alive. All work on the cluster must use its context.
type Claim struct {
	holding Holding
	ttl     time.Duration
	now     func() time.Time

	ctx    context.Context
	cancel context.CancelCauseFunc
	ended  sync.WaitGroup

	use sync.Mutex // a Holding is asked one thing at a time

	mu       sync.Mutex
	renewed  time.Time // when the last renewal that succeeded was begun
	trouble  error     // why the last one failed
	released bool
}

// Keep renews a holding that was just taken and lasts for ttl, at a third of that, until Release or the parent's end.
// Its context ends when the holding was lost, or could not be renewed for nine tenths of ttl: others may take it then
// and their clocks may run fast. The clock is the wall clock; nil is the machine's.
func Keep(parent context.Context, holding Holding, ttl time.Duration, now func() time.Time) *Claim {
	if now == nil {
		// Without the monotonic reading, which does not move while the machine sleeps; expiry must not.
		now = func() time.Time { return time.Now().Round(0) }
	}
	c := &Claim{holding: holding, ttl: ttl, now: now, renewed: now()}
	c.ctx, c.cancel = context.WithCancelCause(parent)
	c.ended.Go(c.renewals)
	c.ended.Go(c.deadline) // of its own: a renewal may hang
	return c
}

// Context ends when the claim is lost or released; context.Cause says which.
func (c *Claim) Context() context.Context { return c.ctx }

// String names what is held.
func (c *Claim) String() string { return c.holding.String() }

// Check says whether the claim is still this run's, now. Where that cannot be asked, a claim that was renewed in time
// is: nobody else may take it before it has expired.
func (c *Claim) Check(ctx context.Context) error {
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	if left := c.Left(); left <= 0 {
		return c.late()
	}
	ctx, cancel := context.WithTimeout(ctx, c.ttl/10)
	defer cancel()
	c.use.Lock()
	defer c.use.Unlock()
	if err := c.holding.Check(ctx); isLost(err) {
		c.cancel(err)
		return err
	}
	if c.Left() <= 0 {
		return c.late()
	}
	return nil
}

// StopAsked is what somebody wrote into the holding who wants the run to stop, as of the last renewal; empty: nobody
// does, or this kind of holding has no place for it.
func (c *Claim) StopAsked() string {
	c.use.Lock()
	defer c.use.Unlock()
	if asked, ok := c.holding.(interface{ StopAsked() string }); ok {
		return asked.StopAsked()
	}
	return ""
}

// Release ends the claim. A second call does nothing.
func (c *Claim) Release() error {
	c.mu.Lock()
	again := c.released
	c.released = true
	c.mu.Unlock()
	if again {
		return nil
	}
	c.cancel(ErrReleased)
	c.ended.Wait()
	// Not the caller's context: a claim is given back even when the work was cancelled.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c.use.Lock()
	defer c.use.Unlock()
	if err := c.holding.Release(ctx); err != nil {
		return fmt.Errorf("give back %s: %w; it ends by itself after %s", c.holding, err, c.ttl)
	}
	return nil
}

func isLost(err error) bool {
	var lost interface{ Lost() bool }
	return errors.As(err, &lost) && lost.Lost()
}

// Left is how long work may go on without another renewal.
func (c *Claim) Left() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.renewed.Add(c.ttl - c.ttl/10).Sub(c.now())
}

func (c *Claim) late() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	why := "no renewal ended in time (the machine slept, or its clock jumped)"
	if c.trouble != nil {
		why = fmt.Sprintf("it could not be renewed for %s: %v", c.ttl-c.ttl/10, c.trouble)
	}
	return &ClaimLostError{What: c.holding.String(), Why: why}
}

func (c *Claim) renewals() {
	pause := c.ttl / 3
	for c.sleep(pause) {
		began := c.now()
		err := c.renew()
		if isLost(err) {
			c.cancel(err)
			return
		}
		c.mu.Lock()
		if c.trouble = err; err == nil {
			c.renewed = began
		}
		c.mu.Unlock()
		pause = c.ttl / 3
		if err != nil {
			pause = c.ttl / 20
		}
	}
}

func (c *Claim) renew() error {
	ctx, cancel := context.WithTimeout(c.ctx, c.ttl/3)
	defer cancel()
	c.use.Lock()
	defer c.use.Unlock()
	return c.holding.Renew(ctx)
}

func (c *Claim) deadline() {
	for {
		left := c.Left()
		if left <= 0 {
			c.cancel(c.late())
			return
		}
		if !c.sleep(left) {
			return
		}
	}
}

// sleep waits, and reports false when the claim ended first. It looks at the clock every second or more often: a timer
// runs on the monotonic clock, which stops in standby (golang.org/issue/35012).
func (c *Claim) sleep(d time.Duration) bool {
	end := c.now().Add(d)
	for {
		left := end.Sub(c.now())
		if left <= 0 {
			return c.ctx.Err() == nil
		}
		select {
		case <-c.ctx.Done():
			return false
		case <-time.After(min(left, time.Second)):
		}
	}
}
