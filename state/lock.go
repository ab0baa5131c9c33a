package state

import (
	"context"
	"fmt"
	"time"

	"upkeep/state/journal"
)

// DefaultTTL is how long a lock lasts that nobody renews. Locks are renewed at a third of it, so two renewals may fail;
// and a machine that comes back from standby after more than this has lost its lock.
const DefaultTTL = 2 * time.Minute

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
	// Journal opens the journal of a plan for appending, makes it where there is none, and returns what it says so far. A
	// record whose writing was cut off is removed. It fails with *journal.CorruptError, and with *journal.BusyError while
	// another process still writes it; it has then changed nothing.
	Journal(ctx context.Context, plan string) (Journal, journal.History, error)
	// Save keeps a document of a plan, in the place of an earlier one: a reader finds the one or the other, complete.
	Save(ctx context.Context, plan string, what Document, data []byte) error
	// Prune removes the journals and documents of plans that neither the runs nor the approvals of State() name, and
	// returns the plans' ids, sorted. A journal that cannot be read, that is another state's, or that another process
	// has open stays, with its documents.
	Prune(ctx context.Context) (removed []string, err error)
	// Unlock releases the lock. A second call does nothing. It fails with *LostError when the lock was already lost.
	Unlock() error
}

// LockRequest says who wants a lock and what for.
type LockRequest struct {
	Operation string // "apply"
	// Timeout is how long to wait for a lock that is held; 0 does not wait.
	Timeout time.Duration
	// Key is the key that a state gets which the lock creates, so that what stood for secrets before there was a state
	// stands for them afterwards; the zero value is a key of its own.
	Key Key
	// TTL is how long the lock lasts without renewal; 0 is DefaultTTL.
	TTL time.Duration
	// Waiting, when not nil, is told once that the lock is held, before the wait begins.
	Waiting func(LockInfo)
}

// LockInfo is who holds a lock, as stored and shown.
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
	// Stale says why nobody need respect the lock: it expired, or its process is dead. Backend.Holder finds out; it is not
	// stored.
	Stale string `json:"stale,omitempty"`
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
	return fmt.Sprintf("state %s is locked%s by %s, process %d, for %s since %s; without renewal the lock expires at %s; wait for it with -lock-timeout=5m, or, if that process crashed: upkeep force-unlock %s",
		e.Info.Path, waited, e.Info.Who, e.Info.PID, e.Info.Operation, e.Info.Created.UTC().Format(time.RFC3339), e.Info.Expires.UTC().Format(time.RFC3339), e.Info.ID)
}

// LostError says that a lock was lost while its holder still worked.
type LostError struct {
	Info LockInfo
	Why  string
}

// Error implements error.
func (e *LostError) Error() string {
	return fmt.Sprintf("the lock %s on state %s was lost: %s; work was stopped and the state not written; the next apply checks what was done and continues", e.Info.ID, e.Info.Path, e.Why)
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
	return fmt.Sprintf("the state is not locked by %s but by %s (%s, process %d, for %s); if that process crashed: upkeep force-unlock %s",
		e.Asked, e.Held.ID, e.Held.Who, e.Held.PID, e.Held.Operation, e.Held.ID)
}
