// Package timer arms a timer on a control plane that restores a StatefulSet which upkeep has scaled to 0: a provider
// that is stopped for a piece of work starts again at the end of its time, whatever became of the run, of the machine
// that it ran on, and of its state.
//
// The timer is a transient unit of systemd. When it elapses, this program runs with -restore. It asks the API of the
// cluster with the node's own admin.conf, as one patch: where the mark still has its value and there are still 0
// replicas, the old number of replicas comes back and the mark goes. Where somebody has changed either, nothing is
// done. It is tried again until the API answers.
//
// It starts nothing that is not marked, and stops nothing. A timer is lost when its node boots: so two nodes have one.
package timer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"time"

	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/marks"
	"upkeep/providers/node/agent/store"
	"upkeep/providers/node/protocol"
	"upkeep/providers/strictjson"
)

const (
	// Kind is the kind of a timer's mark on its node.
	Kind = "timer"
	// directory is where records and the program lie, below /var/lib/upkeep.
	directory = "timers"
	program   = "upkeep-node"
	suffix    = ".json"
	version   = 1
	maxRecord = 64 << 10
	// farthest is how far ahead a timer may be, and most how many replicas it may restore.
	farthest = 15 * 24 * time.Hour
	most     = 100
)

// record is what a timer does, as its node keeps it.
type record struct {
	Version int                   `json:"version"`
	Request protocol.TimerRequest `json:"request"`
}

// Scheduler has a program started at a time.
type Scheduler interface {
	// Start arms a timer; one of the same name is replaced.
	Start(ctx context.Context, unit string, at time.Time, command []string) error
	// Stop takes a timer back. That there is none is no error.
	Stop(ctx context.Context, unit string) error
}

// Timers are the timers of one node.
type Timers struct {
	Disk *disk.Disk
	// Schedule starts programs at a time.
	Schedule Scheduler
	// Program is the path of this program. A copy of it is kept, since the one that a session brought goes with it.
	Program string
	Now     func() time.Time
}

// label is a name in Kubernetes (RFC 1123), and annotation the key of an annotation.
var (
	label      = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	annotation = regexp.MustCompile(`^[a-z0-9.-]{1,253}/[A-Za-z0-9._-]{1,63}$`)
	plainPath  = regexp.MustCompile(`^/[A-Za-z0-9@_+=:,./-]+$`)
)

// unitOf names the timer of a StatefulSet.
func unitOf(id string) string { return "upkeep-timer-" + id }

// check refuses a request that could mean something else to systemd, to the disk or to the API.
func check(q protocol.TimerRequest, now time.Time) error {
	if !label.MatchString(q.Namespace) || !label.MatchString(q.Name) {
		return fmt.Errorf("%q/%q names no StatefulSet", q.Namespace, q.Name)
	}
	if q.Off {
		return nil
	}
	for _, key := range append([]string{q.Mark}, q.Forget...) {
		if !annotation.MatchString(key) {
			return fmt.Errorf("%q is no annotation", key)
		}
	}
	switch {
	case q.Value == "" || len(q.Value) > 1000:
		return errors.New("the mark has no value, or one that is too long")
	case q.Replicas < 1 || q.Replicas > most:
		return fmt.Errorf("%d replicas cannot be restored: there are 1 to %d", q.Replicas, most)
	case !q.At.After(now):
		return fmt.Errorf("%s is not later than now, %s, by the clock of this node", q.At.UTC().Format(time.RFC3339),
			now.UTC().Format(time.RFC3339))
	case q.At.After(now.Add(farthest)):
		return fmt.Errorf("%s is more than %s away", q.At.UTC().Format(time.RFC3339), farthest)
	}
	return nil
}

// Run arms a timer, or takes it back.
func (t *Timers) Run(
	ctx context.Context, q protocol.TimerRequest, progress func(string),
) (protocol.TimerResult, error) {
	if err := check(q, t.Now()); err != nil {
		return protocol.TimerResult{}, fmt.Errorf("set the timer: %w", err)
	}
	id := q.Namespace + "." + q.Name
	if q.Off {
		if err := t.off(ctx, id); err != nil {
			return protocol.TimerResult{}, fmt.Errorf("take back the timer of %s/%s: %w", q.Namespace, q.Name, err)
		}
		progress("the timer of " + q.Namespace + "/" + q.Name + " is taken back")
		return protocol.TimerResult{}, nil
	}
	if err := t.on(ctx, id, q); err != nil {
		return protocol.TimerResult{}, fmt.Errorf("set the timer of %s/%s: %w", q.Namespace, q.Name, err)
	}
	progress(fmt.Sprintf("%s/%s starts again at %s, unless it was started before", q.Namespace, q.Name,
		q.At.UTC().Format(time.RFC3339)))
	return protocol.TimerResult{Unit: unitOf(id) + ".timer"}, nil
}

// Undo takes back the timer of a mark.
func (t *Timers) Undo(ctx context.Context, mark string) error {
	id, ok := strings.CutPrefix(mark, Kind+":")
	if !ok {
		return fmt.Errorf("%q is not the mark of a timer", mark)
	}
	return t.off(ctx, id)
}

// on writes down what the timer does, marks it, and arms it last: a timer that elapses knows what to do.
func (t *Timers) on(ctx context.Context, id string, q protocol.TimerRequest) error {
	base, err := store.Open(t.Disk)
	if err != nil {
		return err
	}
	dir, err := store.Private(base, directory)
	if err != nil {
		return err
	}
	if err := t.keepProgram(dir); err != nil {
		return err
	}
	text, err := json.Marshal(record{version, q})
	if err != nil {
		return err
	}
	if err := dir.WriteFile(id+suffix, 0o600, text); err != nil {
		return err
	}
	if err := marks.Make(base, marks.Mark{
		Kind: Kind, Name: id, Previous: "no timer", Undo: "stop the timer", Run: q.Run, Made: t.Now().UTC(),
		What: fmt.Sprintf("timer that scales StatefulSet %s/%s to %d at %s", q.Namespace, q.Name, q.Replicas,
			q.At.UTC().Format(time.RFC3339)),
	}); err != nil {
		return err
	}
	command := []string{t.Disk.Real(dir.Path() + "/" + program), "-restore", id}
	if !plainPath.MatchString(command[0]) {
		return fmt.Errorf("the path %q holds characters that systemd would interpret", command[0])
	}
	return t.Schedule.Start(ctx, unitOf(id), q.At, command)
}

// keepProgram copies this program to where it stays.
func (t *Timers) keepProgram(dir *disk.Dir) error {
	text, err := os.Open(t.Program)
	if err != nil {
		return err
	}
	defer text.Close()
	return dir.Write(program, 0o700, func(w io.Writer) error {
		_, err := io.Copy(w, text)
		return err
	})
}

// off stops the timer first, and forgets it then.
func (t *Timers) off(ctx context.Context, id string) error {
	if namespace, name, ok := strings.Cut(id, "."); !ok || !label.MatchString(namespace) || !label.MatchString(name) {
		return fmt.Errorf("%q names no timer", id)
	}
	if err := t.Schedule.Stop(ctx, unitOf(id)); err != nil {
		return err
	}
	return forget(t.Disk, id)
}

// forget removes what a timer was for.
func forget(d *disk.Disk, id string) error {
	base, err := store.Open(d)
	if err != nil {
		return err
	}
	dir, err := base.Sub(directory)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := dir.Remove(id + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := dir.Sync(); err != nil {
		return err
	}
	return marks.Clear(base, marks.Mark{Kind: Kind, Name: id}.ID())
}

// recorded reads what a timer does.
func recorded(d *disk.Disk, id string) (protocol.TimerRequest, error) {
	namespace, name, ok := strings.Cut(id, ".")
	if !ok || !label.MatchString(namespace) || !label.MatchString(name) {
		return protocol.TimerRequest{}, fmt.Errorf("%q names no timer", id)
	}
	dir, err := store.Look(d, directory)
	if err != nil {
		return protocol.TimerRequest{}, err
	}
	text, _, err := dir.Read(id+suffix, maxRecord)
	if err != nil {
		return protocol.TimerRequest{}, err
	}
	var r record
	if err := strictjson.Decode(text, &r); err != nil {
		return protocol.TimerRequest{}, fmt.Errorf("the timer %s cannot be read: %w", id, err)
	}
	if r.Version != version || r.Request.Namespace != namespace || r.Request.Name != name {
		return protocol.TimerRequest{}, fmt.Errorf("the record of the timer %s is of another one", id)
	}
	return r.Request, nil
}
