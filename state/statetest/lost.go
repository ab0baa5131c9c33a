package statetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/state"
)

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
	if err := l.Check(t.Context()); !errors.As(err, &lost) {
		t.Errorf("a check after force-unlock: %v", err)
	}
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
	if err := first.Check(t.Context()); !errors.As(err, &lost) {
		t.Errorf("the first holder's check: %v", err)
	}
	if err := second.Check(t.Context()); err != nil {
		t.Errorf("the second holder's check: %v", err)
	}
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
