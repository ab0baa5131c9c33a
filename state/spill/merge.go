package spill

import (
	"bytes"
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"upkeep/providers/bounded"
	"upkeep/providers/strictjson"
	"upkeep/state"
	"upkeep/state/durable"
	"upkeep/state/journal"
)

// Merged is what became of one file.
type Merged struct {
	Path string
	Plan string
	// Records is how many were added to the journal; those that it had already do not count.
	Records int
	// Problem is why nothing was added; empty: nothing was in the way. The file was then renamed to Aside.
	Problem, Aside string
}

// String says it in one line.
func (m Merged) String() string {
	if m.Problem != "" {
		return fmt.Sprintf("the journal's records in %s were not added to the journal of plan %s: %s; the file is now %s", m.Path, m.Plan, m.Problem, m.Aside)
	}
	return fmt.Sprintf("added %d records to the journal of plan %s that it could not take before (they were in %s)", m.Records, m.Plan, m.Path)
}

// Merge adds what was spilled of the runs of a state to their journals, and removes the files. A file that cannot be
// added is set aside and told; only an error of the journal or of the file system is an error, and the file then stays
// for the next time. Files of other states are left alone.
func Merge(ctx context.Context, lock state.Lock, directories []string, trace durable.Tracer) ([]Merged, error) {
	s := lock.State()
	var all []Merged
	for _, dir := range directories {
		entries, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return all, fmt.Errorf("look for spilled records of the journal: %w", err)
		}
		for _, entry := range entries {
			name := entry.Name()
			if !strings.HasPrefix(name, s.Lineage+"_") || !strings.HasSuffix(name, ending) || !entry.Type().IsRegular() {
				continue
			}
			m, err := merge(ctx, lock, filepath.Join(dir, name), trace)
			if err != nil {
				return all, fmt.Errorf("add the records in %s to the journal: %w", filepath.Join(dir, name), err)
			}
			if m.Records > 0 || m.Problem != "" {
				all = append(all, m)
			}
		}
	}
	return all, nil
}

func merge(ctx context.Context, lock state.Lock, path string, trace durable.Tracer) (Merged, error) {
	s := lock.State()
	m := Merged{Path: path}
	data, err := bounded.File(path, bounded.Records)
	if err != nil {
		return m, err
	}
	head, spilled, err := decode(data, s.Key, s.Lineage)
	if err != nil {
		return m.aside(err)
	}
	if m.Plan = head.Plan; m.Plan == "" { // it died before its first line was written: nothing was spilled
		return m, durable.Remove(path)
	}
	record, history, err := lock.Journal(ctx, head.Plan)
	var corrupt *journal.CorruptError
	if errors.As(err, &corrupt) {
		return m.aside(err)
	}
	if err != nil {
		return m, err
	}
	missing, err := missing(history.Records(), head, spilled)
	if err == nil {
		err = record.Append(missing...)
		var refused *journal.RefusedError
		if err != nil && !errors.As(err, &refused) {
			return m, errors.Join(err, record.Close())
		}
	}
	if closed := record.Close(); closed != nil {
		return m, closed
	}
	if err != nil {
		return m.aside(err)
	}
	m.Records = len(missing)
	trace.At("spill:merged")
	if err := durable.Remove(path); err != nil {
		return m, err
	}
	trace.At("spill:removed")
	return m, nil
}

// aside renames a file that cannot be merged, so that it is told once.
func (m Merged) aside(why error) (Merged, error) {
	m.Problem, m.Aside = why.Error(), m.Path+asideEnding
	if err := os.Rename(m.Path, m.Aside); err != nil {
		return m, err
	}
	return m, durable.SyncDirectory(filepath.Dir(m.Path))
}

// missing returns the spilled records that a journal lacks. It may have some of those whose append failed, and the
// first ones of those that were spilled, where an earlier merge died. With anything else after them the plan was
// continued without these records, and they come too late. Pure.
func missing(records []journal.Record, head header, spilled []journal.Record) ([]journal.Record, error) {
	if head.After > len(records) {
		return nil, fmt.Errorf("the journal has %d records and had %d", len(records), head.After)
	}
	tried := head.Tried
	for _, r := range records[head.After:] {
		known := false
		if len(tried) > 0 && tried[0].Same(r) {
			tried, known = tried[1:], true
		} else {
			tried = nil // what failed is a group: the journal has its first ones, or none
		}
		if len(spilled) > 0 && spilled[0].Same(r) {
			spilled, known = spilled[1:], true
		}
		if !known && len(spilled) > 0 {
			return nil, errors.New("the plan was applied again without them")
		}
		if !known {
			break
		}
	}
	return spilled, nil
}

// decode reads a file of a state. A last line that was cut off while it was written is left out; a file without a first
// line is empty.
func decode(data []byte, key state.Key, lineage string) (head header, records []journal.Record, err error) {
	before := ""
	for line := 1; ; line++ {
		text, rest, whole := bytes.Cut(data, []byte("\n"))
		if !whole {
			return head, records, nil
		}
		sum, text, _ := bytes.Cut(text, []byte(" "))
		if !hmac.Equal(sum, []byte(mac(key, before, text))) {
			return head, nil, fmt.Errorf("line %d was not written with the key of this state", line)
		}
		if line == 1 {
			err = strictjson.DecodeKnown(text, &head)
			switch {
			case err == nil && head.Version > version:
				err = fmt.Errorf("it has format version %d, and this upkeep reads up to %d; upgrade upkeep", head.Version, version)
			case err == nil && (head.Version < 1 || head.Lineage != lineage || head.After < 0 || journal.CheckPlanID(head.Plan) != nil):
				err = errors.New("it does not say whose records it has")
			}
		} else {
			var r journal.Record
			err = strictjson.DecodeKnown(text, &r)
			records = append(records, r)
		}
		if err != nil {
			return head, nil, fmt.Errorf("line %d: %w", line, err)
		}
		before, data = string(sum), rest
	}
}
