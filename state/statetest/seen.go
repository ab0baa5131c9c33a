package statetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/facts"
	"upkeep/state/seen"
)

func sighting(object string, at time.Time) func(seen.Seen) seen.Seen {
	return func(s seen.Seen) seen.Seen {
		return s.WithFindings(at, seen.FindingOf("CERT_EXPIRES_SOON", facts.Address{Type: "certificates", Name: "cp", Node: "cp1"}, object))
	}
}

// seenUnlocked: what was seen is written while somebody else holds the lock of runs, changes nothing else, and is there
// before there is a state.
func seenUnlocked(t *testing.T, h Harness) {
	if found, err := h.Open(t).Seen(t.Context()); err != nil || !cmp.Equal(found, seen.Seen{}) {
		t.Errorf("at first: %+v, %v", found, err)
	}
	want, err := h.Open(t).UpdateSeen(t.Context(), sighting("a", noon))
	if err != nil {
		t.Fatal(err)
	}
	if s, err := h.Open(t).Read(t.Context()); err != nil || s.Exists() {
		t.Errorf("what was seen made a state: %+v, %v", s, err)
	}
	l := take(t, h.Open(t))
	before := h.Stored(t)
	began := time.Now()
	if want, err = h.Open(t).UpdateSeen(t.Context(), sighting("b", noon.Add(time.Hour))); err != nil {
		t.Fatalf("while the lock of runs is held: %v", err)
	}
	if waited := time.Since(began); waited > 5*time.Second {
		t.Errorf("it waited %s while the lock of runs was held", waited)
	}
	found, err := h.Open(t).Seen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, found); diff != "" || len(found.Findings) != 2 {
		t.Errorf("(-written +read):\n%s", diff)
	}
	if !cmp.Equal(before, h.Stored(t)) {
		t.Error("what was seen changed the state")
	}
	if err := l.Check(t.Context()); err != nil {
		t.Errorf("the lock of runs: %v", err)
	}
	if _, err := l.Write(t.Context(), add(l.State(), "op")); err != nil {
		t.Errorf("a write under the lock of runs: %v", err)
	}
	if same, err := h.Open(t).UpdateSeen(t.Context(), func(s seen.Seen) seen.Seen { return s }); err != nil || !cmp.Equal(same, want) {
		t.Errorf("no change: %+v, %v", same, err)
	}
}

func seenRace(t *testing.T, h Harness) {
	const writers, rounds = 4, 5
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			b := h.Open(t)
			for r := range rounds {
				if _, err := b.UpdateSeen(t.Context(), sighting(fmt.Sprint(w, "-", r), noon)); err != nil {
					t.Error(err)
				}
				_, err := b.UpdateSeen(t.Context(), func(s seen.Seen) seen.Seen { return s.WithFault(noon, "serial", "n1", "xid 79") })
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	found, err := h.Open(t).Seen(t.Context())
	if err != nil || len(found.Findings) != writers*rounds || found.Faults["serial"].Count != writers*rounds {
		t.Errorf("after %d changes of two kinds: %d findings, %+v, %v", writers*rounds, len(found.Findings), found.Faults, err)
	}
}

func seenSpoiled(t *testing.T, h Harness) {
	for _, data := range []string{"", "{", `{"version":1000,"what":"ever"}`} {
		h.SpoilSeen(t, []byte(data))
		var refused *seen.Error
		if _, err := h.Open(t).Seen(t.Context()); !errors.As(err, &refused) || refused.Where == "" {
			t.Errorf("%q, read: %v", data, err)
		}
		changed := false
		_, err := h.Open(t).UpdateSeen(t.Context(), func(s seen.Seen) seen.Seen { changed = true; return s })
		if !errors.As(err, &refused) || changed {
			t.Errorf("%q, changed (%v): %v", data, changed, err)
		}
		if _, err := h.Open(t).Seen(t.Context()); err == nil {
			t.Errorf("%q was overwritten", data)
		}
	}
	take(t, h.Open(t)) // a state and its lock are what they were
}
