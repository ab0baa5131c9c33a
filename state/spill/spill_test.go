package spill_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"upkeep/state"
	"upkeep/state/journal"
	"upkeep/state/local"
	"upkeep/state/spill"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "crash-child" {
		crashChild(os.Args[2], os.Args[3])
		return
	}
	goleak.VerifyTestMain(m)
}

var noon = time.Date(2026, 11, 28, 12, 0, 0, 7, time.UTC)

// story is a run: what it appends, one call each.
func story() [][]journal.Record {
	at := func(seconds int, r journal.Record) journal.Record {
		r.At = noon.Add(time.Duration(seconds) * time.Second)
		return r
	}
	return [][]journal.Record{
		{at(0, journal.Record{Kind: journal.RunStarted, Plan: "p1", Digest: "sha256:ab", Who: "ops@admin"})},
		{at(1, journal.Record{Kind: journal.StepStarted, Step: "begin"})},
		{at(2, journal.Record{Kind: journal.StepDone, Step: "begin"}), at(2, journal.Record{Kind: journal.StepSkipped, Step: "a", Text: "so already"})},
		{at(3, journal.Record{Kind: journal.StepStarted, Step: "end"})},
		{at(4, journal.Record{Kind: journal.StepDone, Step: "end", Seconds: 1.5})},
		{at(5, journal.Record{Kind: journal.RunEnded, Outcome: "partial"})},
	}
}

var errFull = errors.New("no space left on device")

// filling is a journal whose disk is full after some calls. Kept is how many records of the failing group lie in it all
// the same.
type filling struct {
	state.Journal
	calls, kept int
}

func (f *filling) Append(records ...journal.Record) error {
	if f.calls--; f.calls >= 0 {
		return f.Journal.Append(records...)
	}
	if kept := min(f.kept, len(records)); kept > 0 {
		if err := f.Journal.Append(records[:kept]...); err != nil {
			return err
		}
		f.kept = 0
	}
	return errFull
}

type site struct {
	t       testing.TB
	dir     string
	backend *local.Backend
	lock    state.Lock
}

func newSite(t testing.TB) *site {
	s := &site{t: t, dir: t.TempDir()}
	s.backend, s.lock = take(t, s.dir)
	t.Cleanup(func() { s.lock.Unlock() })
	return s
}

func take(t testing.TB, dir string) (*local.Backend, state.Lock) {
	t.Helper()
	b, err := local.New(filepath.Join(dir, "s.json"), local.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := b.Lock(context.Background(), state.LockRequest{Operation: "test", TTL: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return b, l
}

func (s *site) place() spill.Place {
	return spill.Place{Directories: []string{filepath.Join(s.dir, "spill")}, Lineage: s.lock.State().Lineage, Plan: "p1", Key: s.lock.State().Key}
}

// tell runs the story on a journal that fails at a call, and returns what its appends returned.
func (s *site) tell(place spill.Place, calls, kept int) (errs []error) {
	s.t.Helper()
	j, history, err := s.lock.Journal(s.t.Context(), "p1")
	if err != nil {
		s.t.Fatal(err)
	}
	guarded := spill.Guard(&filling{j, calls, kept}, history, place)
	for _, group := range story() {
		errs = append(errs, guarded.Append(group...))
	}
	if err := guarded.Close(); err != nil {
		s.t.Fatal(err)
	}
	if err := guarded.Append(story()[0]...); err == nil {
		s.t.Error("a closed journal took a record")
	}
	return errs
}

func (s *site) merge() []spill.Merged {
	s.t.Helper()
	merged, err := spill.Merge(s.t.Context(), s.lock, s.place().Directories, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return merged
}

func (s *site) history() journal.History {
	s.t.Helper()
	h, err := s.backend.History(s.t.Context(), "p1")
	if err != nil {
		s.t.Fatal(err)
	}
	return h
}

func (s *site) files() (names []string) {
	entries, err := os.ReadDir(filepath.Join(s.dir, "spill"))
	if err != nil && !os.IsNotExist(err) {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != ".gitignore" {
			names = append(names, e.Name())
		}
	}
	return names
}

// Whatever call the journal fails at, and however much of that call lies in it all the same: all that happened stands
// in it once after the merge.
func TestWhatIsSpilledIsMergedOnce(t *testing.T) {
	for calls := range len(story()) + 1 {
		for kept := range 3 {
			t.Run(fmt.Sprint(calls, kept), func(t *testing.T) {
				s := newSite(t)
				for i, err := range s.tell(s.place(), calls, kept) {
					var spilled *journal.SpilledError
					if failed := errors.As(err, &spilled); failed != (i == calls) || failed && (spilled.Lost != nil || !errors.Is(err, errFull)) || !failed && err != nil {
						t.Errorf("call %d: %v", i, err)
					}
				}
				var want []journal.Record
				for i, group := range story() {
					for k, r := range group {
						// The start that could not be recorded did not take place; that the journal may have it all the same is no harm.
						if i == calls && k >= kept && (r.Kind == journal.StepStarted || r.Kind == journal.RunStarted) {
							continue
						}
						want = append(want, r)
					}
				}
				if calls == 0 { // without its first record there is no journal, and a run that cannot begin one does nothing
					return
				}
				s.merge()
				if diff := cmp.Diff(want, s.history().Records(), cmpopts.IgnoreFields(journal.Record{}, "Seq")); diff != "" {
					t.Errorf("after the merge (-want +got):\n%s", diff)
				}
				if again := s.merge(); len(again) > 0 || len(s.files()) > 0 {
					t.Errorf("a second merge: %v; files %v", again, s.files())
				}
			})
		}
	}
}

// A run whose first record is not taken has done nothing, and leaves nothing that stands in the way.
func TestARunThatCouldNotBegin(t *testing.T) {
	s := newSite(t)
	j, history, err := s.lock.Journal(t.Context(), "p1")
	if err != nil {
		t.Fatal(err)
	}
	guarded := spill.Guard(&filling{j, 0, 0}, history, s.place())
	var spilled *journal.SpilledError
	if err := guarded.Append(story()[0]...); !errors.As(err, &spilled) {
		t.Fatal(err)
	}
	if err := guarded.Close(); err != nil {
		t.Fatal(err)
	}
	if merged := s.merge(); len(merged) > 0 || len(s.files()) > 0 || s.history().Started() {
		t.Errorf("merged %v, files %v", merged, s.files())
	}
}

func TestPlaces(t *testing.T) {
	s := newSite(t)
	blocked := filepath.Join(s.dir, "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	place := s.place()
	place.Directories = []string{filepath.Join(blocked, "spill"), filepath.Join(s.dir, "spill")}
	var spilled *journal.SpilledError
	if err := s.tell(place, 2, 0)[2]; !errors.As(err, &spilled) || filepath.Dir(spilled.Path) != place.Directories[1] || !strings.Contains(err.Error(), spilled.Path) {
		t.Errorf("in the second place: %v", err)
	}
	info, err := os.Stat(spilled.Path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	s = newSite(t)
	place = s.place()
	place.Directories = place.Directories[:0]
	for i, err := range s.tell(place, 2, 0) {
		if failed := errors.As(err, &spilled); failed != (i >= 2) || failed && spilled.Lost == nil {
			t.Errorf("nowhere to spill, call %d: %v", i, err)
		}
	}
}

func TestARefusedRecordIsNotSpilled(t *testing.T) {
	s := newSite(t)
	j, history, err := s.lock.Journal(t.Context(), "p1")
	if err != nil {
		t.Fatal(err)
	}
	guarded := spill.Guard(j, history, s.place())
	defer guarded.Close()
	var refused *journal.RefusedError
	if err := guarded.Append(journal.Record{Kind: journal.StepDone, Step: "a"}); !errors.As(err, &refused) {
		t.Errorf("got %v", err)
	}
	if err := guarded.Append(story()[0]...); err != nil || len(s.files()) > 0 {
		t.Errorf("%v; files %v", err, s.files())
	}
}

// What must not be believed, or comes too late, is set aside with a reason, and told once.
func TestSetAside(t *testing.T) {
	for name, test := range map[string]struct {
		change func(s *site, path string, lines []string)
		want   string
	}{
		"a line of somebody else": {func(s *site, path string, lines []string) {
			s.put(path, lines[0]+strings.Replace(lines[1], `"step_done"`, `"step_failed"`, 1))
		}, "line 2 was not written with the key"},
		"another file's line": {func(s *site, path string, lines []string) { s.put(path, lines[1]) }, "line 1 was not written with the key"},
		"a line is missing":   {func(s *site, path string, lines []string) { s.put(path, lines[0]+lines[2]) }, "line 2 was not written with the key"},
		"the journal is corrupt": {func(s *site, _ string, _ []string) {
			s.put(filepath.Join(s.dir, "journal", "p1.jsonl"), "nonsense\n")
		}, "is corrupt"},
		"the journal is an older one": {func(s *site, _ string, _ []string) {
			s.put(filepath.Join(s.dir, "journal", "p1.jsonl"), "")
		}, "has 0 records and had 2"},
		"the plan was applied again": {func(s *site, _ string, _ []string) {
			j, _, err := s.lock.Journal(s.t.Context(), "p1")
			if err != nil {
				s.t.Fatal(err)
			}
			defer j.Close()
			again := story()[0][0]
			again.At = noon.Add(time.Hour)
			if err := j.Append(again, journal.Record{At: again.At, Kind: journal.StepSkipped, Step: "begin"}); err != nil {
				s.t.Fatal(err)
			}
		}, "applied again"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			var spilled *journal.SpilledError
			if err := s.tell(s.place(), 2, 0)[2]; !errors.As(err, &spilled) {
				t.Fatal(err)
			}
			data, err := os.ReadFile(spilled.Path)
			if err != nil {
				t.Fatal(err)
			}
			test.change(s, spilled.Path, strings.SplitAfter(string(data), "\n"))
			merged := s.merge()
			if len(merged) != 1 || !strings.Contains(merged[0].Problem, test.want) || merged[0].Records > 0 {
				t.Fatalf("merged %+v", merged)
			}
			if files := s.files(); len(files) != 1 || !strings.HasSuffix(files[0], ".aside") || !strings.Contains(merged[0].String(), files[0]) {
				t.Errorf("files %v, told %s", files, merged[0])
			}
			if again := s.merge(); len(again) > 0 {
				t.Errorf("told again: %v", again)
			}
		})
	}
}

func (s *site) put(path, text string) {
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// Records of another state in the same directory are not touched, and a last line that was cut off is not believed.
func TestOthersAndTornLines(t *testing.T) {
	s := newSite(t)
	place := s.place()
	place.Lineage = "00000000-0000-4000-8000-000000000000"
	s.tell(place, 2, 0)
	if merged := s.merge(); len(merged) > 0 || len(s.files()) != 1 {
		t.Errorf("of another state: %v, %v", merged, s.files())
	}
	s = newSite(t)
	var spilled *journal.SpilledError
	if err := s.tell(s.place(), 2, 0)[2]; !errors.As(err, &spilled) {
		t.Fatal(err)
	}
	data, err := os.ReadFile(spilled.Path)
	if err != nil {
		t.Fatal(err)
	}
	s.put(spilled.Path, string(data[:len(data)-9]))
	if merged := s.merge(); len(merged) != 1 || merged[0].Records != 4 {
		t.Errorf("torn: %+v", merged)
	}
	if records := s.history().Records(); len(records) != 6 || records[5].Kind != journal.StepDone {
		t.Errorf("the journal has %+v", records)
	}
}

// crashChild merges, and kills itself at the n-th boundary.
func crashChild(dir, at string) {
	crossed := 0
	trace := func(string) {
		if crossed++; fmt.Sprint(crossed) == at {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	b, err := local.New(filepath.Join(dir, "s.json"), local.Options{})
	if err != nil {
		panic(err)
	}
	l, err := b.Lock(context.Background(), state.LockRequest{Operation: "child"})
	if err != nil {
		panic(err)
	}
	if _, err := spill.Merge(context.Background(), tracing{l, filepath.Join(dir, "journal"), trace}, []string{filepath.Join(dir, "spill")}, trace); err != nil {
		panic(err)
	}
	if err := l.Unlock(); err != nil {
		panic(err)
	}
}

// tracing is a lock whose journals tell of their boundaries.
type tracing struct {
	state.Lock
	directory string
	trace     func(string)
}

func (l tracing) Journal(_ context.Context, plan string) (state.Journal, journal.History, error) {
	j, h, err := journal.Open(l.directory, plan, l.trace)
	if err != nil {
		return nil, h, err
	}
	return j, h, nil
}

// Whatever boundary a merge is killed at, the next one finishes it, and no record is there twice.
func TestKillWhileMerging(t *testing.T) {
	for at := 1; ; at++ {
		s := newSite(t)
		s.tell(s.place(), 2, 0)
		if err := s.lock.Unlock(); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(os.Args[0], "crash-child", s.dir, fmt.Sprint(at)).CombinedOutput()
		if err != nil && !strings.Contains(err.Error(), "killed") {
			t.Fatalf("boundary %d: %v\n%s", at, err, out)
		}
		finished := err == nil
		s.backend, s.lock = take(t, s.dir)
		s.merge()
		var kinds []string
		for _, r := range s.history().Records() {
			kinds = append(kinds, string(r.Kind)+" "+r.Step)
		}
		want := []string{"run_started ", "step_started begin", "step_done begin", "step_skipped a", "step_started end", "step_done end", "run_ended "}
		if diff := cmp.Diff(want, kinds); diff != "" {
			t.Errorf("killed at boundary %d (-want +got):\n%s", at, diff)
		}
		if len(s.files()) > 0 {
			t.Errorf("killed at boundary %d: %v is left", at, s.files())
		}
		if finished {
			if at < 5 {
				t.Errorf("only %d boundaries were tried", at-1)
			}
			return
		}
	}
}

// No secret of the state stands in a file that is spilled.
func TestTheKeyIsNotSpilled(t *testing.T) {
	s := newSite(t)
	var spilled *journal.SpilledError
	if err := s.tell(s.place(), 2, 0)[2]; !errors.As(err, &spilled) {
		t.Fatal(err)
	}
	stored, err := state.Encode(s.lock.State())
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Key string }
	if err := json.Unmarshal(stored, &file); err != nil || len(file.Key) != 64 {
		t.Fatal(err)
	}
	data, err := os.ReadFile(spilled.Path)
	if err != nil || strings.Contains(string(data), file.Key) {
		t.Errorf("the key stands in %s (%v)", spilled.Path, err)
	}
}
