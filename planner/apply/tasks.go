package apply

import (
	"context"
	"time"
)

// Tasks is how a run does several things at once, and how it waits. The simulated worlds give it one of their own, in which
// the seed decides who goes on.
type Tasks interface {
	// Go starts work next to the caller's.
	Go(work func())
	// Sleep waits, and returns early with an error when ctx ends.
	Sleep(ctx context.Context, d time.Duration) error
	// Next waits until work that Go started has ended since Next last returned, until the time has come (zero: none is set),
	// until somebody asks the run to stop, or until ctx ends. It reports whether somebody did ask, and takes that request.
	Next(ctx context.Context, stop <-chan struct{}, until time.Time) (asked bool)
}

// goroutines is Tasks for real.
type goroutines struct{ ended chan struct{} }

func newGoroutines() goroutines { return goroutines{make(chan struct{}, 1)} }

// Go implements Tasks.
func (g goroutines) Go(work func()) {
	go func() {
		work()
		select {
		case g.ended <- struct{}{}:
		default: // somebody is told already
		}
	}()
}

// Sleep implements Tasks.
func (g goroutines) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Next implements Tasks.
func (g goroutines) Next(ctx context.Context, stop <-chan struct{}, until time.Time) bool {
	var due <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(time.Until(until))
		defer timer.Stop()
		due = timer.C
	}
	done := ctx.Done()
	if ctx.Err() != nil {
		done = nil // what is in progress must still end
	}
	select {
	case <-g.ended:
	case <-due:
	case <-done:
	case <-stop:
		return true
	}
	return false
}
