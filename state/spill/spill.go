// Package spill keeps the records of a run whose journal takes no more, in a file on this machine, and adds them to the
// journal later.
//
// It is for what happens between a failed append and the end of a run: steps that were in progress are finished, and guards
// that were begun are ended. Those records must not be lost, since the next run acts on them. The next apply merges them
// before it does anything else, on whatever plan (Merge). Merging is idempotent: a process that dies at any instant of it
// leaves records once in the journal, never twice.
//
// A file is believed only with the state's key: each line has a MAC that covers all lines before it. So nobody who can
// write into a directory can make a run believe that a step is done.
package spill

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"upkeep/state"
	"upkeep/state/durable"
	"upkeep/state/journal"
)

// version is the format of the files.
const version = 1

// ending is of files that must be merged; asideEnding of those that cannot be.
const (
	ending      = ".spill"
	asideEnding = ".aside"
)

// Place says whose records are spilled, and where to.
type Place struct {
	// Directories are tried in order; each is made (0700) where it is not there.
	Directories   []string
	Lineage, Plan string
	Key           state.Key
	// Trace is for tests; nil elsewhere.
	Trace durable.Tracer
}

// header is the first line of a file.
type header struct {
	Version int    `json:"version"`
	Lineage string `json:"lineage"`
	Plan    string `json:"plan"`
	// After is how many records the journal has. Tried are those whose append failed: the journal may have some.
	After int              `json:"after"`
	Tried []journal.Record `json:"tried"`
}

// Journal is a journal that spills. It is safe for use by several goroutines.
type Journal struct {
	to    state.Journal
	place Place

	mu    sync.Mutex
	count int // records that the journal has
	cause error
	path  string
	lines *writer
	lost  error
}

// Guard returns a journal that appends to another one, which has the given history, until that fails.
func Guard(to state.Journal, history journal.History, place Place) *Journal {
	return &Journal{to: to, place: place, count: len(history.Records())}
}

// Append appends to the journal. The first time that this fails it returns a *journal.SpilledError and keeps those records
// of the group that say what has happened: a start that could not be recorded does not take place. From then on records are
// on stable storage in the file when it returns nil; a *journal.SpilledError then says that they are not.
func (j *Journal) Append(records ...journal.Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.cause != nil {
		if j.lost == nil {
			j.lost = j.keep(records)
		}
		return j.lostError()
	}
	err := j.to.Append(records...)
	var refused *journal.RefusedError
	if err == nil {
		j.count += len(records)
		return nil
	}
	if errors.As(err, &refused) {
		return err
	}
	j.cause = err
	if j.lost = j.create(records); j.lost == nil {
		j.lost = j.keep(happened(records))
	}
	return &journal.SpilledError{Cause: j.cause, Path: j.path, Lost: j.lost}
}

// lostError returns why records are not kept; nil: they are.
func (j *Journal) lostError() error {
	if j.lost == nil {
		return nil
	}
	return &journal.SpilledError{Cause: j.cause, Path: j.path, Lost: j.lost}
}

// happened returns the records that say what has happened already.
func happened(records []journal.Record) (out []journal.Record) {
	for _, r := range records {
		if r.Kind != journal.RunStarted && r.Kind != journal.StepStarted {
			out = append(out, r)
		}
	}
	return out
}

// create makes the file in the first directory that takes it.
func (j *Journal) create(tried []journal.Record) error {
	var errs []error
	if len(j.place.Directories) == 0 {
		errs = append(errs, errors.New("no directory is known"))
	}
	for _, dir := range j.place.Directories {
		lines, path, err := j.createIn(dir, tried)
		if err == nil {
			j.lines, j.path = lines, path
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (j *Journal) createIn(dir string, tried []journal.Record) (_ *writer, path string, err error) {
	if err := journal.CheckPlanID(j.place.Plan); err != nil {
		return nil, "", err
	}
	if err := durable.MakeDirectory(dir); err != nil {
		return nil, "", err
	}
	path = filepath.Join(dir, j.place.Lineage+"_"+j.place.Plan+"_"+rand.Text()[:8]+ending)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return nil, "", fmt.Errorf("keep records of the journal: %w", err)
	}
	lines := &writer{file: file, key: j.place.Key, trace: j.place.Trace}
	err = lines.write([]any{header{Version: version, Lineage: j.place.Lineage, Plan: j.place.Plan, After: j.count, Tried: tried}})
	if err == nil {
		err = durable.SyncDirectory(dir)
	}
	if err != nil {
		return nil, "", errors.Join(err, file.Close(), os.Remove(path))
	}
	return lines, path, nil
}

// keep writes records to the file.
func (j *Journal) keep(records []journal.Record) error {
	var values []any
	for _, r := range records {
		r.Seq = 0
		values = append(values, r)
	}
	if len(values) == 0 {
		return nil
	}
	return j.lines.write(values)
}

// Close closes the file, where there is one, and the journal.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var errs []error
	if j.lines != nil {
		errs = append(errs, j.lines.file.Close())
		j.lines, j.lost = nil, errors.New("the journal is closed")
	}
	if j.cause == nil {
		j.cause, j.lost = errors.New("the journal is closed"), errors.New("the journal is closed")
	}
	return errors.Join(append(errs, j.to.Close())...)
}

// writer writes lines: a MAC over this line and all before it, a space, JSON.
type writer struct {
	file  *os.File
	key   state.Key
	trace durable.Tracer
	last  string
}

func (w *writer) write(values []any) error {
	var lines []byte
	last := w.last
	for _, value := range values {
		text, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("encode a record: %w", err)
		}
		last = mac(w.key, last, text)
		lines = append(append(append(append(lines, last...), ' '), text...), '\n')
	}
	if _, err := w.file.Write(lines); err != nil {
		return err
	}
	w.trace.At("spill:written")
	if err := w.file.Sync(); err != nil {
		return err
	}
	w.last = last
	w.trace.At("spill:synced")
	return nil
}

// mac is of a line after another one.
func mac(key state.Key, before string, text []byte) string {
	return key.MAC("spill", append([]byte(before+"\n"), text...))
}
