// Package fence keeps late and foreign runs from changing a node: it remembers, for each state, the newest generation of
// runs that the node has seen, and refuses older ones; and it holds a lock with an end, for when the cluster's own lock
// cannot be reached.
//
// It decides about no step and knows no content of a request.
package fence

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"time"

	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/store"
	"upkeep/providers/node/protocol"
	"upkeep/providers/strictjson"
)

const (
	recordFile = "fence.json"
	lockFile   = "fence.lock"
	version    = 1
	maxRecord  = 1 << 20
	// patience bounds the wait for another process that has the record open; it has it for the time of one fsync.
	patience = 10 * time.Second
	// maxLineages bounds the record. One cluster has one state, and a handful over its life.
	maxLineages = 256
	// maxSeconds bounds a lock: a run renews its lock, and one that died must not shut the others out for long.
	maxSeconds = 3600
	// maxText bounds what a request may make the node remember.
	maxText = 200
)

// ErrRefused is wrapped by the refusal of a run.
var ErrRefused = errors.New("this run may change nothing on this node")

// Clock is the node's time. Uptime counts from boot and cannot be set; Boot tells one boot from another.
type Clock struct {
	Now    func() time.Time
	Uptime func() time.Duration
	Boot   func() string
}

// Fence is the fence of one node.
type Fence struct {
	Disk  *disk.Disk
	Clock Clock
}

// record is what the node remembers.
type record struct {
	Version int    `json:"version"`
	Seen    []seen `json:"seen,omitempty"`
	Lock    *lock  `json:"lock,omitempty"`
}

type seen struct {
	Lineage    string    `json:"lineage"`
	Generation uint64    `json:"generation"`
	Holder     string    `json:"holder,omitempty"`
	At         time.Time `json:"at"`
}

// lock ends by the uptime where the node has not booted since, so that setting the clock neither ends nor keeps it; by
// the clock after a boot.
type lock struct {
	Lineage    string        `json:"lineage"`
	Generation uint64        `json:"generation"`
	Holder     string        `json:"holder"`
	Until      time.Time     `json:"until"`
	Boot       string        `json:"boot"`
	UntilUp    time.Duration `json:"until_up"`
}

func (l *lock) live(c Clock) bool {
	if l == nil {
		return false
	}
	if l.Boot == c.Boot() {
		return c.Uptime() < l.UntilUp
	}
	return c.Now().Before(l.Until)
}

// Admit allows a run to change something on this node, and remembers its generation; or refuses it, with an error that wraps
// ErrRefused, because a newer run of the same state was here or another state holds the node's lock.
func (f *Fence) Admit(run protocol.Run) error {
	if err := sane(run.Lineage, ""); err != nil {
		return err
	}
	return f.change(func(r *record) (bool, error) {
		if l := r.Lock; l.live(f.Clock) && l.Lineage != run.Lineage {
			return false, fmt.Errorf("%w: it is locked by %s until %s", ErrRefused, l.Holder, l.Until.Format(time.RFC3339))
		}
		if run.Lineage == "" {
			return false, nil // nothing to compare with: a single request by hand
		}
		return r.see(run.Lineage, run.Generation, "", f.Clock.Now())
	})
}

// Lock takes, renews or releases the node's lock. Who is refused is told who is in the way; that is no error.
func (f *Fence) Lock(q protocol.LockRequest) (protocol.LockResult, error) {
	if q.Lineage == "" || q.Generation == 0 {
		return protocol.LockResult{}, errors.New("lock the node: the request names no run")
	}
	if !q.Release && (q.Seconds < 1 || q.Seconds > maxSeconds) {
		return protocol.LockResult{}, fmt.Errorf("lock the node for %d seconds: 1 to %d are allowed", q.Seconds, maxSeconds)
	}
	if err := sane(q.Lineage, q.Holder); err != nil {
		return protocol.LockResult{}, err
	}
	var result protocol.LockResult
	err := f.change(func(r *record) (bool, error) {
		held := r.Lock.live(f.Clock)
		if held && r.Lock.Lineage != q.Lineage {
			result = protocol.LockResult{Holder: r.Lock.Holder, Generation: r.generation(r.Lock.Lineage)}
			return false, nil
		}
		if newest := r.generation(q.Lineage); q.Generation < newest {
			result = protocol.LockResult{Holder: r.holder(q.Lineage), Generation: newest}
			return false, nil
		}
		if q.Release {
			result.Generation = r.generation(q.Lineage)
			// A lock of an older generation is not this run's; but its run can change nothing any longer.
			changed := r.Lock != nil
			r.Lock = nil
			return changed, nil
		}
		if _, err := r.see(q.Lineage, q.Generation, q.Holder, f.Clock.Now()); err != nil {
			return false, err
		}
		lasts := time.Duration(q.Seconds) * time.Second
		r.Lock = &lock{Lineage: q.Lineage, Generation: q.Generation, Holder: q.Holder,
			Until: f.Clock.Now().Add(lasts).UTC(), Boot: f.Clock.Boot(), UntilUp: f.Clock.Uptime() + lasts}
		result = protocol.LockResult{Holder: q.Holder, Generation: q.Generation, Held: true}
		return true, nil
	})
	if err != nil {
		return protocol.LockResult{}, fmt.Errorf("lock the node: %w", err)
	}
	return result, nil
}

func (r *record) at(lineage string) int {
	return slices.IndexFunc(r.Seen, func(s seen) bool { return s.Lineage == lineage })
}

func (r *record) generation(lineage string) uint64 {
	if i := r.at(lineage); i >= 0 {
		return r.Seen[i].Generation
	}
	return 0
}

func (r *record) holder(lineage string) string {
	if r.Lock != nil && r.Lock.Lineage == lineage {
		return r.Lock.Holder
	}
	if i := r.at(lineage); i >= 0 && r.Seen[i].Holder != "" {
		return r.Seen[i].Holder
	}
	return "a newer run of the same state"
}

// see remembers a generation, or refuses an older one. It reports whether the record changed.
func (r *record) see(lineage string, generation uint64, holder string, now time.Time) (bool, error) {
	i := r.at(lineage)
	if i < 0 {
		if len(r.Seen) == maxLineages {
			oldest := 0
			for j := range r.Seen {
				if r.Seen[j].At.Before(r.Seen[oldest].At) {
					oldest = j
				}
			}
			r.Seen = slices.Delete(r.Seen, oldest, oldest+1)
		}
		r.Seen = append(r.Seen, seen{lineage, generation, holder, now.UTC()})
		return true, nil
	}
	s := &r.Seen[i]
	switch {
	case generation < s.Generation:
		return false, fmt.Errorf("%w: it belongs to generation %d of the state, and generation %d (%s) has been here at %s: another run began after this one, so plan again",
			ErrRefused, generation, s.Generation, r.holder(lineage), s.At.Format(time.RFC3339))
	case generation == s.Generation && (holder == "" || holder == s.Holder):
		return false, nil
	case generation > s.Generation:
		s.Holder = ""
	}
	s.Generation, s.At = generation, now.UTC()
	if holder != "" {
		s.Holder = holder
	}
	return true, nil
}

// change reads the record, lets decide change it, and writes it where that was so, while nobody else does.
func (f *Fence) change(decide func(*record) (changed bool, err error)) error {
	base, err := store.Open(f.Disk)
	if err != nil {
		return err
	}
	unlock, err := store.Wait(base, lockFile, patience)
	if err != nil {
		return err
	}
	defer unlock()
	r, err := read(base)
	if err != nil {
		return err
	}
	changed, err := decide(&r)
	if err != nil || !changed {
		return err
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := base.Sweep(recordFile); err != nil {
		return err
	}
	return base.WriteFile(recordFile, 0o600, text)
}

func read(base *disk.Dir) (record, error) {
	err := base.TrustFile(recordFile)
	if errors.Is(err, fs.ErrNotExist) {
		return record{Version: version}, nil
	}
	if err != nil {
		return record{}, err
	}
	text, _, err := base.Read(recordFile, maxRecord)
	if err != nil {
		return record{}, err
	}
	return parse(text)
}

func parse(text []byte) (record, error) {
	p := path.Join(store.Dir, recordFile)
	var r record
	if err := strictjson.DecodeKnown(text, &r); err != nil {
		return record{}, fmt.Errorf("%s, which says which runs were here, cannot be parsed (%w): make sure that no other upkeep runs, then `rm %s`", p, err, p)
	}
	if r.Version != version {
		return record{}, fmt.Errorf("%s is of version %d and this program knows %d: update upkeep", p, r.Version, version)
	}
	return r, nil
}

// sane bounds what a request may make the node remember and say.
func sane(texts ...string) error {
	for _, t := range texts {
		if len(t) > maxText {
			return fmt.Errorf("%.20q... is longer than %d bytes", t, maxText)
		}
		if slices.ContainsFunc([]rune(t), func(c rune) bool { return c < ' ' || c == 0x7f }) {
			return fmt.Errorf("%q holds control characters", t)
		}
	}
	return nil
}
