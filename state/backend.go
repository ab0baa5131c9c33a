package state

import (
	"context"
	"fmt"
	"strings"

	"upkeep/config"
	"upkeep/state/journal"
	"upkeep/state/seen"
)

// Backend keeps one state: the lock of runs, what is remembered, what was seen, and of each run its journal, a copy of its
// plan and its runbook. What changes a run's belongings is done through its Lock. Implementations are safe for use by
// several goroutines and by several processes at a time; state/statetest says what else they must do.
type Backend interface {
	// Describe names the place for people, such as the path of a file. It touches nothing.
	Describe() string
	// Read returns the state, without a lock. A state that was never written is the zero State and no error.
	// It fails with *CorruptError or *NewerError, and then has changed nothing.
	Read(ctx context.Context) (State, error)
	// Lock takes the lock, and with it the next generation, which it stores before it returns. If the lock is held it
	// tries again until request.Timeout has passed, then fails with *LockedError. A lock that is stale (expired, or its
	// process is known to be dead) is taken over, which Lock.TookOver tells.
	//
	// ctx is the parent of Lock.Context, and ends the wait.
	Lock(ctx context.Context, request LockRequest) (Lock, error)
	// Holder returns who holds the lock, and whether anybody does. A lock that is stale is returned as held, and says why it is
	// stale (LockInfo.Stale): the one who took it holds nothing any longer.
	Holder(ctx context.Context) (LockInfo, bool, error)
	// ForceUnlock removes the lock with exactly this id and returns what it was. The one who held it notices at its next
	// renewal or write and stops. Any other id, or no lock at all, is an error and changes nothing.
	ForceUnlock(ctx context.Context, id string) (LockInfo, error)

	// Seen returns what was seen; nothing yet is the zero Seen and no error. What cannot be read is a *seen.Error.
	Seen(ctx context.Context) (seen.Seen, error)
	// UpdateSeen replaces what was seen by what change makes of it, and returns that. Nobody's change is lost: change is
	// made again where somebody else was first, so it must be pure. It needs no Lock and waits for none: it has a lock of
	// its own, held for milliseconds. A *seen.Error says that what is stored cannot be read, and changes nothing.
	UpdateSeen(ctx context.Context, change func(seen.Seen) seen.Seen) (seen.Seen, error)

	// History returns what the journal of a plan says, and changes nothing. A journal that does not exist is an empty
	// history.
	History(ctx context.Context, plan string) (journal.History, error)
	// Document returns a document of a plan. One that does not exist is an error that wraps fs.ErrNotExist.
	Document(ctx context.Context, plan string, what Document) ([]byte, error)
	// Plans returns the ids of the plans of which there is a journal or a document, sorted. States that are kept in one
	// place may share it: a plan of another state may be among them.
	Plans(ctx context.Context) ([]string, error)
}

// Keeper is a Backend that keeps files on this machine.
type Keeper interface {
	// Keeps reports whether the path names a file, present or not, that belongs to the state.
	Keeps(path string) bool
}

// Document is what is kept of a run next to its journal.
type Document string

// The documents of a run.
const (
	SavedPlan Document = "plan"    // the plan that is applied, as a plan file
	Runbook   Document = "runbook" // the plan in words, for a person who must finish it by hand
)

// Journal is the open journal of one plan; see journal.Journal.
type Journal interface {
	// Append writes records, all in one write where the backend can, and returns when they are on stable storage. A process
	// that dies within a group leaves the first ones of it, or none. A *journal.RefusedError says that a record makes no
	// sense there, and nothing of its group was written. After any other error the journal takes no further record.
	Append(records ...journal.Record) error
	// Close closes the journal. It adds no record.
	Close() error
}

// Type is a kind of backend.
type Type struct {
	Name string // as a state block names it
	// Open returns the backend that a state block names; paths in it are relative to directory. It touches nothing.
	Open func(where config.State, directory string) (Backend, error)
}

// Open returns the backend that a configuration names, from those that there are.
func Open(where config.State, directory string, types ...Type) (Backend, error) {
	var names []string
	for _, t := range types {
		if t.Name == where.Backend {
			return t.Open(where, directory)
		}
		names = append(names, fmt.Sprintf("%q", t.Name))
	}
	at := ""
	if p := where.Position.String(); where.Position.File != "" {
		at = p + ": "
	}
	return nil, fmt.Errorf("%sthere is no state backend %q; this upkeep has %s", at, where.Backend, strings.Join(names, " and "))
}
