package local

import (
	"context"
	"errors"
	"fmt"
	"time"

	"upkeep/state"
)

// watch starts the two goroutines of a lock. One renews it. The other cancels the work's context when no renewal came
// in time, and is a goroutine of its own because a renewal may hang in the file system.
func (l *lock) watch(parent context.Context) {
	l.ctx, l.cancel = context.WithCancelCause(parent)
	l.ended.Go(l.renewals)
	l.ended.Go(l.deadline)
}

func (l *lock) renewals() {
	pause := l.ttl / 3
	for {
		if !l.sleepUntil(l.backend.options.Now().Add(pause)) {
			return
		}
		err := l.renew()
		var lost *state.LostError
		if errors.As(err, &lost) {
			l.cancel(lost)
			return
		}
		l.mu.Lock()
		l.trouble = err
		l.mu.Unlock()
		pause = l.ttl / 3
		if err != nil {
			pause = l.ttl / 10
		}
	}
}

func (l *lock) renew() error {
	ctx, cancel := context.WithTimeout(l.ctx, l.ttl/3)
	defer cancel()
	return l.backend.exclusively(ctx, func() error {
		if err := l.stillHeld(); err != nil {
			return err
		}
		info := l.Info()
		info.Expires = l.backend.options.Now().Add(l.ttl).UTC()
		if err := l.backend.writeInfo(info); err != nil {
			return err
		}
		l.mu.Lock()
		l.info = info
		l.mu.Unlock()
		return nil
	})
}

// deadline ends the work a tenth of the TTL before others may take the lock: it needs time to stop, and their clocks
// may be ahead of ours.
func (l *lock) deadline() {
	for {
		info := l.Info()
		end := info.Expires.Add(-l.ttl / 10)
		if !l.backend.options.Now().Before(end) {
			why := "no renewal ended in time (the machine slept, its clock jumped, or the file system was very slow)"
			l.mu.Lock()
			if l.trouble != nil {
				why = fmt.Sprintf("it could not be renewed in time: %v", l.trouble)
			}
			l.mu.Unlock()
			l.cancel(&state.LostError{Info: info, Why: why})
			return
		}
		if !l.sleepUntil(end) {
			return
		}
	}
}

// sleepUntil waits until the wall clock shows at, and reports false when the lock ended first. It looks at the clock
// every second or more often: a timer runs on the monotonic clock, which stops in standby (golang.org/issue/35012).
func (l *lock) sleepUntil(at time.Time) bool {
	for {
		left := at.Sub(l.backend.options.Now())
		if left <= 0 {
			return l.ctx.Err() == nil
		}
		select {
		case <-l.ctx.Done():
			return false
		case <-time.After(min(left, time.Second)):
		}
	}
}
