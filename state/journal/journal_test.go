package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"upkeep/state/journal"
)

var clock = time.Date(2026, 11, 22, 2, 0, 0, 123456789, time.UTC)

func records() []journal.Record {
	return []journal.Record{
		{At: clock, Kind: journal.RunStarted, Plan: "p1", Digest: "sha256:ab", Who: "ops@admin", Generation: 3},
		{At: clock, Kind: journal.StepSkipped, Step: "a", Node: "cp1", Operation: "o.renew", Text: "already so"},
		{At: clock, Kind: journal.StepStarted, Step: "b", Node: "cp1", Operation: "o.restart", Text: "holds:\n\"as planned\" <&>"},
		{At: clock, Kind: journal.StepDone, Step: "b", Node: "cp1", Operation: "o.restart", Seconds: 12.5},
		{At: clock, Kind: journal.StepStarted, Step: "c", Node: "cp2", Operation: "o.renew"},
	}
}

func write(t testing.TB, dir string, list []journal.Record) *journal.Journal {
	t.Helper()
	j, _, err := journal.Open(dir, "p1", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	for _, r := range list {
		if err := j.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	return j
}

func TestWhatIsAppendedIsRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	first := records()
	write(t, dir, first).Close()
	j, history, err := journal.Open(dir, "p1", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if diff := cmp.Diff(first, history.Records(), cmpopts.IgnoreFields(journal.Record{}, "Seq")); diff != "" {
		t.Errorf("(-appended +read):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"c"}, history.InProgress()); diff != "" {
		t.Errorf("under way:\n%s", diff)
	}
	if r, ok := history.Done("b"); !ok || r.Seconds != 12.5 {
		t.Errorf("step b: %+v, %v", r, ok)
	}
	if _, ok := history.Done("c"); ok {
		t.Error("step c is said to be done")
	}
	// A second run goes on in the same file.
	if err := j.Append(first[0]); err != nil {
		t.Fatal(err)
	}
	again, err := journal.Read(dir, "p1")
	if err != nil || len(again.Records()) != len(first)+1 || again.Records()[len(first)].Seq != uint64(len(first)+1) {
		t.Errorf("after a second start: %+v, %v", again, err)
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, j.Path(): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
}

func TestOneWriterAtATime(t *testing.T) {
	dir := t.TempDir()
	first := write(t, dir, records()[:1])
	var busy *journal.BusyError
	if _, _, err := journal.Open(dir, "p1", nil); !errors.As(err, &busy) {
		t.Errorf("a second writer: %v", err)
	}
	first.Close()
	write(t, dir, nil)
	if err := first.Append(records()[1]); err == nil {
		t.Error("a closed journal took a record")
	}
}

func TestMissingJournalIsAnEmptyHistory(t *testing.T) {
	if h, err := journal.Read(t.TempDir(), "p1"); err != nil || h.Started() {
		t.Errorf("%+v, %v", h, err)
	}
}

func TestPlanIDsThatAreNoFileNames(t *testing.T) {
	for _, id := range []string{"", "../p", "a/b", ".hidden", "a\x00b", strings.Repeat("a", 129)} {
		if _, _, err := journal.Open(t.TempDir(), id, nil); err == nil {
			t.Errorf("%q was taken", id)
		}
	}
}

func TestAppendRefusesWhatReplayRefuses(t *testing.T) {
	for name, list := range map[string][]journal.Record{
		"a step before the start":    {{Kind: journal.StepStarted, Step: "a"}},
		"another plan":               {records()[0], {Kind: journal.RunStarted, Plan: "p2", Digest: "sha256:ab"}},
		"another digest":             {records()[0], {Kind: journal.RunStarted, Plan: "p1", Digest: "sha256:cd"}},
		"a step after the run's end": {records()[0], {Kind: journal.RunEnded}, {Kind: journal.StepStarted, Step: "a"}},
		"a step without a name":      {records()[0], {Kind: journal.StepDone}},
		"a kind that is none":        {records()[0], {Kind: "nap", Step: "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			j := write(t, dir, list[:len(list)-1])
			if err := j.Append(list[len(list)-1]); err == nil {
				t.Error("it was taken")
			}
			if h, err := journal.Read(dir, "p1"); err != nil || len(h.Records()) != len(list)-1 {
				t.Errorf("the journal then reads as %+v, %v", h, err)
			}
		})
	}
}

// Every prefix of a journal is a journal: whole records, and at most a torn line.
func TestEveryPrefixReplays(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, records()).Path()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all, err := journal.Replay(whole)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(whole) + 1 {
		want := journal.History{}
		complete := bytes.Count(whole[:cut], []byte("\n"))
		if complete > 0 {
			want = journal.HistoryOf(all.Records()[:complete]...)
		}
		want.Torn = cut - (bytes.LastIndexByte(whole[:cut], '\n') + 1)
		got, err := journal.Replay(whole[:cut])
		if err != nil {
			t.Fatalf("the first %d bytes: %v", cut, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("the first %d bytes:\n%s", cut, diff)
		}
	}
}

func TestTornLineIsCutOffAndReported(t *testing.T) {
	dir := t.TempDir()
	j := write(t, dir, records())
	j.Close()
	whole, err := os.ReadFile(j.Path())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(j.Path(), whole[:len(whole)-7], 0o600); err != nil {
		t.Fatal(err)
	}
	again, history, err := journal.Open(dir, "p1", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if history.Torn == 0 || len(history.Records()) != len(records())-1 {
		t.Errorf("%d bytes torn, %d records", history.Torn, len(history.Records()))
	}
	if err := again.Append(records()[4]); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(j.Path()); err != nil || !bytes.Equal(got, whole) {
		t.Errorf("after writing the torn record again the journal is not as before (%v)", err)
	}
}

func TestDamageIsRefusedAndKept(t *testing.T) {
	dir := t.TempDir()
	j := write(t, dir, records())
	j.Close()
	whole, err := os.ReadFile(j.Path())
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(whole), "\n")
	// A line of another journal: sound in itself, with the right number, and not of this history.
	edited := records()
	edited[1].Text = "something else"
	stranger, err := os.ReadFile(write(t, t.TempDir(), edited).Path())
	if err != nil {
		t.Fatal(err)
	}
	other := strings.SplitAfter(string(stranger), "\n")
	for name, test := range map[string]struct {
		data string
		line int
	}{
		"a changed byte":     {strings.Replace(string(whole), "already so", "already sO", 1), 2},
		"a missing line":     {lines[0] + lines[2] + lines[3], 2},
		"a repeated line":    {lines[0] + lines[1] + lines[1], 3},
		"swapped lines":      {lines[0] + lines[2] + lines[1], 2},
		"an empty line":      {lines[0] + "\n" + lines[1], 2},
		"a torn line inside": {lines[0] + lines[1][:20] + "\n" + lines[2], 2},
		"a damaged last":     {lines[0] + lines[1][:20] + "\n", 2},
		"a stranger's line":  {lines[0] + lines[1] + other[2], 3},
		"the start missing":  {lines[1] + lines[2], 1},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(j.Path(), []byte(test.data), 0o600); err != nil {
				t.Fatal(err)
			}
			_, _, err := journal.Open(dir, "p1", nil)
			var corrupt *journal.CorruptError
			if !errors.As(err, &corrupt) || corrupt.Line != test.line || corrupt.Path != j.Path() {
				t.Errorf("got %v, want a refusal of line %d", err, test.line)
			}
			if _, err := journal.Read(dir, "p1"); !errors.As(err, &corrupt) {
				t.Errorf("reading it alone: %v", err)
			}
			if kept, err := os.ReadFile(j.Path()); err != nil || string(kept) != test.data {
				t.Errorf("the file was changed (%v)", err)
			}
		})
	}
}

// No single changed bit goes unseen, but in a torn last line, which is not believed anyway.
func TestEveryFlippedBitIsSeen(t *testing.T) {
	whole, err := os.ReadFile(write(t, t.TempDir(), records()).Path())
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		at, bit := rapid.IntRange(0, len(whole)-2).Draw(t, "byte"), rapid.IntRange(0, 7).Draw(t, "bit")
		damaged := bytes.Clone(whole)
		damaged[at] ^= 1 << bit
		if _, err := journal.Replay(damaged); err == nil {
			t.Fatalf("byte %d, bit %d: %q", at, bit, damaged)
		}
	})
}

func FuzzReplay(f *testing.F) {
	whole, err := os.ReadFile(write(f, f.TempDir(), records()).Path())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-9])
	f.Add([]byte("\n"))
	f.Add([]byte(`{"seq":1,"crc":"00000000"}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := journal.Replay(data)
		if err != nil {
			var corrupt *journal.CorruptError
			if !errors.As(err, &corrupt) || corrupt.Line < 1 {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		if h.Torn > len(data) || h.Torn < 0 {
			t.Fatalf("%d of %d bytes torn", h.Torn, len(data))
		}
		for i, r := range h.Records() {
			if r.Seq != uint64(i)+1 {
				t.Fatalf("record %d has number %d", i, r.Seq)
			}
		}
	})
}

// BenchmarkStep is what journalling costs one step: two records, each on stable storage.
func BenchmarkStep(b *testing.B) {
	j := write(b, b.TempDir(), records()[:1])
	for i := 0; b.Loop(); i++ {
		step := fmt.Sprint("certificates.control_plane@cp1/", i)
		for _, kind := range []journal.Kind{journal.StepStarted, journal.StepDone} {
			if err := j.Append(journal.Record{At: clock, Kind: kind, Step: step, Node: "cp1", Operation: "certificates.renew", Text: "as planned"}); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkBareSync is the part of BenchmarkStep that is the disk's: two writes of as many bytes, each with an fsync.
func BenchmarkBareSync(b *testing.B) {
	file, err := os.Create(filepath.Join(b.TempDir(), "bare"))
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	line := bytes.Repeat([]byte("x"), 220)
	for b.Loop() {
		for range 2 {
			if _, err := file.Write(line); err != nil {
				b.Fatal(err)
			}
			if err := file.Sync(); err != nil {
				b.Fatal(err)
			}
		}
	}
}
