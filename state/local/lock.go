package local

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/user"
	"sync"
	"time"

	"upkeep/state"
	"upkeep/state/durable"
)

// Lock implements state.Backend. It creates the state's directory (0700) and the state where they are missing.
func (b *Backend) Lock(ctx context.Context, request state.LockRequest) (state.Lock, error) {
	if request.TTL == 0 {
		request.TTL = state.DefaultTTL
	}
	if err := b.makeDirectory(); err != nil {
		return nil, fmt.Errorf("create the state's directory: %w", err)
	}
	began := b.options.Now()
	told := false
	for pause := 100 * time.Millisecond; ; pause = min(pause*2, 4*time.Second) {
		l, holder, err := b.tryLock(ctx, request)
		if err != nil {
			return nil, err
		}
		if l != nil {
			l.watch(ctx)
			return l, nil
		}
		waited := b.options.Now().Sub(began)
		left := request.Timeout - waited
		if left <= 0 {
			return nil, &state.LockedError{Info: holder, Waited: waited}
		}
		if !told && request.Waiting != nil {
			request.Waiting(holder)
			told = true
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(min(pause, left)):
		}
	}
}

// tryLock takes the lock, or returns who holds it.
func (b *Backend) tryLock(ctx context.Context, request state.LockRequest) (l *lock, holder state.LockInfo, err error) {
	err = b.exclusively(ctx, func() error {
		current, held, err := b.readInfo()
		if err != nil {
			return err
		}
		now := b.options.Now()
		var stale *state.Stale
		if held {
			why := whyStale(current, now)
			if why == "" {
				holder = current
				return nil
			}
			stale = &state.Stale{Info: current, Why: why}
		}
		s, err := b.Read(ctx)
		if err != nil {
			return err
		}
		if !s.Exists() {
			s = state.New()
			if request.Key != (state.Key{}) {
				s.Key = request.Key
			}
		}
		// The lock's own generation counts, too: its holder may have died before it stored the state.
		s.Generation = max(s.Generation, current.Generation) + 1
		info := describe(request, b.path, now, s.Generation)
		for _, path := range []string{b.path, b.infoPath()} {
			if err := durable.RemoveLeftovers(path); err != nil {
				return fmt.Errorf("clean up next to state %s: %w", b.path, err)
			}
		}
		// The lock goes first: dying between the two leaves a stale lock and the old state, which the next one repairs.
		if err := b.writeInfo(info); err != nil {
			return err
		}
		if err := b.writeState(s); err != nil {
			return err
		}
		l = &lock{backend: b, info: info, tookOver: stale, ttl: request.TTL, current: s}
		return nil
	})
	return l, holder, err
}

// whyStale says why a lock need not be respected; empty: it must be.
func whyStale(info state.LockInfo, now time.Time) string {
	if !now.Before(info.Expires) {
		return "it expired at " + info.Expires.UTC().Format(time.RFC3339) + " and was not renewed"
	}
	if host, err := os.Hostname(); err == nil && host == info.Host && isDead(info.PID, info.Process) {
		return fmt.Sprintf("its process %d is dead", info.PID)
	}
	return ""
}

func describe(request state.LockRequest, path string, now time.Time, generation uint64) state.LockInfo {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return state.LockInfo{
		ID: rand.Text(), Operation: request.Operation, Who: Who(), Host: host, PID: os.Getpid(),
		Created: now.UTC(), Expires: now.Add(request.TTL).UTC(), Path: path, Generation: generation,
		Process: processIdentity(os.Getpid()),
	}
}

// Who returns user@host of this process.
func Who() string {
	name := fmt.Sprint("uid", os.Getuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return name + "@" + host
}

// lock is a held lock. Its two goroutines end with its context.
type lock struct {
	backend  *Backend
	tookOver *state.Stale
	ttl      time.Duration

	ctx    context.Context
	cancel context.CancelCauseFunc
	ended  sync.WaitGroup

	mu       sync.Mutex
	info     state.LockInfo
	current  state.State
	trouble  error // why the last renewal failed
	released bool
}

// Info implements state.Lock.
func (l *lock) Info() state.LockInfo {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.info
}

// TookOver implements state.Lock.
func (l *lock) TookOver() *state.Stale { return l.tookOver }

// Context implements state.Lock.
func (l *lock) Context() context.Context { return l.ctx }

// Check implements state.Lock.
func (l *lock) Check(ctx context.Context) error {
	return l.backend.exclusively(ctx, l.stillHeld)
}

// State implements state.Lock.
func (l *lock) State() state.State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current.Clone()
}

// Write implements state.Lock.
func (l *lock) Write(ctx context.Context, proposed state.State) (state.State, error) {
	var written state.State
	err := l.backend.exclusively(ctx, func() error {
		if err := l.stillHeld(); err != nil {
			return err
		}
		stored, err := l.backend.Read(ctx)
		if err != nil {
			return err
		}
		next, changed, err := state.Next(stored, proposed)
		if err != nil {
			return err
		}
		if changed {
			if err := l.backend.writeState(next); err != nil {
				return err
			}
		}
		written = next
		return nil
	})
	if err != nil {
		return state.State{}, fmt.Errorf("write state: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current = written
	return written.Clone(), nil
}

// stillHeld looks at the stored lock; the caller is inside exclusively. A lock of ours that has expired is lost
// although nobody took it yet: its work was already told to stop.
func (l *lock) stillHeld() error {
	l.mu.Lock()
	info, released := l.info, l.released
	l.mu.Unlock()
	if released {
		return &state.LostError{Info: info, Why: "it was released"}
	}
	stored, held, err := l.backend.readInfo()
	switch {
	case err != nil:
		return err
	case !held:
		return &state.LostError{Info: info, Why: "somebody removed it (force-unlock)"}
	case stored.ID != info.ID:
		return &state.LostError{Info: info, Why: fmt.Sprintf("%s (process %d) took it over for %s as lock %s", stored.Who, stored.PID, stored.Operation, stored.ID)}
	case !l.backend.options.Now().Before(stored.Expires):
		return &state.LostError{Info: info, Why: "it was not renewed before it expired at " + stored.Expires.UTC().Format(time.RFC3339)}
	}
	return nil
}

// Unlock implements state.Lock.
func (l *lock) Unlock() error {
	l.mu.Lock()
	if l.released {
		l.mu.Unlock()
		return nil
	}
	l.mu.Unlock()
	l.cancel(state.ErrUnlocked)
	l.ended.Wait()
	// Not the caller's context: a lock is released even when the work was cancelled.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := l.backend.exclusively(ctx, func() error {
		if err := l.stillHeld(); err != nil {
			return err
		}
		return durable.Remove(l.backend.infoPath())
	})
	l.mu.Lock()
	l.released = true
	l.mu.Unlock()
	l.backend.options.Trace.Under("lock:").At("removed")
	return err
}
