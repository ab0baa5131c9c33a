// Package history is a node's own memory of what upkeep did to it: one line of JSON for each request that changed
// something, in /var/lib/upkeep/journal.jsonl, for root's eyes alone.
//
// It is a copy for the day on which the machine that upkeep ran on is gone; nothing is decided by it. Its size is bounded:
// past a limit the file becomes journal.jsonl.1, whose predecessor is dropped.
package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/store"
	"upkeep/providers/strictjson"
)

const (
	name     = "journal.jsonl"
	previous = "journal.jsonl.1"
	// rotateAt is some two thousand entries.
	rotateAt = 1 << 20
	// maxError keeps one entry from pushing all the others out.
	maxError = 2000
	// answered is how many entries an observation returns at most.
	answered = 50
)

// Append adds one entry durably. The caller holds a lock that keeps other writers away.
func Append(base *disk.Dir, e facts.HistoryEntry) error {
	if len(e.Error) > maxError {
		e.Error = e.Error[:maxError] + "..."
	}
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("remember what was done: %w", err)
	}
	// A line break before it ends a line that a crash cut off; readers pass over empty lines.
	size, err := base.Append(name, append(append([]byte{'\n'}, line...), '\n'), true)
	if err != nil {
		return fmt.Errorf("remember what was done: %w", err)
	}
	if size > rotateAt {
		if err := base.Rename(name, previous); err != nil {
			return fmt.Errorf("remember what was done: %w", err)
		}
	}
	return nil
}

// Last returns the last entries, oldest first. A line that cannot be read was cut off by a crash and is passed over.
func Last(d *disk.Disk) facts.History {
	base, err := store.Look(d)
	if errors.Is(err, fs.ErrNotExist) {
		return facts.History{}
	}
	if err != nil {
		return facts.History{Unknown: err.Error()}
	}
	var found facts.History
	for _, file := range []string{previous, name} {
		text, _, err := base.Read(file, 2*rotateAt)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return facts.History{Unknown: path.Join(store.Dir, file) + ": " + err.Error()}
		}
		for line := range bytes.Lines(text) {
			if e, ok := parse(line); ok {
				found.Entries = append(found.Entries, e)
			}
		}
	}
	if n := len(found.Entries); n > answered {
		found.Entries = found.Entries[n-answered:]
	}
	return found
}

func parse(line []byte) (facts.HistoryEntry, bool) {
	var e facts.HistoryEntry
	if err := strictjson.Decode(line, &e); err != nil {
		return facts.HistoryEntry{}, false
	}
	return e, e.Method != "" && e.Outcome != ""
}
