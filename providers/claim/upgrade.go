package claim

import (
	"context"
	"errors"
	"sync"
)

// Upgrade is a Holding of two parts: one that is held from the start (locks on nodes, while the API is down), and one
// that is taken as soon as it can be (the Lease, once the API answers). From then on both are held, so that another run
// that sees only the API is kept away, too.
type Upgrade struct {
	First Holding
	// Take takes the second part. An error with Lost() bool true says that another run has it, which ends the first; any
	// other that it cannot be had yet.
	Take func(ctx context.Context) (Holding, error)

	mu     sync.Mutex // String is asked while a renewal may be under way
	second Holding
}

func (u *Upgrade) both() (first, second Holding) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.First, u.second
}

// Renew implements Holding. That the second part cannot be renewed is no error while the first one is.
func (u *Upgrade) Renew(ctx context.Context) error {
	first, second := u.both()
	if err := first.Renew(ctx); err != nil {
		return err
	}
	if second == nil {
		second, err := u.Take(ctx)
		switch {
		case isLost(err):
			return err
		case err == nil:
			u.mu.Lock()
			u.second = second
			u.mu.Unlock()
		}
		return nil
	}
	if err := second.Renew(ctx); isLost(err) {
		return err
	}
	return nil
}

// Check implements Holding.
func (u *Upgrade) Check(ctx context.Context) error {
	first, second := u.both()
	if err := first.Check(ctx); err != nil || second == nil {
		return err
	}
	if err := second.Check(ctx); isLost(err) {
		return err
	}
	return nil
}

// Release implements Holding.
func (u *Upgrade) Release(ctx context.Context) error {
	first, second := u.both()
	err := first.Release(ctx)
	if second != nil {
		err = errors.Join(err, second.Release(ctx))
	}
	return err
}

// String implements Holding.
func (u *Upgrade) String() string {
	first, second := u.both()
	if second == nil {
		return first.String()
	}
	return first.String() + " and " + second.String()
}
