package apply

import (
	"context"
	"errors"
)

// Upgrade is a Holding of two parts: one that is held from the start (locks on nodes, while the API is down), and one
// that is taken as soon as it can be (the Lease, once the API answers). From then on both are held, so that another run
// that sees only the API is kept away, too.
type Upgrade struct {
	First Holding
	// Take takes the second part. An error with Lost() bool true says that another run has it, which ends the first; any
	// other that it cannot be had yet.
	Take func(ctx context.Context) (Holding, error)

	second Holding
}

// Renew implements Holding. That the second part cannot be renewed is no error while the first one is.
func (u *Upgrade) Renew(ctx context.Context) error {
	if err := u.First.Renew(ctx); err != nil {
		return err
	}
	if u.second == nil {
		second, err := u.Take(ctx)
		switch {
		case isLost(err):
			return err
		case err == nil:
			u.second = second
		}
		return nil
	}
	if err := u.second.Renew(ctx); isLost(err) {
		return err
	}
	return nil
}

// Check implements Holding.
func (u *Upgrade) Check(ctx context.Context) error {
	if err := u.First.Check(ctx); err != nil || u.second == nil {
		return err
	}
	if err := u.second.Check(ctx); isLost(err) {
		return err
	}
	return nil
}

// Release implements Holding.
func (u *Upgrade) Release(ctx context.Context) error {
	err := u.First.Release(ctx)
	if u.second != nil {
		err = errors.Join(err, u.second.Release(ctx))
	}
	return err
}

// String implements Holding.
func (u *Upgrade) String() string {
	if u.second == nil {
		return u.First.String()
	}
	return u.First.String() + " and " + u.second.String()
}
