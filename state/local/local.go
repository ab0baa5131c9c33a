// Package local keeps a state in a file, and its lock in files next to it.
//
// For a state at PATH:
//
//	PATH            the state, 0600, replaced in one step (state/durable)
//	PATH.lock.info  who holds the lock, as JSON; no file, no holder
//	PATH.lock       empty; flock(2) on it makes a look at the other two, and a change of them, one action
//	PATH.seen       what was seen, 0600, replaced in one step, under a flock(2) on PATH.seen.lock
//	journal/        next to it (0700), for all states of the directory: PLAN.jsonl, PLAN.plan and PLAN.runbook.md of each run
//
// The flock is held for milliseconds and never across work: a lock's life is what PATH.lock.info says, so that it can
// expire, be taken over, and be seen by people. PATH.lock is never deleted, since two processes could then hold flocks
// on two files of that name. The directory must be on a file system with working flock; network file systems that lack
// it are not detected.
package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"

	"upkeep/config"
	"upkeep/providers/bounded"
	"upkeep/providers/strictjson"
	"upkeep/state"
	"upkeep/state/durable"
)

// Backend is a state.Backend on a file.
type Backend struct {
	path    string
	options Options
}

// Options are for tests; the zero value is right for everybody else.
type Options struct {
	// Now is the wall clock.
	Now func() time.Time
	// Trace is called at each boundary: "state:renamed", "lock:written", ...
	Trace durable.Tracer
}

// New returns the backend of the state at path. It touches nothing. A path that is a symbolic link stands for its
// target, so that link and target have one lock.
func New(path string, options Options) (*Backend, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("state path %s: %w", path, err)
	}
	if target, err := filepath.EvalSymlinks(absolute); err == nil {
		absolute = target
	}
	if options.Now == nil {
		// The wall clock alone: a monotonic reading does not move while the machine sleeps, and expiry must not.
		options.Now = func() time.Time { return time.Now().Round(0) }
	}
	return &Backend{path: absolute, options: options}, nil
}

// Type is the kind of backend that this package is. The options are for tests.
func Type(options Options) state.Type {
	return state.Type{Name: "local", Open: func(where config.State, directory string) (state.Backend, error) {
		if where.Local == nil {
			return nil, errors.New("the state backend \"local\" has no path")
		}
		path := where.Local.Path
		if !filepath.IsAbs(path) {
			path = filepath.Join(directory, path)
		}
		return New(path, options)
	}}
}

// Describe implements state.Backend: the absolute path of the state.
func (b *Backend) Describe() string { return b.path }

// Keeps implements state.Keeper: the files that the package comment lists, by any name that leads there.
func (b *Backend) Keeps(path string) bool {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	absolute = beneath(absolute)
	own := []string{b.path, b.infoPath(), b.path + ".lock", b.seenPath(), b.seenPath() + ".lock"}
	journals := beneath(b.journals())
	if absolute == journals || filepath.Dir(absolute) == journals ||
		slices.ContainsFunc(own, func(file string) bool { return beneath(file) == absolute }) {
		return true
	}
	there, err := os.Stat(absolute)
	return err == nil && slices.ContainsFunc(own, func(file string) bool {
		kept, err := os.Stat(file)
		return err == nil && os.SameFile(kept, there)
	})
}

// beneath resolves the links of a path's directory; the file itself need not be there.
func beneath(path string) string {
	directory, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return path
	}
	return filepath.Join(directory, filepath.Base(path))
}

// Read implements state.Backend.
func (b *Backend) Read(ctx context.Context) (state.State, error) {
	if err := ctx.Err(); err != nil {
		return state.State{}, err
	}
	data, err := bounded.File(b.path, bounded.Records)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return state.State{}, nil
	case err != nil:
		return state.State{}, fmt.Errorf("read state: %w", err)
	}
	s, err := state.Decode(data)
	if err != nil {
		return state.State{}, state.At(b.path, err)
	}
	return s, nil
}

// Holder implements state.Backend.
func (b *Backend) Holder(ctx context.Context) (state.LockInfo, bool, error) {
	if err := ctx.Err(); err != nil {
		return state.LockInfo{}, false, err
	}
	info, held, err := b.readInfo()
	if held {
		info.Stale = whyStale(info, b.options.Now())
	}
	return info, held, err
}

// ForceUnlock implements state.Backend.
func (b *Backend) ForceUnlock(ctx context.Context, id string) (state.LockInfo, error) {
	if _, err := os.Stat(filepath.Dir(b.path)); errors.Is(err, fs.ErrNotExist) {
		return state.LockInfo{}, &state.WrongLockError{Asked: id}
	}
	var removed state.LockInfo
	err := b.exclusively(ctx, func() error {
		info, held, err := b.readInfo()
		var bad *badInfoError
		if errors.As(err, &bad) && id == unreadableID {
			return durable.Remove(b.infoPath())
		}
		if err != nil {
			return err
		}
		if !held {
			return &state.WrongLockError{Asked: id}
		}
		if info.ID != id {
			return &state.WrongLockError{Asked: id, Held: &info}
		}
		removed = info
		return durable.Remove(b.infoPath())
	})
	return removed, err
}

func (b *Backend) infoPath() string { return b.path + ".lock.info" }

// exclusively runs f while no other process or goroutine runs it for the same path.
func (b *Backend) exclusively(ctx context.Context, f func() error) error {
	guard := flock.New(b.path+".lock", flock.SetPermissions(0o600))
	// A poll, since flock has no timeout; others hold it for a few fsyncs at most.
	if _, err := guard.TryLockContext(ctx, 3*time.Millisecond); err != nil {
		return fmt.Errorf("guard the lock of state %s: %w", b.path, err)
	}
	defer guard.Close()
	return f()
}

// unreadableID is the id under which a lock that cannot be read can be removed.
const unreadableID = "unreadable"

// badInfoError says that PATH.lock.info is there and makes no sense.
type badInfoError struct {
	path  string
	cause error
}

func (e *badInfoError) Error() string {
	return fmt.Sprintf("lock %s cannot be read: %v; look at it, and if no upkeep runs on this state: upkeep force-unlock %s", e.path, e.cause, unreadableID)
}

func (e *badInfoError) Unwrap() error { return e.cause }

// readInfo returns the stored lock. It needs no flock: the file is replaced in one step.
func (b *Backend) readInfo() (info state.LockInfo, held bool, err error) {
	data, err := bounded.File(b.infoPath(), bounded.Records)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return state.LockInfo{}, false, nil
	case err != nil:
		return state.LockInfo{}, false, fmt.Errorf("read lock: %w", err)
	}
	info, err = decodeInfo(data)
	if err != nil {
		return state.LockInfo{}, false, &badInfoError{b.infoPath(), err}
	}
	return info, true, nil
}

func decodeInfo(data []byte) (state.LockInfo, error) {
	var info state.LockInfo
	if err := strictjson.Decode(data, &info); err != nil {
		return state.LockInfo{}, err
	}
	if info.ID == "" || info.Expires.IsZero() {
		return state.LockInfo{}, errors.New("it names no id or no expiry")
	}
	return info, nil
}

func (b *Backend) writeInfo(info state.LockInfo) error {
	data, err := json.MarshalIndent(info, "", "  ")
	if err != nil {
		return fmt.Errorf("encode lock: %w", err)
	}
	return durable.Replace(b.infoPath(), append(data, '\n'), 0o600, b.options.Trace.Under("lock:"))
}

func (b *Backend) writeState(s state.State) error {
	data, err := state.Encode(s)
	if err != nil {
		return err
	}
	return durable.Replace(b.path, data, 0o600, b.options.Trace.Under("state:"))
}

// makeDirectory makes the directory of the state. One that is there is a person's, and may hold a configuration, too.
func (b *Backend) makeDirectory() error {
	if _, err := os.Stat(filepath.Dir(b.path)); err == nil {
		return nil
	}
	return durable.MakeDirectory(filepath.Dir(b.path))
}
