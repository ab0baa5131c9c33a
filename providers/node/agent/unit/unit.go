// Package unit runs requests that change a node in processes of their own, which outlive the session that brought
// them: a transient systemd unit where systemd runs, a detached process elsewhere.
//
// The session writes the request down, starts the unit, follows it and returns what became of it; when the connection is
// lost the unit goes on, and a later request that repeats it is attached to it. What a request does is not known here.
//
// It promises that one request of one run, step and content is run at most once, whatever dies and whenever: the
// unit says durably that it begins before it begins, and nobody begins what was begun. One that died without a result is
// reported as such; the next run (a newer generation) looks at the node and plans again. One whose method may boot the node,
// and which a boot ended, has done what was expected and is reported as that.
//
// Below /var/lib/upkeep, which root alone may enter:
//
//	operations.lock           held while a unit is looked for and started
//	operations/ID/            one request; ID is the digest of state, plan, step, method and content, and the generation
//	  request.json            what is asked
//	  performer               the lock of the process that carries it out, held for as long as that lives
//	  begun.json              written before anything is done
//	  progress                what it says until then, a line at a time
//	  result.json             what became of it
//	  stopping                it may boot its node, and was told to stop as the node goes down
//	  journalled              that it is in the node's journal
//	journal.lock              held while the node's journal is written
//	changing                  the lock of the one unit that changes something now
package unit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/fence"
	"upkeep/providers/node/agent/history"
	"upkeep/providers/node/agent/store"
	"upkeep/providers/node/protocol"
)

// The names of what is kept.
const (
	directory     = "operations"
	startLock     = "operations.lock"
	changeLock    = "changing"
	requestFile   = "request.json"
	performerLock = "performer"
	begunFile     = "begun.json"
	progressFile  = "progress"
	resultFile    = "result.json"
	stoppingFile  = "stopping"
	journalled    = "journalled"
	journalLock   = "journal.lock"
)

const (
	// keep is how many requests are kept after they ended.
	keep = 50
	// startLimit is the default of Units.StartLimit.
	startLimit = 20 * time.Second
	// lockPatience bounds the wait for another session that is starting a unit.
	lockPatience = 2 * startLimit
	// changePatience bounds the wait for another unit's change to end. The longest waits for a static pod: minutes.
	changePatience = time.Minute
	// downPatience is how long a machine may take to go down after it told its units to stop.
	downPatience = 10 * time.Minute
	// poll is how often a unit is looked at while it is followed.
	poll = 25 * time.Millisecond
	// maxFile bounds each file of a request; requests and answers fit into a frame.
	maxFile = protocol.FrameLimit
	// maxProgress bounds what a unit may say at the same time.
	maxProgress = 1 << 20
	// maxLine bounds one line of it.
	maxLine = 2000
)

// Starter starts the process that runs a request.
type Starter interface {
	// Start starts it; the process calls Perform with the same id. It returns before that ends. Starting one that runs
	// already is no error.
	Start(ctx context.Context, id string, terms Terms) error
	// Name says how, for people: "systemd unit upkeep-ID.service".
	Name(id string) string
}

// Units are the units of one node.
type Units struct {
	Disk  *disk.Disk
	Fence *fence.Fence
	// Start starts units; only sessions need it.
	Start Starter
	// Who is who is on the other side of the session.
	Who string
	// StartLimit bounds the time from starting a unit to its first word; 0 is 20 s: systemd on a busy machine with a slow
	// disk may need seconds.
	StartLimit time.Duration
	// At is called with the name of each instant at which a crash would leave something different behind: the id of the step, "/"
	// and a word. Nil outside tests: they end the process there.
	At func(instant string)
}

func (u *Units) at(step, instant string) {
	if u.At != nil {
		u.At(step + "/" + instant)
	}
}

func (u *Units) startLimit() time.Duration {
	if u.StartLimit > 0 {
		return u.StartLimit
	}
	return startLimit
}

func (u *Units) now() time.Time { return u.Fence.Clock.Now().UTC() }

// open opens the directory of requests, making it where it is not there.
func (u *Units) open() (base, operations *disk.Dir, err error) {
	if base, err = store.Open(u.Disk); err != nil {
		return nil, nil, err
	}
	operations, err = store.Private(base, directory)
	return base, operations, err
}

// died is the result of a unit whose process ended without one.
func (u *Units) died(dir *disk.Dir, q request, b begun) result {
	why := "it was killed"
	if boot := u.Fence.Clock.Boot(); b.Boot != "" && boot != "" && b.Boot != boot {
		if q.Restarts {
			return result{Ended: u.now(), Outcome: facts.OutcomeRebooted}
		}
		why = "the machine has booted since"
	}
	said := ""
	if line := lastLine(dir); line != "" {
		said = fmt.Sprintf("; the last it said was %q", line)
	}
	return result{Ended: u.now(), Outcome: facts.OutcomeDied, Error: fmt.Sprintf(
		"%s began this at %s and ended without a result: %s%s; what it left is seen by the next observation: `upkeep plan` says how to go on",
		b.By, b.At.Format(time.RFC3339), why, said)}
}

// goingDown reports whether a unit that ended without a result was to boot its node, and the node is on its way down: what
// became of it is known after the boot.
func (u *Units) goingDown(dir *disk.Dir, q request, b begun) bool {
	if !q.Restarts || b.Boot != u.Fence.Clock.Boot() {
		return false
	}
	told, err := dir.Stat(stoppingFile)
	return err == nil && u.now().Sub(told.Modified) < downPatience
}

// recordDeath writes the result of a unit that died. The caller holds its performer's lock.
func (u *Units) recordDeath(dir *disk.Dir, q request, b begun) (result, error) {
	r := u.died(dir, q, b)
	return r, write(dir, resultFile, r)
}

// remember puts a request that has a result into the node's journal, once.
func (u *Units) remember(base, dir *disk.Dir, q request, b begun, r result) error {
	if _, err := dir.Stat(journalled); err == nil {
		return nil
	}
	unlock, err := store.Wait(base, journalLock, lockPatience)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := dir.Stat(journalled); err == nil {
		return nil
	}
	e := facts.HistoryEntry{
		Plan: q.Run.Plan, Step: q.Run.Step, Lineage: q.Run.Lineage, Generation: q.Run.Generation, Method: q.Method, Who: q.Who,
		Began: b.At, Ended: r.Ended, Outcome: r.Outcome, Error: r.Error,
	}
	// A crash may have come between the two files.
	there := slices.ContainsFunc(history.Last(u.Disk).Entries, func(o facts.HistoryEntry) bool {
		return o.Began.Equal(e.Began) && o.Method == e.Method && o.Step == e.Step && o.Outcome == e.Outcome
	})
	if !there {
		if err := history.Append(base, e); err != nil {
			return err
		}
	}
	u.at(q.Run.Step, "journalled")
	return dir.WriteFile(journalled, 0o600, []byte("\n"))
}

// running reports whether a process holds the performer's lock of a request. Where none does, settled is called with the
// lock held.
func running(dir *disk.Dir, settled func() error) (bool, error) {
	unlock, err := dir.Lock(performerLock)
	if errors.Is(err, disk.ErrLocked) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer unlock()
	return false, settled()
}
