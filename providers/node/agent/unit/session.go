package unit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/store"
	"upkeep/providers/node/protocol"
)

// Carry has a request run in a unit of its own and waits for its result: it starts the unit, or attaches to the one
// that an earlier, equal request started. When ctx ends it stops waiting and the unit goes on.
//
// Into result goes what the unit returned, and how it was run, as the field "performed".
func (u *Units) Carry(ctx context.Context, row protocol.Row, run protocol.Run, content, result any, progress func(string)) error {
	if err := u.Fence.Admit(run); err != nil {
		return err
	}
	dir, attached, err := u.launch(ctx, row, run, content)
	if err != nil {
		return err
	}
	id := dir.Path()[strings.LastIndexByte(dir.Path(), '/')+1:]
	if attached {
		progress("this was begun by an earlier request; following " + u.Start.Name(id))
	} else {
		progress("performed by " + u.Start.Name(id))
	}
	r, b, err := u.follow(ctx, dir, progress)
	if err != nil {
		return err
	}
	how := protocol.Performed{By: b.By, Began: b.At, Ended: r.Ended, Attached: attached}
	made := r.Result
	switch r.Outcome {
	case facts.OutcomeDone:
	case facts.OutcomeRebooted:
		progress(b.By + ": " + facts.OutcomeRebooted)
		how.Rebooted, made = true, []byte("{}")
	default:
		return errors.New(r.Error)
	}
	performed, err := json.Marshal(map[string]any{"performed": how})
	if err != nil {
		return err
	}
	for _, text := range [][]byte{made, performed} {
		if err := json.Unmarshal(text, result); err != nil {
			return fmt.Errorf("the result of %s cannot be read: %w", b.By, err)
		}
	}
	return nil
}

// launch returns the directory of a request whose unit has begun, or has ended; attached says that it was there before.
func (u *Units) launch(ctx context.Context, row protocol.Row, run protocol.Run, content any) (_ *disk.Dir, attached bool, err error) {
	key, id, err := identify(row.Name, run, content)
	if err != nil {
		return nil, false, err
	}
	base, operations, err := u.open()
	if err != nil {
		return nil, false, err
	}
	unlock, err := store.Wait(base, startLock, lockPatience)
	if err != nil {
		return nil, false, fmt.Errorf("another session is starting a change: %w", err)
	}
	defer unlock()
	if err := u.tidy(base, operations); err != nil {
		return nil, false, err
	}
	if dir, err := u.inProgress(operations, key, id); err != nil || dir != nil {
		return dir, true, err
	}
	dir, err := store.Private(operations, id)
	if err != nil {
		return nil, false, err
	}
	_, asked, err := lookup[request](dir, requestFile)
	if err != nil {
		return nil, false, err
	}
	_, started, err := lookup[begun](dir, begunFile)
	if err != nil || started {
		return dir, true, err
	}
	if !asked {
		text, err := json.Marshal(content)
		if err != nil {
			return nil, false, err
		}
		u.at(run.Step, "request")
		if err := write(dir, requestFile, request{Method: row.Name, Run: run, Who: u.Who, Made: u.now(), Restarts: row.Unit.Restarts, Content: text}); err != nil {
			return nil, false, err
		}
	}
	u.at(run.Step, "start")
	if err := u.Start.Start(ctx, id, Terms{row.Allowed(run), row.Unit.Hardening}); err != nil {
		return nil, false, fmt.Errorf("start %s: %w", u.Start.Name(id), err)
	}
	u.at(run.Step, "started")
	return dir, false, u.awaitBegin(dir, id)
}

// inProgress returns the directory of the same piece of work of another generation that is being run now.
func (u *Units) inProgress(operations *disk.Dir, key, id string) (*disk.Dir, error) {
	entries, err := operations.List()
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.Name == id || !strings.HasPrefix(e.Name, key+"-") {
			continue
		}
		dir, err := operations.Sub(e.Name)
		if err != nil {
			return nil, err
		}
		busy, err := running(dir, func() error { return nil })
		if err != nil {
			return nil, err
		}
		if busy {
			return dir, nil
		}
	}
	return nil, nil
}

// awaitBegin waits until a unit that was started says that it begins. One that does not is barred from beginning late.
func (u *Units) awaitBegin(dir *disk.Dir, id string) error {
	for deadline := time.Now().Add(u.startLimit()); ; time.Sleep(poll) {
		if _, there, err := lookup[begun](dir, begunFile); err != nil || there {
			return err
		}
		if time.Now().Before(deadline) {
			continue
		}
		busy, err := running(dir, func() error {
			b := begun{At: u.now(), By: u.Start.Name(id), Boot: u.Fence.Clock.Boot()}
			if _, there, err := lookup[begun](dir, begunFile); err != nil || there {
				return err
			}
			if err := write(dir, begunFile, b); err != nil {
				return err
			}
			return write(dir, resultFile, result{Ended: u.now(), Outcome: facts.OutcomeFailed, Error: fmt.Sprintf(
				"%s was started and did nothing in %s; nothing was changed: see `journalctl -u upkeep-%s` on the node", b.By, u.startLimit(), id)})
		})
		if err != nil || !busy {
			return err
		}
	}
}

// follow reports what a unit says and returns its result.
func (u *Units) follow(ctx context.Context, dir *disk.Dir, progress func(string)) (result, begun, error) {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	var offset int64
	for {
		b, _, err := lookup[begun](dir, begunFile)
		if err != nil {
			return result{}, b, err
		}
		// Whether it runs is asked before its result is looked for: one that ends in between has left one.
		down := false
		busy, err := running(dir, func() error {
			if _, there, err := lookup[result](dir, resultFile); err != nil || there {
				return err
			}
			q, err := read[request](dir, requestFile)
			if err != nil {
				return err
			}
			if down = u.goingDown(dir, q, b); !down {
				_, err = u.recordDeath(dir, q, b)
			}
			return err
		})
		if err != nil {
			return result{}, b, err
		}
		if offset, err = say(dir, offset, progress); err != nil {
			return result{}, b, err
		}
		if !busy && !down {
			r, err := read[result](dir, resultFile)
			if err != nil {
				return r, b, err
			}
			return r, b, u.noted(dir, b, r)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return result{}, b, fmt.Errorf("stopped waiting for %s, which goes on: %w", b.By, context.Cause(ctx))
		}
	}
}

// noted puts the end of a unit into the journal where its own process did not come to it.
func (u *Units) noted(dir *disk.Dir, b begun, r result) error {
	q, err := read[request](dir, requestFile)
	if err != nil {
		return err
	}
	base, err := store.Open(u.Disk)
	if err != nil {
		return err
	}
	return u.remember(base, dir, q, b, r)
}

// say passes on the complete lines that a unit said since offset, and returns the offset after them.
func say(dir *disk.Dir, offset int64, progress func(string)) (int64, error) {
	for {
		text, err := dir.Tail(progressFile, offset, 64<<10)
		if err != nil {
			return offset, err
		}
		end := slices.Index(text, '\n')
		if end < 0 {
			return offset, nil
		}
		for ; end >= 0; end = slices.Index(text, '\n') {
			progress(string(text[:end]))
			text, offset = text[end+1:], offset+int64(end)+1
		}
	}
}

// tidy writes down what became of units that died, and removes the oldest of those that ended. The caller holds the lock of
// starting units.
func (u *Units) tidy(base, operations *disk.Dir) error {
	entries, err := operations.List()
	if err != nil {
		return err
	}
	type ended struct {
		name string
		at   time.Time
	}
	var over []ended
	for _, e := range entries {
		dir, err := operations.Sub(e.Name)
		if err != nil {
			return err
		}
		_, err = running(dir, func() error {
			at, done, err := u.settle(base, dir, e)
			if err == nil && done {
				over = append(over, ended{e.Name, at})
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("%w; if it is damaged: `rm -r %s`", err, dir.Path())
		}
	}
	slices.SortFunc(over, func(a, b ended) int { return b.at.Compare(a.at) })
	for i, e := range over {
		if i >= keep {
			if err := operations.RemoveAll(e.name); err != nil {
				return err
			}
		}
	}
	return nil
}

// abandoned is the age at which a request that no unit took up is thrown away.
const abandoned = time.Hour

// settle brings the record of a request that nobody runs to its end, where it has one.
func (u *Units) settle(base, dir *disk.Dir, e disk.Entry) (at time.Time, done bool, err error) {
	q, asked, err := lookup[request](dir, requestFile)
	if err != nil {
		return at, false, err
	}
	b, started, err := lookup[begun](dir, begunFile)
	if err != nil {
		return at, false, err
	}
	if !asked || !started {
		// Its session may have died before it started the unit. A unit may still be on its way: it is left its time.
		return e.Info.Modified, u.now().Sub(e.Info.Modified) > abandoned, nil
	}
	r, there, err := lookup[result](dir, resultFile)
	if err == nil && !there && u.goingDown(dir, q, b) {
		return b.At, false, nil
	}
	if err == nil && !there {
		r, err = u.recordDeath(dir, q, b)
	}
	if err != nil {
		return at, false, err
	}
	return r.Ended, true, u.remember(base, dir, q, b, r)
}

// Self is the path of this program, by which a unit starts it again.
func Self() (string, error) {
	p, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find the helper's own executable: %w", err)
	}
	if _, err := os.Stat(p); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("the helper's own executable %s was removed while it ran", p)
	}
	return p, nil
}
