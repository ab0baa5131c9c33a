// Package seen is what upkeep has seen over time, as plain data: since when a finding is known and a step waits, the
// faults of a device by its serial number, and how far the kernel log of a node was read, and what the digests of plans
// were made of.
//
// It is no truth about the cluster, which is observed every time; it only says since when. It is kept apart from the
// state (state.Backend.UpdateSeen), so that a command that only looks can write it while a run holds the state's lock.
// Every change is a pure function of what was seen before, since a backend may have to make it again.
//
// It is bounded: what was not seen for Kept is dropped, and of each kind no more than Most entries are kept, of plans
// MostPlans.
package seen

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	"upkeep/providers/facts"
)

// Version is the format that this package writes. A newer one is refused.
const Version = 3

const (
	// Kept is how long an entry is kept that is not seen again. What comes back within it keeps its first sighting.
	Kept = 90 * 24 * time.Hour
	// Most is how many entries of one kind are kept: those that were seen last.
	Most = 10_000
)

// Seen is what was seen. Its zero value is: nothing yet.
type Seen struct {
	Version int `json:"version"`
	// Findings are by Fingerprint.
	Findings map[string]Finding `json:"findings,omitempty"`
	// Waits are by the id of the step that waits.
	Waits map[string]Wait `json:"waits,omitempty"`
	// Faults are by the serial number of the device.
	Faults map[string]Fault `json:"faults,omitempty"`
	// KernelLogs are by the node's name.
	KernelLogs map[string]KernelLog `json:"kernel_logs,omitempty"`
	// Space is the free space of file systems of nodes, by node and directory ("gpu1 /var").
	Space map[string]Space `json:"space,omitempty"`
	// Stop is the last request that a run stop; nil: there was none.
	Stop *Stop `json:"stop,omitempty"`
	// Plans are the plans that somebody may have reviewed, by their digest: the last MostPlans.
	Plans map[string]Plan `json:"plans,omitempty"`
}

// Stop asks one run to stop. It stands here since the state itself is locked while a run goes on.
type Stop struct {
	Lock   string    `json:"lock"` // the id of the lock that the run holds
	Who    string    `json:"who"`  // user@host
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
}

// MostPlans is how many plans are kept: those that were seen last.
const MostPlans = 100

// Plan is what the digest of a plan was made of: the digest of each resource, by address.
type Plan struct {
	Resources map[string]string `json:"resources"`
	Sighting
}

// Finding is when a finding was seen.
type Finding struct {
	ID      string        `json:"id"`
	Address facts.Address `json:"address"` // with its node, where it is about one
	Object  string        `json:"object,omitempty"`
	Sighting
}

// Wait is since when a step waits, and for what.
type Wait struct {
	For string `json:"for"` // as it was last told, in words: "2 leases on gpu7"
	// Window names the maintenance window that it waits for; empty where it waits for something else.
	Window string `json:"window,omitempty"`
	Sighting
}

// Fault is what was last wrong with a device, and how often something was.
type Fault struct {
	Node  string `json:"node"`
	Kind  string `json:"kind"` // "xid 79"
	Count int    `json:"count"`
	// Recent are the last MostRecent of them, oldest first.
	Recent []facts.DeviceFault `json:"recent,omitempty"`
	Sighting
}

// MostRecent is how many faults of one device are kept one by one; Fault.Count counts all.
const MostRecent = 100

// Space is the free space of a file system, to tell how fast it fills.
type Space struct {
	facts.SpaceSeen
	Last time.Time `json:"last"`
}

// growthOver is for how long one look at a file system is what later looks are compared with.
const growthOver = 14 * 24 * time.Hour

// KernelLog is how far the kernel log of a node was read. A position means nothing in another boot.
type KernelLog struct {
	Boot     string    `json:"boot"` // the kernel's boot id
	Position uint64    `json:"position"`
	Last     time.Time `json:"last"`
}

// Sighting is when something was seen first and last.
type Sighting struct {
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}

// again returns the sighting after one more; a clock that went back changes neither end.
func (s Sighting) again(now time.Time) Sighting {
	now = now.UTC()
	if s.First.IsZero() {
		return Sighting{First: now, Last: now}
	}
	if now.After(s.Last) {
		s.Last = now
	}
	return s
}

// Fingerprint names a finding: the same id about the same object has the same one, whatever else it says.
func Fingerprint(id string, address facts.Address, object string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{id, address.String(), object}, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// FindingOf returns a finding that was not seen yet.
func FindingOf(id string, address facts.Address, object string) Finding {
	return Finding{ID: id, Address: address, Object: object}
}

// First returns when a finding was first seen, and whether it was.
func (s Seen) First(id string, address facts.Address, object string) (time.Time, bool) {
	f, known := s.Findings[Fingerprint(id, address, object)]
	return f.First, known
}

// WithFindings returns what is known once these findings were seen. Those that were seen before keep their first
// sighting.
func (s Seen) WithFindings(now time.Time, findings ...Finding) Seen {
	s = s.clone()
	for _, f := range findings {
		key := Fingerprint(f.ID, f.Address, f.Object)
		f.Sighting = s.Findings[key].again(now)
		s.Findings[key] = f
	}
	return s.pruned(now)
}

// WithWaits returns what is known once a run has looked at some steps: those among waits wait, since First where that
// is known, and the others wait no longer. A step that waited before waits since then: what it waits for may be told in
// other words at the same time, when one of two leases has ended. It waits again where it waits for another window than
// before, or for one at all.
func (s Seen) WithWaits(now time.Time, looked []string, waits map[string]Wait) Seen {
	s = s.clone()
	for _, step := range looked {
		w, is := waits[step]
		if !is {
			delete(s.Waits, step)
			continue
		}
		if old, was := s.Waits[step]; was && old.Window == w.Window && (w.First.IsZero() || old.First.Before(w.First)) {
			w.First = old.First
		}
		w.First, w.Last = w.First.UTC(), w.First.UTC()
		w.Sighting = w.again(now)
		s.Waits[step] = w
	}
	return s.pruned(now)
}

// OnlyWaitsOf forgets that steps wait which are no longer due.
func (s Seen) OnlyWaitsOf(now time.Time, due func(step string) bool) Seen {
	s = s.clone()
	maps.DeleteFunc(s.Waits, func(step string, _ Wait) bool { return !due(step) })
	return s.pruned(now)
}

// WithFault returns what is known once a device had one more fault.
func (s Seen) WithFault(now time.Time, serial, node, kind string) Seen {
	s = s.clone()
	old := s.Faults[serial]
	s.Faults[serial] = Fault{Node: node, Kind: kind, Count: old.Count + 1, Sighting: old.again(now)}
	return s.pruned(now)
}

// WithFaults returns what is known once devices had more faults, by serial number.
func (s Seen) WithFaults(now time.Time, faults map[string][]facts.DeviceFault) Seen {
	s = s.clone()
	for serial, more := range faults {
		if len(more) == 0 {
			continue
		}
		old, last := s.Faults[serial], more[len(more)-1]
		recent := slices.Concat(old.Recent, more)
		s.Faults[serial] = Fault{
			Node: last.Node, Kind: last.Kind, Count: old.Count + len(more), Recent: recent[max(0, len(recent)-MostRecent):],
			Sighting: old.again(now),
		}
	}
	return s.pruned(now)
}

// WithSpace returns what is known once the free space of file systems was looked at, in bytes. The first look stays
// what others are compared with, until it is old, or there is more space than then.
func (s Seen) WithSpace(now time.Time, free map[string]uint64) Seen {
	s = s.clone()
	for key, bytes := range free {
		old, known := s.Space[key]
		if !known || bytes > old.Free || now.Sub(old.At) > growthOver {
			old.SpaceSeen = facts.SpaceSeen{Free: bytes, At: now.UTC()}
		}
		old.Last = now.UTC()
		s.Space[key] = old
	}
	return s.pruned(now)
}

// Earlier returns what decisions about the present may need of it.
func (s Seen) Earlier() facts.Earlier {
	var e facts.Earlier
	for node, log := range s.KernelLogs {
		if e.KernelLogs == nil {
			e.KernelLogs = map[string]facts.KernelLogQuestion{}
		}
		e.KernelLogs[node] = facts.KernelLogQuestion{Boot: log.Boot, From: log.Position}
	}
	for serial, f := range s.Faults {
		if e.Faults == nil {
			e.Faults = map[string]facts.DeviceFaults{}
		}
		e.Faults[serial] = facts.DeviceFaults{Count: f.Count, Last: slices.Clone(f.Recent)}
	}
	for key, space := range s.Space {
		if e.Space == nil {
			e.Space = map[string]facts.SpaceSeen{}
		}
		e.Space[key] = space.SpaceSeen
	}
	return e
}

// WithKernelLog returns what is known once the kernel log of a node was read up to a position. Within one boot it never
// goes back: two commands may have read the log at the same time.
func (s Seen) WithKernelLog(now time.Time, node, boot string, position uint64) Seen {
	s = s.clone()
	if old := s.KernelLogs[node]; old.Boot == boot {
		position = max(position, old.Position)
	}
	s.KernelLogs[node] = KernelLog{Boot: boot, Position: position, Last: now.UTC()}
	return s.pruned(now)
}

// WithPlan returns what is known once a plan was shown. One that does nothing is not worth knowing.
func (s Seen) WithPlan(now time.Time, digest string, resources map[string]string) Seen {
	if len(resources) == 0 {
		return s
	}
	s = s.clone()
	s.Plans[digest] = Plan{Resources: maps.Clone(resources), Sighting: s.Plans[digest].again(now)}
	return s.pruned(now)
}

// clone returns a copy whose maps are its own, and there.
func (s Seen) clone() Seen {
	s.Version = Version
	s.Findings, s.Waits, s.Faults, s.KernelLogs, s.Plans = own(s.Findings), own(s.Waits), own(s.Faults), own(s.KernelLogs), own(s.Plans)
	s.Space = own(s.Space)
	return s
}

func own[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return maps.Clone(m)
}

// pruned drops what is too old or too much from maps that are the caller's own.
func (s Seen) pruned(now time.Time) Seen {
	s.Findings = prune(s.Findings, now, Most, func(f Finding) time.Time { return f.Last })
	s.Waits = prune(s.Waits, now, Most, func(w Wait) time.Time { return w.Last })
	s.Faults = prune(s.Faults, now, Most, func(f Fault) time.Time { return f.Last })
	s.KernelLogs = prune(s.KernelLogs, now, Most, func(k KernelLog) time.Time { return k.Last })
	s.Space = prune(s.Space, now, Most, func(k Space) time.Time { return k.Last })
	s.Plans = prune(s.Plans, now, MostPlans, func(p Plan) time.Time { return p.Last })
	return s
}

func prune[V any](m map[string]V, now time.Time, most int, last func(V) time.Time) map[string]V {
	maps.DeleteFunc(m, func(_ string, v V) bool { return now.Sub(last(v)) > Kept })
	if len(m) > most {
		keys := slices.SortedFunc(maps.Keys(m), func(a, b string) int {
			return cmp.Or(last(m[b]).Compare(last(m[a])), cmp.Compare(a, b))
		})
		for _, key := range keys[most:] {
			delete(m, key)
		}
	}
	if len(m) == 0 {
		return nil
	}
	return m
}
