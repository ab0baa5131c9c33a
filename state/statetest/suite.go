// Package statetest is the compliance suite of state backends: what every implementation of state.Backend must do.
//
// A backend's own test hands it a Harness and adds only what is particular to its storage (file modes, for example).
package statetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/state"
)

// Harness is one storage, empty at first.
type Harness interface {
	// Open returns a backend on the storage, as another process would have it.
	Open(t *testing.T) state.Backend
	// Plant stores a lock as a killed process leaves it behind.
	Plant(t *testing.T, info state.LockInfo)
	// Spoil replaces the stored state by bytes that are none.
	Spoil(t *testing.T, data []byte)
	// Stored returns the bytes of the stored state.
	Stored(t *testing.T) []byte
	// Tear cuts off the end of the last record of a journal, as a process does that is killed while it writes. It returns
	// false where that cannot happen in this storage.
	Tear(t *testing.T, plan string) bool
	// SpoilJournal changes a record of a journal that is not the last one.
	SpoilJournal(t *testing.T, plan string)
	// SpoilSeen replaces what was seen by bytes that are nothing of the kind.
	SpoilSeen(t *testing.T, data []byte)
}

// TTL is short, so that expiry can be waited for, and long enough for a loaded machine to renew in.
const TTL = 3 * time.Second

// Test runs the suite; each case gets a new storage.
func Test(t *testing.T, harness func(t *testing.T) Harness) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"a missing state reads as the zero state", missing},
		{"what is written is read by others", written},
		{"only changes raise the serial", serial},
		{"each lock has the next generation", generation},
		{"a held lock is refused with its holder", held},
		{"a held lock is waited for", waited},
		{"a wait ends with its time", waitEnds},
		{"a wait ends with its context", waitCancelled},
		{"a lock is renewed for as long as it is held", renewed},
		{"an expired lock is taken over", expired},
		{"force-unlock wants the right id", forceUnlock},
		{"a holder whose lock was removed stops and cannot write", removed},
		{"a holder whose lock was taken over cannot write", overtaken},
		{"a released lock cannot write", released},
		{"a state that somebody else changed is not overwritten", conflict},
		{"a corrupt state is refused and kept", corrupt},
		{"a newer state is refused and kept", newer},
		{"no update of racing writers is lost", race},
		{"a place can be described", described},
		{"what is appended to a journal is read by others", journalled},
		{"a group of records is stored or refused as one", grouped},
		{"a record that was cut off is left out and written again", torn},
		{"a damaged journal is refused and kept", damaged},
		{"a journal has one writer at a time", journalOfOne},
		{"nothing of a run is written without its lock", withoutLock},
		{"documents are saved, listed and replaced", documents},
		{"runs that are forgotten are pruned", pruned},
		{"what was seen is written while a run holds the lock", seenUnlocked},
		{"no sighting of racing writers is lost", seenRace},
		{"what was seen and cannot be read is kept", seenSpoiled},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, harness(t))
		})
	}
}

func described(t *testing.T, h Harness) {
	if h.Open(t).Describe() == "" || h.Open(t).Describe() != h.Open(t).Describe() {
		t.Errorf("the place is called %q", h.Open(t).Describe())
	}
	if s, err := h.Open(t).Read(t.Context()); err != nil || s.Exists() {
		t.Errorf("to describe the place made a state: %+v, %v", s, err)
	}
}

func take(t *testing.T, b state.Backend) state.Lock {
	t.Helper()
	l, err := b.Lock(t.Context(), state.LockRequest{Operation: "test", TTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Unlock() })
	return l
}

func add(s state.State, operation string) state.State {
	s = s.Clone()
	if s.Memory.Durations == nil {
		s.Memory.Durations = map[string]float64{}
	}
	s.Memory.Durations[operation]++
	return s
}

func missing(t *testing.T, h Harness) {
	s, err := h.Open(t).Read(t.Context())
	if err != nil || s.Exists() {
		t.Errorf("got %v, %v", s, err)
	}
	if _, isHeld, err := h.Open(t).Holder(t.Context()); isHeld || err != nil {
		t.Errorf("a lock is held (%v, %v) and nobody took it", isHeld, err)
	}
}

func written(t *testing.T, h Harness) {
	l := take(t, h.Open(t))
	want, err := l.Write(t.Context(), add(l.State(), "op"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := h.Open(t).Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("written and read differ:\n%s", diff)
	}
	if diff := cmp.Diff(want, l.State()); diff != "" {
		t.Errorf("written and held differ:\n%s", diff)
	}
	if !got.Exists() || got.Memory.Durations["op"] != 1 {
		t.Errorf("read %+v", got)
	}
}

func serial(t *testing.T, h Harness) {
	l := take(t, h.Open(t))
	first := l.State()
	same, err := l.Write(t.Context(), first)
	if err != nil || same.Serial != first.Serial {
		t.Errorf("writing the same: serial %d -> %d, %v", first.Serial, same.Serial, err)
	}
	before := h.Stored(t)
	if _, err := l.Write(t.Context(), l.State()); err != nil || !cmp.Equal(before, h.Stored(t)) {
		t.Errorf("writing the same changed the storage (%v)", err)
	}
	other, err := l.Write(t.Context(), add(l.State(), "op"))
	if err != nil || other.Serial != first.Serial+1 {
		t.Errorf("writing a change: serial %d -> %d, %v", first.Serial, other.Serial, err)
	}
}

func generation(t *testing.T, h Harness) {
	last := uint64(0)
	lineage := ""
	for range 3 {
		l, err := h.Open(t).Lock(t.Context(), state.LockRequest{Operation: "test"})
		if err != nil {
			t.Fatal(err)
		}
		s, err := h.Open(t).Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if l.Info().Generation <= last || s.Generation != l.Info().Generation || l.State().Generation != s.Generation {
			t.Errorf("the lock has generation %d, the stored state %d; before it was %d", l.Info().Generation, s.Generation, last)
		}
		if lineage != "" && lineage != s.Lineage {
			t.Errorf("the lineage went from %s to %s", lineage, s.Lineage)
		}
		last, lineage = s.Generation, s.Lineage
		if err := l.Unlock(); err != nil {
			t.Fatal(err)
		}
	}
}

func held(t *testing.T, h Harness) {
	l := take(t, h.Open(t))
	_, err := h.Open(t).Lock(t.Context(), state.LockRequest{Operation: "second"})
	var locked *state.LockedError
	if !errors.As(err, &locked) || locked.Info.ID != l.Info().ID || locked.Info.Operation != "test" || locked.Info.PID == 0 || locked.Info.Who == "" {
		t.Errorf("got %v, want the first lock's holder", err)
	}
	info, isHeld, err := h.Open(t).Holder(t.Context())
	if err != nil || !isHeld || info.ID != l.Info().ID {
		t.Errorf("the holder is %+v, %v, %v", info, isHeld, err)
	}
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	if err := take(t, h.Open(t)).Unlock(); err != nil {
		t.Error(err)
	}
	if cause := context.Cause(l.Context()); cause != state.ErrUnlocked {
		t.Errorf("the released lock's context ended with %v", cause)
	}
	if err := l.Unlock(); err != nil {
		t.Errorf("a second unlock: %v", err)
	}
}

func waited(t *testing.T, h Harness) {
	l := take(t, h.Open(t))
	told := make(chan state.LockInfo, 8)
	go func() {
		<-told
		l.Unlock()
	}()
	second, err := h.Open(t).Lock(t.Context(), state.LockRequest{Operation: "second", Timeout: time.Minute, Waiting: func(i state.LockInfo) { told <- i }})
	if err != nil {
		t.Fatal(err)
	}
	second.Unlock()
}

func waitEnds(t *testing.T, h Harness) {
	take(t, h.Open(t))
	began := time.Now()
	_, err := h.Open(t).Lock(t.Context(), state.LockRequest{Operation: "second", Timeout: 300 * time.Millisecond})
	var locked *state.LockedError
	if !errors.As(err, &locked) || time.Since(began) < 300*time.Millisecond || locked.Waited < 300*time.Millisecond {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
}

func waitCancelled(t *testing.T, h Harness) {
	take(t, h.Open(t))
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	_, err := h.Open(t).Lock(ctx, state.LockRequest{Operation: "second", Timeout: time.Hour, Waiting: func(state.LockInfo) { cancel(enough) }})
	if !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
}

func renewed(t *testing.T, h Harness) {
	l, err := h.Open(t).Lock(t.Context(), state.LockRequest{Operation: "test", TTL: TTL})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Unlock()
	select {
	case <-l.Context().Done():
		t.Fatalf("the lock ended: %v", context.Cause(l.Context()))
	case <-time.After(TTL * 4 / 3):
	}
	if _, err := l.Write(t.Context(), add(l.State(), "op")); err != nil {
		t.Error(err)
	}
	var locked *state.LockedError
	if _, err := h.Open(t).Lock(t.Context(), state.LockRequest{Operation: "second"}); !errors.As(err, &locked) {
		t.Errorf("a second lock after the TTL: %v", err)
	}
	if !l.Info().Expires.After(l.Info().Created.Add(TTL * 4 / 3)) {
		t.Errorf("the lock of %s expires at %s", l.Info().Created, l.Info().Expires)
	}
}

func released(t *testing.T, h Harness) {
	l := take(t, h.Open(t))
	s := l.State()
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	var lost *state.LostError
	if _, err := l.Write(t.Context(), add(s, "op")); !errors.As(err, &lost) {
		t.Errorf("got %v", err)
	}
}

func conflict(t *testing.T, h Harness) {
	l := take(t, h.Open(t))
	old := l.State()
	if _, err := l.Write(t.Context(), add(l.State(), "op")); err != nil {
		t.Fatal(err)
	}
	var conflicting *state.ConflictError
	if _, err := l.Write(t.Context(), add(old, "other")); !errors.As(err, &conflicting) {
		t.Errorf("a write made from an old state: %v", err)
	}
}

func corrupt(t *testing.T, h Harness) {
	take(t, h.Open(t)).Unlock()
	spoiled := h.Stored(t)[:50]
	h.Spoil(t, spoiled)
	var refused *state.CorruptError
	if _, err := h.Open(t).Read(t.Context()); !errors.As(err, &refused) || refused.Where == "" {
		t.Errorf("read: %v", err)
	}
	if _, err := h.Open(t).Lock(t.Context(), state.LockRequest{Operation: "test"}); !errors.As(err, &refused) {
		t.Errorf("lock: %v", err)
	}
	if !cmp.Equal(spoiled, h.Stored(t)) {
		t.Error("the corrupt state was changed")
	}
	if _, isHeld, err := h.Open(t).Holder(t.Context()); isHeld || err != nil {
		t.Errorf("a refused lock is held: %v, %v", isHeld, err)
	}
}

func newer(t *testing.T, h Harness) {
	data := []byte(`{"version": 1000, "what": "ever"}`)
	h.Spoil(t, data)
	var refused *state.NewerError
	if _, err := h.Open(t).Read(t.Context()); !errors.As(err, &refused) || refused.Found != 1000 {
		t.Errorf("read: %v", err)
	}
	if _, err := h.Open(t).Lock(t.Context(), state.LockRequest{Operation: "test"}); !errors.As(err, &refused) {
		t.Errorf("lock: %v", err)
	}
	if !cmp.Equal(data, h.Stored(t)) {
		t.Error("the newer state was changed")
	}
}

func race(t *testing.T, h Harness) {
	const writers, rounds = 4, 3
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			b := h.Open(t)
			for range rounds {
				l, err := b.Lock(t.Context(), state.LockRequest{Operation: "race", Timeout: time.Minute, TTL: time.Minute})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := l.Write(t.Context(), add(l.State(), "op")); err != nil {
					t.Error(err)
				}
				if err := l.Unlock(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	s, err := h.Open(t).Read(t.Context())
	if err != nil || s.Memory.Durations["op"] != writers*rounds || s.Serial != writers*rounds {
		t.Errorf("after %d writes: %+v, %v", writers*rounds, s, err)
	}
}
