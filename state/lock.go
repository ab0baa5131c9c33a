package state

import (
	"context"
	"fmt"
	"time"
)

// DefaultTTL is how long a lock lasts that nobody renews. Locks are renewed at a third of it, so two renewals may fail;
// and a machine that comes back from standby after more than this has lost its lock.
const DefaultTTL = 2 * time.Minute

// Backend keeps one state and its lock. Implementations are safe for use by several goroutines and by several
// processes at a time; state/statetest says what else they must do.
type Backend interface {
	// Read returns the state, without a lock. A state that was never written is the zero State and no error.
	// It fails with *CorruptError or *NewerError, and then has changed nothing.
	Read(ctx context.Context) (State, error)
	// Lock takes the lock, and with it the next generation, which it stores before it returns. If the lock is held it
	// tries again until request.Timeout has passed, then fails with *LockedError. A lock that is stale (expired, or its
	// process is known to be dead) is taken over, which Lock.TookOver tells.
	//
	// ctx is the parent of Lock.Context, and ends the wait.
	Lock(ctx context.Context, request LockRequest) (Lock, error)
	// Holder returns who holds the lock, and whether anybody does. A stale lock counts as held.
	Holder(ctx context.Context) (LockInfo, bool, error)
	// ForceUnlock removes the lock with exactly this id and returns what it was. Whoever held it notices at its next
	// renewal or write and stops. Any other id, or no lock at all, is an error and changes nothing.
	ForceUnlock(ctx context.Context, id string) (LockInfo, error)
}

// Lock is a held lock.
type Lock interface {
	Info() LockInfo
	// TookOver is the stale lock that this one replaced, and why it was stale; nil where there was none.
	TookOver() *Stale
	// Context ends when the lock is lost or released; context.Cause then says which: a *LostError, or ErrUnlocked. All
	// work under the lock must use it.
	Context() context.Context
	// Check looks at the stored lock, now, and fails with *LostError unless it is still this one and has not expired. Work
	// asks it just before it changes something: a process that was paused may wake before its context has noticed.
	Check(ctx context.Context) error
	// State returns the state as it was last read or written under this lock.
	State() State
	// Write stores proposed, which must be made from State(), and returns what was stored. The serial goes up by one if
	// there was a change, and nothing is written if there was none. A process that has lost its lock fails with a
	// *LostError; a state that somebody else has changed is a *ConflictError; neither changes anything.
	Write(ctx context.Context, proposed State) (State, error)
	// Unlock releases the lock. A second call does nothing. It fails with *LostError when the lock was already lost.
	Unlock() error
}

// LockRequest says who wants a lock and what for.
type LockRequest struct {
	Operation string // "apply"
	// Timeout is how long to wait for a lock that is held; 0 does not wait.
	Timeout time.Duration
	// Key is the key that a state gets which the lock creates, so that what stood for secrets before there was a state stands
	// for them afterwards; the zero value is a key of its own.
	Key Key
	// TTL is how long the lock lasts without renewal; 0 is DefaultTTL.
	TTL time.Duration
	// Waiting, when not nil, is told once that the lock is held, before the wait begins.
	Waiting func(LockInfo)
}

// LockInfo is who holds a lock, as it is stored and shown.
type LockInfo struct {
	ID        string    `json:"id"`
	Operation string    `json:"operation"`
	Who       string    `json:"who"` // user@host
	Host      string    `json:"host"`
	PID       int       `json:"pid"`
	Created   time.Time `json:"created"`
	Expires   time.Time `json:"expires"`
	Path      string    `json:"path"` // what is locked
	// Generation is the lock's own; see State.Generation.
	Generation uint64 `json:"generation"`
	// Process tells apart processes that have the same PID: boot, PID namespace and start time, where they are known.
	Process string `json:"process,omitempty"`
}

// Stale is a lock that was taken over, and why.
type Stale struct {
	Info LockInfo
	Why  string // "its process 4711 is dead"
}

// String says it in one line.
func (s Stale) String() string {
	return fmt.Sprintf("took over the lock of %s (%s since %s, lock %s): %s", s.Info.Who, s.Info.Operation, s.Info.Created.UTC().Format(time.RFC3339), s.Info.ID, s.Why)
}

// LockedError says that somebody else holds the lock. The command line maps it to exit code 6.
type LockedError struct {
	Info   LockInfo
	Waited time.Duration
}

// Error implements error.
func (e *LockedError) Error() string {
	waited := ""
	if e.Waited > 0 {
		waited = fmt.Sprintf(" (waited %s)", e.Waited.Round(time.Second))
	}
	return fmt.Sprintf("state %s is locked%s by %s, process %d, for %s since %s; without renewal the lock expires at %s; wait for it with -lock-timeout=5m, or, if that process is surely gone: upkeep force-unlock %s",
		e.Info.Path, waited, e.Info.Who, e.Info.PID, e.Info.Operation, e.Info.Created.UTC().Format(time.RFC3339), e.Info.Expires.UTC().Format(time.RFC3339), e.Info.ID)
}

// LostError says that a lock was lost while its holder still worked.
type LostError struct {
	Info LockInfo
	Why  string
}

// Error implements error.
func (e *LostError) Error() string {
	return fmt.Sprintf("the lock %s on state %s was lost: %s; work was stopped and the state not written; the next apply looks at what was done and goes on", e.Info.ID, e.Info.Path, e.Why)
}

// ErrUnlocked is the cause of a lock's context after Unlock.
var ErrUnlocked = fmt.Errorf("the state's lock was released")

// WrongLockError says that a lock to remove is not the one that is held.
type WrongLockError struct {
	Asked string
	Held  *LockInfo // nil: no lock is held
}

// Error implements error.
func (e *WrongLockError) Error() string {
	if e.Held == nil {
		return fmt.Sprintf("there is no lock %s to remove: the state is not locked", e.Asked)
	}
	return fmt.Sprintf("the state is not locked by %s but by %s (%s, process %d, for %s); if that one is surely gone: upkeep force-unlock %s",
		e.Asked, e.Held.ID, e.Held.Who, e.Held.PID, e.Held.Operation, e.Held.ID)
}
