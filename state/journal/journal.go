package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/gofrs/flock"

	"upkeep/state/durable"
)

// Journal is the open journal of one plan. It is safe for use by several goroutines.
type Journal struct {
	path  string
	file  *os.File
	guard *flock.Flock
	trace durable.Tracer

	mu      sync.Mutex
	history History
	crc     uint32
	broken  error
}

// BusyError says that another process has the journal of this plan open: an earlier apply of it that lost its lock and
// has not ended yet.
type BusyError struct{ Path string }

// Error implements error.
func (e *BusyError) Error() string {
	return fmt.Sprintf("journal %s is still written by another process (an apply of this plan that is stopping); apply again when it has ended", e.Path)
}

// Open opens the journal of a plan for appending, creates it (0600, in a directory of 0700) if it is not there, and
// returns what it says so far. A torn last line is cut off. It fails with *CorruptError, *BusyError or an I/O error,
// and has then changed nothing.
//
// The caller holds the state's lock. trace is for tests; nil elsewhere.
func Open(directory, plan string, trace durable.Tracer) (*Journal, History, error) {
	if err := CheckPlanID(plan); err != nil {
		return nil, History{}, err
	}
	if err := durable.MakeDirectory(directory); err != nil {
		return nil, History{}, fmt.Errorf("the journals' directory: %w", err)
	}
	j := &Journal{path: pathOf(directory, plan), trace: trace}
	h, err := j.open()
	if err != nil {
		j.Close()
		return nil, History{}, err
	}
	return j, h, nil
}

func (j *Journal) open() (History, error) {
	var err error
	j.file, err = os.OpenFile(j.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return History{}, fmt.Errorf("open journal: %w", err)
	}
	j.trace.At("journal:created")
	// A process whose lock was taken over may still be writing its last records: never two writers in one file.
	j.guard = flock.New(j.path)
	free, err := j.guard.TryLock()
	if err != nil {
		return History{}, fmt.Errorf("guard journal %s: %w", j.path, err)
	}
	if !free {
		return History{}, &BusyError{j.path}
	}
	data, err := io.ReadAll(j.file)
	if err != nil {
		return History{}, fmt.Errorf("read journal: %w", err)
	}
	if len(data) == 0 { // new, or its creator died before this
		if err := durable.SyncDirectory(filepath.Dir(j.path)); err != nil {
			return History{}, err
		}
		j.trace.At("journal:named")
	}
	h, crc, err := replay(data)
	if err != nil {
		return History{}, at(j.path, err)
	}
	if h.Torn > 0 {
		if err := j.file.Truncate(int64(len(data) - h.Torn)); err != nil {
			return History{}, fmt.Errorf("cut the torn last line off journal %s: %w", j.path, err)
		}
		if err := j.file.Sync(); err != nil {
			return History{}, fmt.Errorf("sync journal %s: %w", j.path, err)
		}
	}
	j.history, j.crc = h, crc
	return h.Clone(), nil
}

// Append writes records, all in one write, and returns when they are on stable storage; it sets Seq. A process that dies
// within a group leaves the first ones of it, or none. A record that Replay would refuse is an error, and nothing of its
// group is written. After any other error the journal takes no further record: what is in the file is then unknown (a
// failed fsync may drop pages), and only Open can tell.
func (j *Journal) Append(records ...Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil {
		return j.broken
	}
	lines, group, crc, err := j.encode(records)
	if err != nil || len(group) == 0 {
		return err
	}
	if _, err := j.file.Write(lines); err != nil {
		j.broken = fmt.Errorf("write journal %s: %w", j.path, err)
		return j.broken
	}
	j.trace.At("journal:written")
	if err := j.file.Sync(); err != nil {
		j.broken = fmt.Errorf("sync journal %s: %w", j.path, err)
		return j.broken
	}
	j.history.Add(group...)
	j.crc = crc
	j.trace.At("journal:synced")
	return nil
}

// encode returns the lines of records that can come next, and the records as written.
func (j *Journal) encode(records []Record) (lines []byte, group []Record, crc uint32, err error) {
	first, last, crc := j.history.First(), j.history.last(), j.crc
	for i, r := range records {
		count := len(j.history.records) + i
		r.Seq, r.At = uint64(count)+1, r.At.UTC()
		// What Replay would refuse must never be written.
		if err := follows(first, last, count, r); err != nil {
			return nil, nil, 0, &RefusedError{Path: j.path, Cause: err}
		}
		var line []byte
		if line, crc, err = encode(r, crc); err != nil {
			return nil, nil, 0, &RefusedError{Path: j.path, Cause: err}
		}
		if count == 0 {
			first = r
		}
		last, lines, group = r, append(lines, line...), append(group, r)
	}
	return lines, group, crc, nil
}

// RefusedError says that a record makes no sense at its place. Nothing was written, and the journal takes others.
type RefusedError struct {
	Path  string
	Cause error
}

// Error implements error.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("journal %s: record refused: %v", e.Path, e.Cause)
}

// Unwrap returns the cause.
func (e *RefusedError) Unwrap() error { return e.Cause }

// History returns what the journal says now.
func (j *Journal) History() History {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.history.Clone()
}

// Path returns the journal's file.
func (j *Journal) Path() string { return j.path }

// Close closes the journal. It adds no record.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken == nil {
		j.broken = fmt.Errorf("journal %s is closed", j.path)
	}
	var errs []error
	if j.guard != nil {
		errs = append(errs, j.guard.Close())
	}
	if j.file != nil {
		errs = append(errs, j.file.Close())
		j.file = nil
	}
	return errors.Join(errs...)
}

func pathOf(directory, plan string) string { return filepath.Join(directory, plan+Ending) }
