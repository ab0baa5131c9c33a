package unit_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/fence"
	"upkeep/providers/node/protocol"
)

func TestCarry(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	got, said, err := s.carry(t.Context(), order{Run: run(4), Step: "a", Say: []string{"one", "two\nlines", "three"}})
	if err != nil {
		t.Fatal(err)
	}
	if p := got.Performed; got.Said != 3 || p.By != "detached process" || p.Began.IsZero() || p.Ended.Before(p.Began) || p.Attached {
		t.Errorf("outcome %+v", got)
	}
	if diff := cmp.Diff([]string{"performed by detached process", "one", "two lines", "three"}, said); diff != "" {
		t.Errorf("said (-want +got)\n%s", diff)
	}
	want := []facts.HistoryEntry{{Plan: "plan-1", Step: "3", Lineage: "state-1", Generation: 4, Method: method, Who: "ops from 192.0.2.7", Outcome: "done"}}
	if diff := cmp.Diff(want, s.history()); diff != "" {
		t.Errorf("history (-want +got)\n%s", diff)
	}
	err = filepath.WalkDir(filepath.Join(s.root, "var/lib/upkeep"), func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %s", p, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestARepeatedRequestIsNotDoneAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	o := order{Run: run(4), Step: "a", Say: []string{"one"}}
	first, _, err := s.carry(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	again, said, err := s.carry(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	first.Performed.Attached = true
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("(-first +again)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"this was begun by an earlier request; following detached process", "one"}, said); diff != "" {
		t.Errorf("said (-want +got)\n%s", diff)
	}
	if s.ran() != 1 || len(s.history()) != 1 {
		t.Errorf("done %d times, remembered %d", s.ran(), len(s.history()))
	}
	// Another content of the same step is another request: one step may restart several components.
	o.Step = "b"
	if _, _, err := s.carry(t.Context(), o); err != nil || s.ran() != 2 {
		t.Errorf("another request: done %d times in all, %v", s.ran(), err)
	}
	// And so is the same in a newer run, which has looked at the node again.
	o.Run = run(5)
	if _, _, err := s.carry(t.Context(), o); err != nil || s.ran() != 3 {
		t.Errorf("a newer run: done %d times in all, %v", s.ran(), err)
	}
	// A request of no run is like no other.
	for range 2 {
		if _, _, err := s.carry(t.Context(), order{Step: "b"}); err != nil {
			t.Error(err)
		}
	}
	if s.ran() != 5 {
		t.Errorf("done %d times in all", s.ran())
	}
}

func TestAFailureIsKeptToo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for range 2 {
		if _, _, err := s.carry(t.Context(), order{Run: run(1), Fail: "no such certificate"}); err == nil || err.Error() != "no such certificate" {
			t.Errorf("error %v", err)
		}
		if _, _, err := s.carry(t.Context(), order{Run: run(1), Fail: "panic"}); err == nil || err.Error() != "the helper failed: a mistake" {
			t.Errorf("error %v", err)
		}
	}
	if s.ran() != 2 {
		t.Errorf("done %d times", s.ran())
	}
	if h := s.history(); len(h) != 2 || h[0].Outcome != facts.OutcomeFailed || h[0].Error != "no such certificate" {
		t.Errorf("history %+v", h)
	}
}

func TestAnOlderRunChangesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if _, _, err := s.carry(t.Context(), order{Run: run(5), Step: "a"}); err != nil {
		t.Fatal(err)
	}
	_, _, err := s.carry(t.Context(), order{Run: run(4), Step: "b"})
	if !errors.Is(err, fence.ErrRefused) || !strings.Contains(err.Error(), "generation 4") || !strings.Contains(err.Error(), "generation 5") {
		t.Errorf("error %v", err)
	}
	other := run(1)
	other.Lineage = "state-2"
	if _, _, err := s.carry(t.Context(), order{Run: other, Step: "c"}); err != nil {
		t.Errorf("another state: %v", err)
	}
	if s.ran() != 2 {
		t.Errorf("done %d times", s.ran())
	}
}

// A run that was let in and then waited for another change is judged again when its turn comes.
func TestARunThatBecameOldWhileItWaited(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var all sync.WaitGroup
	all.Go(func() {
		if _, _, err := s.carry(t.Context(), order{Run: run(4), Step: "first", Wait: s.wait()}); err != nil {
			t.Error(err)
		}
	})
	s.until("the first is under way", func() bool { return s.ran() == 1 })
	all.Go(func() {
		_, said, err := s.carry(t.Context(), order{Run: run(4), Step: "second"})
		if err == nil || !strings.Contains(err.Error(), "generation 5") {
			t.Errorf("error %v", err)
		}
		if want := "waiting for another change on this node to end: " + method + ", step 3 of plan plan-1 (generation 4)"; !strings.Contains(strings.Join(said, "\n"), want) {
			t.Errorf("said %q", said)
		}
	})
	s.until("the second waits", func() bool {
		found, _ := filepath.Glob(filepath.Join(s.root, "var/lib/upkeep/operations/*/progress"))
		return len(found) == 1
	})
	u, closeDisk, err := unitsOf(s.root, "never")
	if err != nil {
		t.Fatal(err)
	}
	defer closeDisk()
	if r, err := u.Fence.Lock(protocol.LockRequest{Lineage: "state-1", Generation: 5, Holder: "ops@laptop/1", Seconds: 60}); err != nil || !r.Held {
		t.Fatalf("%+v, %v", r, err)
	}
	s.let(s.wait())
	all.Wait()
	if s.ran() != 1 {
		t.Errorf("done %d times", s.ran())
	}
}

func TestALockKeepsOtherStatesAway(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	u, closeDisk, err := unitsOf(s.root, "never")
	if err != nil {
		t.Fatal(err)
	}
	defer closeDisk()
	if r, err := u.Fence.Lock(protocol.LockRequest{Lineage: "state-2", Generation: 1, Holder: "ops@laptop/1", Seconds: 60}); err != nil || !r.Held {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, r := range []protocol.Run{run(4), {}} {
		if _, _, err := s.carry(t.Context(), order{Run: r}); !errors.Is(err, fence.ErrRefused) || !strings.Contains(err.Error(), "ops@laptop/1") {
			t.Errorf("error %v", err)
		}
	}
	if s.ran() != 0 {
		t.Errorf("done %d times", s.ran())
	}
}

func TestTheUnitGoesOnWithoutItsSession(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	o := order{Run: run(4), Step: "a", Say: []string{"one"}, Wait: s.wait()}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		s.until("it is under way", func() bool { return s.ran() == 1 })
		cancel()
	}()
	if _, _, err := s.carry(ctx, o); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "which goes on") {
		t.Errorf("error %v", err)
	}
	var behind sync.WaitGroup
	defer behind.Wait()
	// The same run asks again; and so does a newer one, for which it is the same piece of work.
	for _, generation := range []uint64{4, 5} {
		if generation == 5 {
			if err := os.Remove(s.wait()); err != nil {
				t.Fatal(err)
			}
			behind.Go(func() { _, _, _ = s.carry(t.Context(), order{Run: run(4), Step: "b", Wait: s.wait()}) })
			s.until("another is under way", func() bool { return s.ran() == 2 })
			o.Step = "b"
			o.Say = nil
		}
		o.Run = run(generation)
		got, _, err := s.follow(t.Context(), o)
		if err != nil || !got.Performed.Attached {
			t.Errorf("generation %d: %+v, %v", generation, got, err)
		}
	}
	if s.ran() != 2 {
		t.Errorf("done %d times", s.ran())
	}
}

func TestManySessionsOneUnit(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if got, _, err := s.carry(t.Context(), order{Run: run(4), Say: []string{"one"}}); err != nil || got.Said != 1 {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	all.Wait()
	if s.ran() != 1 || len(s.history()) != 1 {
		t.Errorf("done %d times, remembered %d times", s.ran(), len(s.history()))
	}
}

func TestOneChangeAtATime(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var all sync.WaitGroup
	begin := time.Now()
	for i := range 4 {
		all.Go(func() {
			if _, _, err := s.carry(t.Context(), order{Run: run(4), Step: fmt.Sprint(i)}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if s.ran() != 4 {
		t.Errorf("done %d times in %s", s.ran(), time.Since(begin))
	}
}

func TestOldRequestsAreRemoved(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for i := range 54 {
		if _, _, err := s.carry(t.Context(), order{Run: run(uint64(i + 1))}); err != nil {
			t.Fatal(err)
		}
	}
	left, err := os.ReadDir(filepath.Join(s.root, "var/lib/upkeep/operations"))
	if err != nil || len(left) != 51 { // fifty that had ended, and the one that was begun then
		t.Errorf("%d requests are kept, %v", len(left), err)
	}
	if got := s.history(); len(got) != 50 || got[49].Generation != 54 {
		t.Errorf("the last of %d is %+v", len(got), got[len(got)-1])
	}
}
