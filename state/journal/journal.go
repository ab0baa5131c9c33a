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

	mu     sync.Mutex
	seq    uint64
	crc    uint32
	last   Kind
	first  Record
	broken error
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
	if err := makeDirectory(directory); err != nil {
		return nil, History{}, err
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
	j.seq, j.crc = uint64(len(h.Records)), crc
	if h.Started() {
		j.first, j.last = h.Records[0], h.Records[len(h.Records)-1].Kind
	}
	return h, nil
}

// Append writes one record and returns when it is on stable storage; it sets Seq. After an error the journal takes no
// further record: what lies in the file is then unknown (a failed fsync may drop pages), and only Open can tell.
func (j *Journal) Append(r Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil {
		return j.broken
	}
	r.Seq, r.At = j.seq+1, r.At.UTC()
	// What Replay would refuse must never be written.
	if err := j.allows(r); err != nil {
		return fmt.Errorf("journal %s: record refused: %w", j.path, err)
	}
	line, crc, err := encode(r, j.crc)
	if err != nil {
		return err
	}
	if _, err := j.file.Write(line); err != nil {
		j.broken = fmt.Errorf("write journal %s: %w", j.path, err)
		return j.broken
	}
	j.trace.At("journal:written")
	if err := j.file.Sync(); err != nil {
		j.broken = fmt.Errorf("sync journal %s: %w", j.path, err)
		return j.broken
	}
	if j.seq == 0 {
		j.first = r
	}
	j.seq, j.crc, j.last = r.Seq, crc, r.Kind
	j.trace.At("journal:synced")
	return nil
}

func (j *Journal) allows(r Record) error {
	if j.seq == 0 {
		return follows(nil, r)
	}
	return follows([]Record{j.first, {Kind: j.last}}, Record{Seq: 3, Kind: r.Kind, Plan: r.Plan, Digest: r.Digest, Step: r.Step})
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

func pathOf(directory, plan string) string { return filepath.Join(directory, plan+journalEnding) }

// makeDirectory creates the directory of the journals and makes its name durable.
func makeDirectory(directory string) error {
	if info, err := os.Stat(directory); err == nil && info.IsDir() {
		return nil
	}
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return fmt.Errorf("create the journals' directory: %w", err)
	}
	return durable.SyncDirectory(filepath.Dir(directory))
}
