package statetest

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"upkeep/state"
	"upkeep/state/journal"
)

var noon = time.Date(2026, 11, 28, 12, 0, 0, 123456789, time.UTC)

// run is what a run of a plan writes, of the lineage of the lock.
func run(l state.Lock, plan string) []journal.Record {
	return []journal.Record{
		{At: noon, Kind: journal.RunStarted, Plan: plan, Digest: "sha256:ab", Who: "ops@admin", Generation: l.Info().Generation, Lineage: l.State().Lineage, Overrides: []string{"backup=a lab"}},
		{At: noon.Add(time.Second), Kind: journal.StepStarted, Step: "a", Node: "cp1", Operation: "o.renew", Text: "as planned: \"so\" <&>\n"},
		{At: noon.Add(2 * time.Second), Kind: journal.StepDone, Step: "a", Node: "cp1", Operation: "o.renew", Seconds: 1.25},
		{At: noon.Add(3 * time.Second), Kind: journal.StepStarted, Step: "b", Node: "cp2", Operation: "o.renew"},
	}
}

var withoutSeq = cmpopts.IgnoreFields(journal.Record{}, "Seq")

func open(t *testing.T, l state.Lock, plan string) (state.Journal, journal.History) {
	t.Helper()
	j, h, err := l.Journal(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j, h
}

func appendAll(t *testing.T, l state.Lock, plan string, records []journal.Record) {
	t.Helper()
	j, _ := open(t, l, plan)
	if err := j.Append(records...); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func history(t *testing.T, b state.Backend, plan string) journal.History {
	t.Helper()
	h, err := b.History(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func journalled(t *testing.T, h Harness) {
	l := take(t, h.Open(t))
	if found := history(t, h.Open(t), "p1"); found.Started() {
		t.Errorf("a journal that nobody wrote: %+v", found)
	}
	j, before := open(t, l, "p1")
	if before.Started() {
		t.Errorf("a new journal says %+v", before)
	}
	want := run(l, "p1")
	for i, r := range want {
		if err := j.Append(r); err != nil {
			t.Fatal(err)
		}
		// It is stored when Append returns: another process reads it.
		if diff := cmp.Diff(want[:i+1], history(t, h.Open(t), "p1").Records(), withoutSeq); diff != "" {
			t.Fatalf("after record %d (-appended +read):\n%s", i, diff)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := j.Append(want[1]); err == nil {
		t.Error("a closed journal took a record")
	}
	j, again := open(t, l, "p1")
	if diff := cmp.Diff(want, again.Records(), withoutSeq); diff != "" {
		t.Errorf("opened again (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"b"}, again.InProgress()); diff != "" {
		t.Errorf("under way:\n%s", diff)
	}
	// A second run goes on in the same journal; another plan has its own.
	if err := j.Append(want[0]); err != nil {
		t.Error(err)
	}
	if len(history(t, h.Open(t), "p1").Records()) != len(want)+1 || history(t, h.Open(t), "p2").Started() {
		t.Error("the second run is not in the journal of its plan alone")
	}
}

func grouped(t *testing.T, h Harness) {
	l := take(t, h.Open(t))
	j, _ := open(t, l, "p1")
	want := run(l, "p1")
	if err := j.Append(want...); err != nil {
		t.Fatal(err)
	}
	if err := j.Append(); err != nil {
		t.Errorf("an empty group: %v", err)
	}
	// What makes no sense is refused with its group, and the journal takes others.
	var refused *journal.RefusedError
	for name, group := range map[string][]journal.Record{
		"a step without a name":  {{Kind: journal.StepDone, Step: "b"}, {Kind: journal.StepDone}},
		"another plan":           {{Kind: journal.RunStarted, Plan: "p2", Digest: "sha256:ab"}},
		"a step after the end":   {{Kind: journal.RunEnded}, {Kind: journal.StepStarted, Step: "c"}},
		"a kind that is none":    {{Kind: "nap", Step: "b"}},
		"the same plan, changed": {{Kind: journal.RunStarted, Plan: "p1", Digest: "sha256:cd"}},
	} {
		if err := j.Append(group...); !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	last := journal.Record{At: noon.Add(time.Minute), Kind: journal.StepDone, Step: "b"}
	if err := j.Append(last); err != nil {
		t.Fatal(err)
	}
	got := history(t, h.Open(t), "p1").Records()
	if diff := cmp.Diff(append(want, last), got, withoutSeq); diff != "" {
		t.Errorf("(-appended +read):\n%s", diff)
	}
	for i, r := range got {
		if r.Seq != uint64(i)+1 {
			t.Errorf("record %d has number %d", i, r.Seq)
		}
	}
}

func torn(t *testing.T, h Harness) {
	l := take(t, h.Open(t))
	want := run(l, "p1")
	appendAll(t, l, "p1", want)
	if !h.Tear(t, "p1") {
		return // a record of this storage is there or not
	}
	if found := history(t, h.Open(t), "p1"); found.Torn == 0 || len(found.Records()) != len(want)-1 {
		t.Errorf("read with a torn end: %+v", found)
	}
	j, found := open(t, l, "p1")
	if diff := cmp.Diff(want[:len(want)-1], found.Records(), withoutSeq); diff != "" {
		t.Errorf("opened with a torn end (-want +got):\n%s", diff)
	}
	if err := j.Append(want[len(want)-1]); err != nil {
		t.Fatal(err)
	}
	if found := history(t, h.Open(t), "p1"); found.Torn != 0 || !slices.EqualFunc(found.Records(), want, journal.Record.Same) {
		t.Errorf("afterwards: %+v", found)
	}
}

func damaged(t *testing.T, h Harness) {
	l := take(t, h.Open(t))
	appendAll(t, l, "p1", run(l, "p1"))
	h.SpoilJournal(t, "p1")
	var corrupt *journal.CorruptError
	if _, _, err := l.Journal(t.Context(), "p1"); !errors.As(err, &corrupt) {
		t.Errorf("opened: %v", err)
	}
	if _, err := h.Open(t).History(t.Context(), "p1"); !errors.As(err, &corrupt) {
		t.Errorf("read: %v", err)
	}
	appendAll(t, l, "p2", run(l, "p2")) // other plans go on
}

func journalOfOne(t *testing.T, h Harness) {
	l := take(t, h.Open(t))
	j, _ := open(t, l, "p1")
	var busy *journal.BusyError
	if _, _, err := l.Journal(t.Context(), "p1"); !errors.As(err, &busy) {
		t.Errorf("a second writer: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j, _ = open(t, l, "p1")
	if err := j.Append(run(l, "p1")...); err != nil {
		t.Error(err)
	}
}

// withoutLock: what belongs to a run is written under its lock alone.
func withoutLock(t *testing.T, h Harness) {
	l := take(t, h.Open(t))
	if _, err := h.Open(t).ForceUnlock(t.Context(), l.Info().ID); err != nil {
		t.Fatal(err)
	}
	var lost *state.LostError
	if _, _, err := l.Journal(t.Context(), "p1"); !errors.As(err, &lost) {
		t.Errorf("a journal without the lock: %v", err)
	}
	if err := l.Save(t.Context(), "p1", state.SavedPlan, []byte("plan")); !errors.As(err, &lost) {
		t.Errorf("a document without the lock: %v", err)
	}
	if _, err := l.Prune(t.Context()); !errors.As(err, &lost) {
		t.Errorf("pruning without the lock: %v", err)
	}
	if plans, err := h.Open(t).Plans(t.Context()); err != nil || len(plans) > 0 {
		t.Errorf("there are %v, %v", plans, err)
	}
}

func documents(t *testing.T, h Harness) {
	l := take(t, h.Open(t))
	if _, err := h.Open(t).Document(t.Context(), "p1", state.SavedPlan); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a document that is not there: %v", err)
	}
	if plans, err := h.Open(t).Plans(t.Context()); err != nil || len(plans) > 0 {
		t.Errorf("at first there are %v, %v", plans, err)
	}
	for _, text := range []string{"a long text at first", "short"} {
		for _, what := range []state.Document{state.SavedPlan, state.Runbook} {
			if err := l.Save(t.Context(), "p1", what, []byte(text+string(what))); err != nil {
				t.Fatal(err)
			}
		}
		for _, what := range []state.Document{state.SavedPlan, state.Runbook} {
			if data, err := h.Open(t).Document(t.Context(), "p1", what); err != nil || string(data) != text+string(what) {
				t.Errorf("%s: %q, %v", what, data, err)
			}
		}
	}
	appendAll(t, l, "p2", run(l, "p2"))
	if err := l.Save(t.Context(), "p3", state.Runbook, nil); err != nil {
		t.Fatal(err)
	}
	if plans, err := h.Open(t).Plans(t.Context()); err != nil || !cmp.Equal(plans, []string{"p1", "p2", "p3"}) {
		t.Errorf("there are %v, %v", plans, err)
	}
	for _, plan := range []string{"", "../p", "a/b", ".hidden"} {
		if err := l.Save(t.Context(), plan, state.SavedPlan, nil); err == nil {
			t.Errorf("plan id %q was taken", plan)
		}
		if _, _, err := l.Journal(t.Context(), plan); err == nil {
			t.Errorf("a journal of plan %q was opened", plan)
		}
		if _, err := h.Open(t).Document(t.Context(), plan, state.SavedPlan); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a document of plan %q: %v", plan, err)
		}
	}
	if err := l.Save(t.Context(), "p1", "novel", nil); err == nil {
		t.Error("a document that is none was saved")
	}
}

func pruned(t *testing.T, h Harness) {
	l := take(t, h.Open(t))
	s := l.State()
	for i := range state.KeptRuns + 2 {
		plan := fmt.Sprintf("p%02d", i)
		appendAll(t, l, plan, run(l, plan))
		for _, what := range []state.Document{state.SavedPlan, state.Runbook} {
			if err := l.Save(t.Context(), plan, what, []byte("text")); err != nil {
				t.Fatal(err)
			}
		}
		s = s.WithRun(state.RunRecord{PlanID: plan})
	}
	stranger := run(l, "stranger")
	stranger[0].Lineage = "another"
	appendAll(t, l, "stranger", stranger)
	appendAll(t, l, "spoiled", run(l, "spoiled"))
	h.SpoilJournal(t, "spoiled")
	busy, _ := open(t, l, "busy")
	if err := busy.Append(run(l, "busy")...); err != nil {
		t.Fatal(err)
	}
	if removed, err := l.Prune(t.Context()); err != nil || len(removed) > 0 {
		t.Errorf("before a run is remembered %v were removed, %v", removed, err)
	}
	if _, err := l.Write(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	removed, err := l.Prune(t.Context())
	if err != nil || !cmp.Equal(removed, []string{"p00", "p01"}) {
		t.Errorf("removed %v, %v", removed, err)
	}
	plans, err := h.Open(t).Plans(t.Context())
	if err != nil || len(plans) != state.KeptRuns+3 || slices.Contains(plans, "p00") || !slices.Contains(plans, "stranger") || !slices.Contains(plans, "spoiled") || !slices.Contains(plans, "busy") {
		t.Errorf("left are %v, %v", plans, err)
	}
	for _, what := range []state.Document{state.SavedPlan, state.Runbook} {
		if _, err := h.Open(t).Document(t.Context(), "p00", what); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the %s of a pruned run: %v", what, err)
		}
		if _, err := h.Open(t).Document(t.Context(), "p02", what); err != nil {
			t.Errorf("the %s of a run that is kept: %v", what, err)
		}
	}
}
