package unit_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"upkeep/providers/facts"
)

// inProgress is what an observation of the node sees.
func (s *site) inProgress() facts.Work {
	s.t.Helper()
	u, closeDisk, err := unitsOf(s.root, "never")
	if err != nil {
		s.t.Fatal(err)
	}
	defer closeDisk()
	return u.InProgress()
}

// A unit whose session is gone is seen for as long as it works, and no longer.
func TestWorkUnderWayIsSeen(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if diff := cmp.Diff(facts.Work{}, s.inProgress()); diff != "" {
		t.Errorf("before anything was asked (-want +got):\n%s", diff)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { _, _, _ = s.carry(ctx, order{Run: run(4), Step: "a", Wait: s.wait()}) })
	s.until("the unit works", func() bool { return s.ran() == 1 })
	cancel() // as a kill -9 of upkeep does
	all.Wait()
	want := facts.Work{InProgress: []facts.Request{{Plan: "plan-1", Step: "3", Method: method, By: "detached process"}}}
	got := s.inProgress()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(facts.Request{}, "Began")); diff != "" {
		t.Errorf("while the unit works (-want +got):\n%s", diff)
	}
	if len(got.InProgress) == 1 && time.Since(got.InProgress[0].Began) > time.Hour {
		t.Errorf("began at %s", got.InProgress[0].Began)
	}
	if len(s.history()) != 0 {
		t.Error("looking wrote into the node's journal")
	}
	s.let(s.wait())
	s.until("the unit has ended", func() bool { return len(s.history()) == 1 })
	s.until("nothing is under way", func() bool { return cmp.Equal(facts.Work{}, s.inProgress()) })
}

// A unit that was killed works no more, whoever finds it.
func TestAKilledUnitIsNotUnderWay(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.die = "worked"
	if _, _, err := s.carry(t.Context(), order{Run: run(4), Step: "a"}); err == nil {
		t.Fatal("a unit that was killed reports success")
	}
	if diff := cmp.Diff(facts.Work{}, s.inProgress()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Records that cannot be read are never "nothing is under way".
func TestUnreadableRecordsAreUnknown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if _, _, err := s.carry(t.Context(), order{Run: run(4), Step: "a"}); err != nil {
		t.Fatal(err)
	}
	records, err := filepath.Glob(filepath.Join(s.root, "var/lib/upkeep/operations/*/request.json"))
	if err != nil || len(records) != 1 {
		t.Fatalf("%v, %v", records, err)
	}
	if err := os.WriteFile(records[0], []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := s.inProgress(); got.Unknown == "" {
		t.Errorf("%+v", got)
	}
}
