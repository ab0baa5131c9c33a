package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"

	"upkeep/providers/bounded"
)

// CorruptError says that a journal makes no sense. The file was left unchanged.
type CorruptError struct {
	Path  string
	Line  int // from 1
	Cause error
}

// Error implements error.
func (e *CorruptError) Error() string {
	path := e.Path
	if path == "" {
		path = "the journal"
	}
	return fmt.Sprintf("journal %s is corrupt in line %d: %v; it was left untouched, and its plan cannot be continued; make a new plan (the cluster is observed again) and apply that", path, e.Line, e.Cause)
}

// Unwrap returns the cause.
func (e *CorruptError) Unwrap() error { return e.Cause }

// Replay reads a complete journal. It fails with a *CorruptError on anything but complete records in order, and perhaps
// a last line without its end.
func Replay(data []byte) (History, error) {
	h, _, err := replay(data)
	return h, err
}

// replay returns the CRC that the next line continues, too.
func replay(data []byte) (History, uint32, error) {
	var h History
	var crc uint32
	for line := 1; len(data) > 0; line++ {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			h.Torn = len(data)
			break
		}
		record, next, err := decode(data[:end], crc)
		if err == nil {
			err = follows(h.First(), h.last(), len(h.records), record)
		}
		if err != nil {
			return History{}, 0, &CorruptError{Line: line, Cause: err}
		}
		h.Add(record)
		crc, data = next, data[end+1:]
	}
	return h, crc, nil
}

// Read returns what the journal of a plan says, and changes nothing. A journal that does not exist is an empty history.
func Read(directory, plan string) (History, error) {
	if err := CheckPlanID(plan); err != nil {
		return History{}, err
	}
	path := pathOf(directory, plan)
	data, err := bounded.File(path, bounded.Records)
	if errors.Is(err, fs.ErrNotExist) {
		return History{}, nil
	}
	if err != nil {
		return History{}, fmt.Errorf("read journal: %w", err)
	}
	h, err := Replay(data)
	return h, at(path, err)
}

func at(path string, err error) error {
	var corrupt *CorruptError
	if errors.As(err, &corrupt) {
		return &CorruptError{Path: path, Line: corrupt.Line, Cause: corrupt.Cause}
	}
	return err
}
