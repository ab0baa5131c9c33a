// Package marks remembers what upkeep put on a node and means to take away again, one record for each thing, made before
// the thing and removed after it: so that what an interrupted run left can be found and undone without anybody's memory
// but the node's, and nothing else is ever undone.
//
// It undoes nothing itself: the package that made a thing knows how.
package marks

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/store"
	"upkeep/providers/node/protocol"
	"upkeep/providers/strictjson"
)

const (
	directory = "marks"
	suffix    = ".json"
	version   = 1
	// maxMark is far above what a mark needs.
	maxMark = 64 << 10
)

// Mark is the record of one thing.
type Mark struct {
	Version int `json:"version"`
	// Kind tells the package that made the thing how to undo it; Name is the thing's name among those of its kind.
	Kind string `json:"kind"`
	Name string `json:"name"`
	// What, Previous and Undo say in words what the thing is, what was there before, and what undoing it does.
	What     string       `json:"what"`
	Previous string       `json:"previous"`
	Undo     string       `json:"undo"`
	Run      protocol.Run `json:"run"`
	Made     time.Time    `json:"made"`
}

// ID names the mark.
func (m Mark) ID() string { return m.Kind + ":" + m.Name }

// Make records a mark durably, before the thing is made. One that is there already is replaced.
func Make(base *disk.Dir, m Mark) error {
	m.Version = version
	if err := check(m.ID()); err != nil {
		return err
	}
	dir, err := store.Private(base, directory)
	if err != nil {
		return err
	}
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("mark %s: %w", m.ID(), err)
	}
	return dir.WriteFile(m.ID()+suffix, 0o600, text)
}

// Clear removes a mark durably, after the thing is gone. One that is not there is fine.
func Clear(base *disk.Dir, id string) error {
	if err := check(id); err != nil {
		return err
	}
	dir, err := base.Sub(directory)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := dir.Remove(id + suffix); err != nil {
		return err
	}
	return dir.Sync()
}

// Sweep removes the marks that gone says lead nowhere, and what an interrupted write of a mark left. The caller holds the
// lock under which marks are made.
func Sweep(base *disk.Dir, gone func(Mark) bool) error {
	dir, err := base.Sub(directory)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	entries, err := dir.List()
	if err != nil {
		return err
	}
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name, suffix)
		m, err := read(dir, id)
		if disk.Unfinished(e.Name) || ok && err == nil && gone(m) {
			if err := dir.Remove(e.Name); err != nil {
				return err
			}
		}
	}
	return dir.Sync()
}

// Get returns the mark with an id; an error that wraps fs.ErrNotExist means that there is none.
func Get(base *disk.Dir, id string) (Mark, error) {
	if err := check(id); err != nil {
		return Mark{}, err
	}
	dir, err := base.Sub(directory)
	if err != nil {
		return Mark{}, err
	}
	return read(dir, id)
}

// Found returns all marks of a node, sorted.
func Found(d *disk.Disk) facts.Marks {
	dir, err := store.Look(d, directory)
	if errors.Is(err, fs.ErrNotExist) {
		return facts.Marks{}
	}
	if err != nil {
		return facts.Marks{Unknown: err.Error()}
	}
	entries, err := dir.List()
	if err != nil {
		return facts.Marks{Unknown: err.Error()}
	}
	var found facts.Marks
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name, suffix)
		if !ok {
			continue // an interrupted write: nothing was made yet
		}
		m, err := read(dir, id)
		if err != nil {
			found.Found = append(found.Found, facts.Mark{ID: id, Unknown: err.Error()})
			continue
		}
		f := facts.Mark{ID: id, What: m.What, Made: m.Made, Undo: m.Undo}
		if m.Run != (protocol.Run{}) {
			f.Run = m.Run.String()
		}
		found.Found = append(found.Found, f)
	}
	return found
}

func read(dir *disk.Dir, id string) (Mark, error) {
	if err := dir.TrustFile(id + suffix); err != nil {
		return Mark{}, err
	}
	text, _, err := dir.Read(id+suffix, maxMark)
	if err != nil {
		return Mark{}, err
	}
	return parse(path.Join(dir.Path(), id+suffix), id, text)
}

func parse(p, id string, text []byte) (Mark, error) {
	var m Mark
	if err := strictjson.DecodeKnown(text, &m); err != nil {
		return Mark{}, fmt.Errorf("%s cannot be parsed: %w", p, err)
	}
	if m.Version != version {
		return Mark{}, fmt.Errorf("%s is of version %d; this program knows %d: undo it with the version of upkeep that made it", p, m.Version, version)
	}
	if m.ID() != id || check(id) != nil {
		return Mark{}, fmt.Errorf("%s holds another mark than its name says", p)
	}
	return m, nil
}

// check refuses an id that is no name of a file in the directory of marks.
func check(id string) error {
	kind, name, ok := strings.Cut(id, ":")
	bad := func(s string) bool {
		return s == "" || s[0] == '.' || strings.ContainsFunc(s, func(c rune) bool {
			return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("._@-", c))
		})
	}
	if !ok || bad(kind) || bad(name) || len(id) > 240 {
		return fmt.Errorf("%q names no mark", id)
	}
	return nil
}
