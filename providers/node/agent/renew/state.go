package renew

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/marks"
	"upkeep/providers/node/agent/store"
)

// Dir is where everything that outlives a request is kept on a node.
const Dir = store.Dir

const intentFile = "intent.json"

// state is the open directories of Dir, with the lock held.
type state struct {
	base                    *disk.Dir
	intents, stage, archive *disk.Dir
	close                   func()
}

// open makes what is kept, checks that nobody but root could have put anything there, and takes the lock.
func (r *Renewer) open() (*state, error) {
	base, err := store.Open(r.Disk)
	if err != nil {
		return nil, err
	}
	s := &state{base: base}
	for _, made := range []struct {
		name string
		dir  **disk.Dir
	}{{"intents", &s.intents}, {"stage", &s.stage}, {"archive", &s.archive}} {
		if *made.dir, err = store.Private(base, made.name); err != nil {
			return nil, err
		}
	}
	unlock, err := base.Lock("lock")
	if err != nil {
		return nil, fmt.Errorf("another change is in progress on this node: %w", err)
	}
	s.close = unlock
	return s, nil
}

// sweep removes what an earlier renewal left that had not begun to change anything: staging trees, archives that were
// not finished, and intents that were never recorded. The lock is held, so that nobody else works with them.
func (s *state) sweep() error {
	trees, err := s.stage.List()
	if err != nil {
		return err
	}
	for _, e := range trees {
		if err := s.stage.RemoveAll(e.Name); err != nil {
			return err
		}
	}
	archives, err := s.archive.List()
	if err != nil {
		return err
	}
	for _, e := range archives {
		if disk.Unfinished(e.Name) {
			if err := s.archive.Remove(e.Name); err != nil {
				return err
			}
		}
	}
	intents, err := s.intents.List()
	if err != nil {
		return err
	}
	for _, e := range intents {
		if s.recorded(e.Name) {
			continue
		}
		if err := s.intents.RemoveAll(e.Name); err != nil {
			return err
		}
	}
	return s.sweepMarks()
}

func (s *state) recorded(id string) bool {
	dir, err := s.intents.Sub(id)
	if err != nil {
		return false
	}
	_, err = dir.Stat(intentFile)
	return !errors.Is(err, fs.ErrNotExist)
}

// clear removes an intent: the record first, durably, so that no crash leaves a record without its files; its mark last.
func (s *state) clear(id string) error {
	dir, err := s.intents.Sub(id)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return marks.Clear(s.base, intentMark(id))
	case err != nil:
		return err
	}
	if err := dir.Remove(intentFile); err != nil {
		return err
	}
	if err := dir.Sync(); err != nil {
		return err
	}
	if err := s.intents.RemoveAll(id); err != nil {
		return err
	}
	return marks.Clear(s.base, intentMark(id))
}

// identifier names an intent, its staging tree and its archive after the step and the time.
func identifier(step string, now time.Time) string {
	clean := strings.Map(func(c rune) rune {
		if identifierRune(c) {
			return c
		}
		return '-'
	}, step)
	clean = strings.TrimLeft(clean, ".-")
	if len(clean) > 100 {
		clean = clean[:100]
	}
	if clean == "" {
		clean = "renew"
	}
	return clean + "-" + now.UTC().Format("20060102T150405.000Z")
}

func identifierRune(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("._@-", c)
}

// checkIdentifier refuses what identifier cannot have made: it becomes part of a path.
func checkIdentifier(id string) error {
	bad := strings.ContainsFunc(id, func(c rune) bool { return !identifierRune(c) })
	if id == "" || id[0] == '.' || len(id) > 200 || bad {
		return fmt.Errorf("%q names no intent", id)
	}
	return nil
}
