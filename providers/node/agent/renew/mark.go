package renew

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"upkeep/providers/node/agent/marks"
	"upkeep/providers/node/protocol"
)

// The kinds of marks that a renewal makes.
const (
	stageKind  = "stage"
	intentKind = "intent"
)

func intentMark(id string) string { return marks.Mark{Kind: intentKind, Name: id}.ID() }

func stageMark(id string) string { return marks.Mark{Kind: stageKind, Name: id}.ID() }

// markStage says, before it is made, that there is a tree with copies of keys.
func (s *state) markStage(id string, run protocol.Run, now time.Time) error {
	return marks.Make(s.base, marks.Mark{
		Kind: stageKind, Name: id, What: "staging tree " + path.Join(Dir, "stage", id), Previous: "nothing", Undo: "remove it",
		Run: run, Made: now.UTC(),
	})
}

// markIntent says, before it is recorded, that there is an intent.
func (s *state) markIntent(id string, run protocol.Run, archive string, now time.Time) error {
	return marks.Make(s.base, marks.Mark{
		Kind: intentKind, Name: id, What: "intent " + path.Join(Dir, "intents", id), Previous: "the files in " + archive,
		Undo: "repair it: put in place what is whole, and put back the rest", Run: run, Made: now.UTC(),
	})
}

// unstage removes a staging tree and then its mark.
func (s *state) unstage(id string) error {
	if err := s.stage.RemoveAll(id); err != nil {
		return err
	}
	return marks.Clear(s.base, stageMark(id))
}

// sweepMarks removes the marks of what is not there (any more): a crash came between the two.
func (s *state) sweepMarks() error {
	return marks.Sweep(s.base, func(m marks.Mark) bool {
		switch m.Kind {
		case stageKind:
			_, err := s.stage.Sub(m.Name)
			return errors.Is(err, fs.ErrNotExist)
		case intentKind:
			_, err := s.intents.Sub(m.Name)
			return errors.Is(err, fs.ErrNotExist)
		}
		return false
	})
}

// Undo undoes one mark of a renewal: a staging tree is removed, an intent is repaired. It refuses what was not marked.
func (r *Renewer) Undo(q protocol.UndoRequest, progress func(string)) (protocol.UndoResult, error) {
	fail := func(err error) (protocol.UndoResult, error) {
		return protocol.UndoResult{}, fmt.Errorf("undo mark %q: %w", q.Mark, err)
	}
	s, err := r.open()
	if err != nil {
		return fail(err)
	}
	defer s.close()
	m, err := marks.Get(s.base, q.Mark)
	if errors.Is(err, fs.ErrNotExist) {
		progress("there is no such mark any more: nothing to undo")
		return protocol.UndoResult{}, nil
	}
	if err != nil {
		return fail(err)
	}
	if err := checkIdentifier(m.Name); err != nil {
		return fail(err)
	}
	switch m.Kind {
	case stageKind:
		if err := s.unstage(m.Name); err != nil {
			return fail(err)
		}
		return protocol.UndoResult{Undone: "removed " + m.What}, nil
	case intentKind:
		if !s.recorded(m.Name) { // it never came to a record: nothing was begun
			if err := s.clear(m.Name); err != nil {
				return fail(err)
			}
			return protocol.UndoResult{Undone: "removed " + m.What + ", which had begun nothing"}, nil
		}
		repaired, err := r.repair(s, m.Name, progress)
		if err != nil {
			return fail(err)
		}
		return protocol.UndoResult{Undone: fmt.Sprintf("repaired %s: installed %d, put back or left %d", m.What, len(repaired.Installed), len(repaired.Discarded))}, nil
	}
	return fail(fmt.Errorf("nobody knows how to undo a mark of kind %q: undo it with the version of upkeep that made it", m.Kind))
}
