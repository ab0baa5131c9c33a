package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// History is what a journal says.
type History struct {
	Records []Record
	// Torn is the length of a last line that was cut off while it was written, in bytes; 0: there is none.
	Torn int
}

// Started reports whether the plan was ever started.
func (h History) Started() bool { return len(h.Records) > 0 }

// Last returns the last record about a step, and whether there is one.
func (h History) Last(step string) (Record, bool) {
	for _, r := range slices.Backward(h.Records) {
		if r.Step == step {
			return r, true
		}
	}
	return Record{}, false
}

// Done returns the record that says that a step acted and was proved, and whether there is one.
func (h History) Done(step string) (Record, bool) {
	for _, r := range slices.Backward(h.Records) {
		if r.Step == step && r.Kind == StepDone {
			return r, true
		}
	}
	return Record{}, false
}

// UnderWay returns the ids of the steps that were started and have no end, in order of their start.
func (h History) UnderWay() []string {
	var open []string
	for _, r := range h.Records {
		switch {
		case r.Kind == StepStarted:
			if !slices.Contains(open, r.Step) {
				open = append(open, r.Step)
			}
		case r.Kind.ends():
			open = slices.DeleteFunc(open, func(id string) bool { return id == r.Step })
		}
	}
	return open
}

// CorruptError says that a journal makes no sense. The file was left as it is.
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
	return fmt.Sprintf("journal %s is corrupt in line %d: %v; it was left untouched, and its plan cannot be continued; make a new plan (the cluster is observed anew) and apply that", path, e.Line, e.Cause)
}

// Unwrap returns the cause.
func (e *CorruptError) Unwrap() error { return e.Cause }

// Replay reads a whole journal. It fails with a *CorruptError on anything but whole records in order, and perhaps a
// last line without its end.
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
			err = follows(h.Records, record)
		}
		if err != nil {
			return History{}, 0, &CorruptError{Line: line, Cause: err}
		}
		h.Records = append(h.Records, record)
		crc, data = next, data[end+1:]
	}
	return h, crc, nil
}

// follows says whether a record can come after others.
func follows(before []Record, r Record) error {
	if want := uint64(len(before)) + 1; r.Seq != want {
		return fmt.Errorf("its sequence number is %d and should be %d", r.Seq, want)
	}
	if len(before) == 0 {
		if r.Kind != RunStarted {
			return fmt.Errorf("it is %q; a journal begins with %q", r.Kind, RunStarted)
		}
		return nil
	}
	switch {
	case r.Kind == RunStarted:
		if first := before[0]; r.Plan != first.Plan || r.Digest != first.Digest {
			return fmt.Errorf("it starts plan %s (%s) in the journal of plan %s (%s)", r.Plan, r.Digest, first.Plan, first.Digest)
		}
	case before[len(before)-1].Kind == RunEnded:
		return fmt.Errorf("it is %q after the run's end", r.Kind)
	case r.Kind == RunEnded:
	case r.Kind == StepStarted, r.Kind.ends():
		if r.Step == "" {
			return fmt.Errorf("it is %q and names no step", r.Kind)
		}
	default:
		return fmt.Errorf("its kind %q is not known", r.Kind)
	}
	return nil
}

// Read returns what the journal of a plan says, and changes nothing. A journal that does not exist is an empty history.
func Read(directory, plan string) (History, error) {
	if err := CheckPlanID(plan); err != nil {
		return History{}, err
	}
	path := pathOf(directory, plan)
	data, err := os.ReadFile(path)
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
