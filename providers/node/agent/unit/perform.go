package unit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/store"
	"upkeep/providers/node/protocol"
)

// Work is what requests of one method ask for.
type Work struct {
	// Row is the method's in the table.
	Row protocol.Row
	// Do gets a request's content and returns its result.
	Do func(ctx context.Context, content []byte, progress func(string)) (any, error)
}

// Perform runs the request with the given id, as the process that was started for it. An error means that nothing
// was done here: what became of the work itself is in its result.
func (u *Units) Perform(ctx context.Context, id string, works map[string]Work) error {
	if err := CheckID(id); err != nil {
		return err
	}
	base, operations, err := u.open()
	if err != nil {
		return err
	}
	dir, err := operations.Sub(id)
	if err != nil {
		return err
	}
	// A session looks at this lock for an instant, to see whether anybody lives.
	unlock, err := store.Wait(dir, performerLock, time.Second)
	if err != nil {
		return fmt.Errorf("request %s is running: %w", id, err)
	}
	defer unlock()
	q, err := read[request](dir, requestFile)
	if err != nil {
		return err
	}
	if _, there, err := lookup[begun](dir, begunFile); err != nil || there {
		return errors.Join(err, fmt.Errorf("request %s was begun already, and is not begun twice", id))
	}
	b := begun{At: u.now(), By: u.Start.Name(id), Boot: u.Fence.Clock.Boot(), PID: os.Getpid()}
	u.at(q.Run.Step, "begin")
	if err := write(dir, begunFile, b); err != nil {
		return err
	}
	u.at(q.Run.Step, "begun")
	r, worked := u.outcome(ctx, base, dir, q, works)
	if q.Restarts && worked && r.Outcome != facts.OutcomeDone && ctx.Err() != nil {
		// It was told to stop, as the machine goes down: what became of it is judged after the boot.
		return errors.Join(fmt.Errorf("request %s was told to stop: %s", id, r.Error), dir.WriteFile(stoppingFile, 0o600, []byte("\n")))
	}
	u.at(q.Run.Step, "result")
	if err := write(dir, resultFile, r); err != nil {
		return err
	}
	u.at(q.Run.Step, "journal")
	return u.remember(base, dir, q, b, r)
}

// outcome does the work and turns whatever happens into a result; worked says that it came to the work.
func (u *Units) outcome(ctx context.Context, base, dir *disk.Dir, q request, works map[string]Work) (r result, worked bool) {
	progress := u.progress(dir)
	text, err := func() (text []byte, err error) {
		defer func() {
			if p := recover(); p != nil {
				fmt.Fprintf(os.Stderr, "upkeep-node: %v\n%s", p, debug.Stack()) // the unit's journal
				err = fmt.Errorf("the helper failed: %v", p)
			}
		}()
		work, ok := works[q.Method]
		if !ok {
			return nil, fmt.Errorf("this helper knows no request %q", q.Method)
		}
		unlock, err := u.exclude(base, q, progress)
		if err != nil {
			return nil, err
		}
		defer unlock()
		// Another run may have come while this one waited, or slept with its machine.
		if err := u.Fence.Admit(q.Run); err != nil {
			return nil, err
		}
		u.at(q.Run.Step, "work")
		worked = true
		limit := work.Row.Allowed(q.Run)
		ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not finished after %s", limit))
		defer cancel()
		made, err := work.Do(ctx, q.Content, progress)
		u.at(q.Run.Step, "worked")
		if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("%w (%w)", err, context.Cause(ctx))
		}
		if err != nil {
			return nil, err
		}
		return json.Marshal(made)
	}()
	r = result{Ended: u.now(), Outcome: facts.OutcomeDone, Result: text}
	if err != nil {
		r = result{Ended: u.now(), Outcome: facts.OutcomeFailed, Error: err.Error()}
	}
	return r, worked
}

// exclude takes the node's lock, under which one request at a time changes something.
func (u *Units) exclude(base *disk.Dir, q request, progress func(string)) (unlock func(), err error) {
	unlock, err = base.Lock(changeLock)
	if errors.Is(err, disk.ErrLocked) {
		progress("waiting for another change on this node to end: " + holder(base))
		if unlock, err = store.Wait(base, changeLock, changePatience); errors.Is(err, disk.ErrLocked) {
			return nil, fmt.Errorf("another change is in progress on this node: %s; nothing was changed here", holder(base))
		}
	}
	if err != nil {
		return nil, err
	}
	if err := base.WriteFile(changeLock+".by", 0o600, []byte(q.Method+", "+q.Run.String())); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

func holder(base *disk.Dir) string {
	text, _, err := base.Read(changeLock+".by", maxLine)
	if err != nil {
		return "which, is unknown: " + err.Error()
	}
	return string(text)
}

// progress returns a function that writes lines down for the session that follows. What cannot be written is not said: the
// work matters more.
func (u *Units) progress(dir *disk.Dir) func(string) {
	full := false
	return func(line string) {
		line = strings.Map(func(c rune) rune {
			if c < ' ' {
				return ' '
			}
			return c
		}, line)
		if len(line) > maxLine {
			line = line[:maxLine]
		}
		if full {
			return
		}
		size, err := dir.Append(progressFile, []byte(line+"\n"), false)
		full = err == nil && size > maxProgress
	}
}
