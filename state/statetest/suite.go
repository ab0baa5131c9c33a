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
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, harness(t))
		})
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

func planted(expires time.Duration, generation uint64) state.LockInfo {
	now := time.Now().UTC()
	return state.LockInfo{ID: "planted", Operation: "apply", Who: "ops@elsewhere", Host: "elsewhere.invalid", PID: 1,
		Created: now.Add(-time.Hour), Expires: now.Add(expires), Path: "there", Generation: generation}
}

func expired(t *testing.T, h Harness) {
	if err := take(t, h.Open(t)).Unlock(); err != nil {
		t.Fatal(err)
	}
	h.Plant(t, planted(400*time.Millisecond, 41))
	var locked *state.LockedError
	if _, err := h.Open(t).Lock(t.Context(), state.LockRequest{Operation: "second"}); !errors.As(err, &locked) {
		t.Fatalf("before it expires: %v", err)
	}
	l, err := h.Open(t).Lock(t.Context(), state.LockRequest{Operation: "second", Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Unlock()
	if stale := l.TookOver(); stale == nil || stale.Info.ID != "planted" || stale.Why == "" {
		t.Errorf("took over %+v", stale)
	}
	if l.Info().Generation <= 41 {
		t.Errorf("generation %d does not fence off the planted lock's 41", l.Info().Generation)
	}
}

func forceUnlock(t *testing.T, h Harness) {
	var wrong *state.WrongLockError
	if _, err := h.Open(t).ForceUnlock(t.Context(), "nothing"); !errors.As(err, &wrong) || wrong.Held != nil {
		t.Errorf("without a lock: %v", err)
	}
	h.Plant(t, planted(time.Hour, 1))
	if _, err := h.Open(t).ForceUnlock(t.Context(), "other"); !errors.As(err, &wrong) || wrong.Held == nil || wrong.Held.ID != "planted" {
		t.Errorf("with a wrong id: %v", err)
	}
	if _, isHeld, _ := h.Open(t).Holder(t.Context()); !isHeld {
		t.Error("the lock is gone after a wrong id")
	}
	if info, err := h.Open(t).ForceUnlock(t.Context(), "planted"); err != nil || info.Who != "ops@elsewhere" {
		t.Errorf("with the right id: %+v, %v", info, err)
	}
	take(t, h.Open(t))
}

func removed(t *testing.T, h Harness) {
	l, err := h.Open(t).Lock(t.Context(), state.LockRequest{Operation: "test", TTL: TTL})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Open(t).ForceUnlock(t.Context(), l.Info().ID); err != nil {
		t.Fatal(err)
	}
	before := h.Stored(t)
	var lost *state.LostError
	if _, err := l.Write(t.Context(), add(l.State(), "op")); !errors.As(err, &lost) {
		t.Errorf("a write after force-unlock: %v", err)
	}
	if !cmp.Equal(before, h.Stored(t)) {
		t.Error("the state was written without the lock")
	}
	select {
	case <-l.Context().Done():
	case <-time.After(10 * TTL):
		t.Fatal("the work was not told to stop")
	}
	if !errors.As(context.Cause(l.Context()), &lost) {
		t.Errorf("the work was stopped for %v", context.Cause(l.Context()))
	}
	if err := l.Unlock(); !errors.As(err, &lost) {
		t.Errorf("unlock: %v", err)
	}
}

func overtaken(t *testing.T, h Harness) {
	first := take(t, h.Open(t))
	if _, err := h.Open(t).ForceUnlock(t.Context(), first.Info().ID); err != nil {
		t.Fatal(err)
	}
	second := take(t, h.Open(t))
	var lost *state.LostError
	if _, err := first.Write(t.Context(), add(first.State(), "op")); !errors.As(err, &lost) {
		t.Errorf("the first holder's write: %v", err)
	}
	if err := first.Unlock(); !errors.As(err, &lost) {
		t.Errorf("the first holder's unlock: %v", err)
	}
	if _, err := second.Write(t.Context(), add(second.State(), "op")); err != nil {
		t.Errorf("the second holder's write: %v", err)
	}
	if s, err := h.Open(t).Read(t.Context()); err != nil || s.Memory.Durations["op"] != 1 {
		t.Errorf("read %+v, %v", s.Memory, err)
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
