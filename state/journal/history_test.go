package journal_test

import (
	"bytes"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"upkeep/state/journal"
)

// What the index says is what a look through all records says.
func TestIndexSaysWhatTheRecordsSay(t *testing.T) {
	steps := []string{"a", "b", "c"}
	kinds := []journal.Kind{journal.StepStarted, journal.StepDone, journal.StepSkipped, journal.StepFailed, journal.StepRefused, journal.StepBlocked, journal.RunStarted, journal.RunEnded}
	rapid.Check(t, func(t *rapid.T) {
		var h journal.History
		var all []journal.Record
		for i := range rapid.IntRange(0, 40).Draw(t, "records") {
			r := journal.Record{Seq: uint64(i + 1), Kind: rapid.SampledFrom(kinds).Draw(t, "kind")}
			if r.Kind != journal.RunStarted && r.Kind != journal.RunEnded {
				r.Step = rapid.SampledFrom(steps).Draw(t, "step")
			}
			all = append(all, r)
			h.Add(r)
		}
		var open []string
		for _, r := range all {
			if r.Kind == journal.StepStarted && !slices.Contains(open, r.Step) {
				open = append(open, r.Step)
			} else if r.Step != "" && r.Kind != journal.StepStarted {
				open = slices.DeleteFunc(open, func(id string) bool { return id == r.Step })
			}
		}
		if diff := cmp.Diff(open, h.InProgress(), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("under way (-want +got):\n%s", diff)
		}
		for _, step := range steps {
			var want journal.StepHistory
			for _, r := range all {
				if r.Step != step {
					continue
				}
				want.Last = r
				switch r.Kind {
				case journal.StepStarted:
					want.Started = r
					want.Rounds++
				case journal.StepDone:
					want.Done, want.Ended = r, r
				default:
					want.Ended = r
				}
			}
			if diff := cmp.Diff(want, h.Step(step)); diff != "" {
				t.Fatalf("step %s (-want +got):\n%s", step, diff)
			}
			for _, end := range steps {
				began := false
				for _, r := range all {
					switch {
					case r.Step == step && r.Kind == journal.StepStarted:
						began = true
					case r.Step == end && (r.Kind == journal.StepDone || r.Kind == journal.StepSkipped):
						began = false
					}
				}
				if h.Open(step, end) != began {
					t.Fatalf("%s is open until %s: %v, want %v", step, end, h.Open(step, end), began)
				}
			}
		}
	})
}

func TestACloneIsAlone(t *testing.T) {
	h := journal.HistoryOf(records()...)
	before := h.Clone()
	other := h.Clone()
	other.Add(journal.Record{Kind: journal.StepDone, Step: "c"})
	if !h.Equal(before) || len(h.InProgress()) != 1 || len(other.InProgress()) != 0 {
		t.Errorf("under way: %v and %v", h.InProgress(), other.InProgress())
	}
	h.Add(journal.Record{Kind: journal.StepFailed, Step: "c"})
	if _, done := h.Done("c"); done || other.Step("c").Last.Kind != journal.StepDone {
		t.Error("what was added to one stands in the other")
	}
}

func TestGroup(t *testing.T) {
	synced := 0
	j, _, err := journal.Open(t.TempDir(), "p1", func(boundary string) {
		if boundary == "journal:synced" {
			synced++
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if err := j.Append(records()...); err != nil {
		t.Fatal(err)
	}
	if synced != 1 {
		t.Errorf("one group was synced %d times", synced)
	}
	if err := j.Append(); err != nil || synced != 1 {
		t.Errorf("an empty group: %v", err)
	}
	// A group with a record that cannot stand there is refused whole, and the journal takes another.
	if err := j.Append(journal.Record{Kind: journal.StepDone, Step: "c"}, journal.Record{Kind: "nap"}); err == nil {
		t.Error("a kind that is none was taken")
	}
	if err := j.Append(journal.Record{At: clock, Kind: journal.StepDone, Step: "c"}); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(j.Path())
	if err != nil {
		t.Fatal(err)
	}
	want := append(records(), journal.Record{At: clock, Kind: journal.StepDone, Step: "c"})
	h, err := journal.Replay(whole)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, h.Records(), cmpopts.IgnoreFields(journal.Record{}, "Seq")); diff != "" {
		t.Errorf("read (-appended +read):\n%s", diff)
	}
	if !j.History().Equal(h) {
		t.Error("what the journal knows is not what stands in the file")
	}
	if one := write(t, t.TempDir(), want).Path(); !bytes.Equal(whole, read(t, one)) {
		t.Error("a group is not written as its records are one by one")
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// BenchmarkLook is what a look at one step costs at the end of a long journal.
func BenchmarkLook(b *testing.B) {
	var h journal.History
	for i := range 20_000 {
		step := string(rune('a'+i%26)) + "/" + string(rune('a'+i/26%26))
		h.Add(journal.Record{Kind: journal.StepStarted, Step: step}, journal.Record{Kind: journal.StepDone, Step: step})
	}
	for b.Loop() {
		if _, ok := h.Done("c/d"); !ok {
			b.Fatal("not done")
		}
	}
}
