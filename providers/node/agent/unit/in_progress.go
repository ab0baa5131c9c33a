package unit

import (
	"errors"
	"io/fs"
	"slices"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/store"
)

// InProgress returns the requests that are being run now, no matter who brought them. It records nothing: what became of a unit
// that died is for the next session that changes something to write down.
func (u *Units) InProgress() facts.Work {
	operations, err := store.Look(u.Disk, directory)
	if errors.Is(err, fs.ErrNotExist) {
		return facts.Work{}
	}
	if err != nil {
		return facts.Work{Unknown: err.Error()}
	}
	entries, err := operations.List()
	if err != nil {
		return facts.Work{Unknown: err.Error()}
	}
	var found facts.Work
	for _, e := range entries {
		request, busy, err := u.look(operations, e)
		switch {
		case errors.Is(err, fs.ErrNotExist): // it was removed at the same time, as the oldest of those that ended are
		case err != nil:
			found.Unknown = err.Error()
		case busy:
			found.InProgress = append(found.InProgress, request)
		}
	}
	slices.SortStableFunc(found.InProgress, func(a, b facts.Request) int { return a.Began.Compare(b.Began) })
	return found
}

// look reports whether a request is being run: its unit lives, is about to begin, or its node is going down as the request
// expects.
func (u *Units) look(operations *disk.Dir, e disk.Entry) (r facts.Request, busy bool, err error) {
	dir, err := operations.Sub(e.Name)
	if err != nil {
		return r, false, err
	}
	q, asked, err := lookup[request](dir, requestFile)
	if err != nil || !asked {
		return r, false, err
	}
	b, started, err := lookup[begun](dir, begunFile)
	if err != nil {
		return r, false, err
	}
	r = facts.Request{Plan: q.Run.Plan, Step: q.Run.Step, Method: q.Method, By: b.By, Began: b.At}
	if !started {
		r.Began = q.Made
		return r, u.now().Sub(q.Made) < u.startLimit(), nil
	}
	ended := false
	alive, err := running(dir, func() error {
		_, ended, err = lookup[result](dir, resultFile)
		return err
	})
	return r, alive || err == nil && !ended && u.goingDown(dir, q, b), err
}
