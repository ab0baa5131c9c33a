package local_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"upkeep/state"
	"upkeep/state/journal"
	"upkeep/state/local"
	"upkeep/state/seen"
)

// crashChild locks the state, writes it and unlocks it, and kills itself at the n-th boundary ("held": after Lock).
func crashChild(path, at string) {
	die := func() {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	crossed := 0
	b, err := local.New(path, local.Options{Trace: func(boundary string) {
		crossed++
		if fmt.Sprint(crossed) == at {
			die()
		}
	}})
	if err != nil {
		panic(err)
	}
	l, err := b.Lock(context.Background(), state.LockRequest{Operation: "child"})
	if err != nil {
		panic(err)
	}
	if at == "held" {
		die()
	}
	if _, err := l.Write(context.Background(), l.State().WithRun(state.RunRecord{PlanID: "child"})); err != nil {
		panic(err)
	}
	if err := belongings(b, l, "child"); err != nil {
		panic(err)
	}
	if err := l.Unlock(); err != nil {
		panic(err)
	}
}

// belongings writes all that a backend keeps beside a state.
func belongings(b state.Backend, l state.Lock, who string) error {
	ctx := context.Background()
	if err := l.Save(ctx, "p1", state.SavedPlan, []byte(who)); err != nil {
		return err
	}
	if err := l.Save(ctx, "p1", state.Runbook, []byte(who)); err != nil {
		return err
	}
	j, _, err := l.Journal(ctx, "p1")
	if err != nil {
		return err
	}
	defer j.Close()
	if err := j.Append(journal.Record{Kind: journal.RunStarted, Plan: "p1", Digest: "d"}, journal.Record{Kind: journal.StepStarted, Step: who}); err != nil {
		return err
	}
	_, err = b.UpdateSeen(ctx, func(s seen.Seen) seen.Seen { return s.WithFault(time.Now(), who, "n1", "xid 79") })
	return err
}

// Whatever boundary a process dies at, the state is the one before or after, the next process gets the lock without
// waiting, and nothing is left lying about.
func TestKillAtEveryBoundary(t *testing.T) {
	for _, existing := range []bool{false, true} {
		for at := 1; ; at++ {
			dir := t.TempDir()
			h := harness{filepath.Join(dir, "s.json")}
			if existing {
				l, err := h.Open(t).Lock(t.Context(), state.LockRequest{Operation: "test"})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := l.Write(t.Context(), l.State().WithRun(state.RunRecord{PlanID: "parent"})); err != nil {
					t.Fatal(err)
				}
				l.Unlock()
			}
			before, err := h.Open(t).Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(os.Args[0], "crash-child", h.path, fmt.Sprint(at)).CombinedOutput()
			if err != nil && !strings.Contains(err.Error(), "killed") {
				t.Fatalf("boundary %d: %v\n%s", at, err, out)
			}
			finished := err == nil

			after, err := h.Open(t).Read(t.Context())
			if err != nil {
				t.Fatalf("boundary %d: %v", at, err)
			}
			if existing && (after.Lineage != before.Lineage || !after.Key.Equal(before.Key)) {
				t.Errorf("boundary %d: the state is another one", at)
			}
			_, childWrote := after.Run("child")
			if want := before.Serial; !childWrote && after.Serial != want || childWrote && after.Serial != want+1 {
				t.Errorf("boundary %d: serial %d after %d, written: %v", at, after.Serial, before.Serial, childWrote)
			}
			if finished && !childWrote {
				t.Errorf("the child finished and wrote nothing")
			}
			began := time.Now()
			l, err := h.Open(t).Lock(t.Context(), state.LockRequest{Operation: "test"})
			if err != nil {
				t.Fatalf("boundary %d: %v", at, err)
			}
			if waited := time.Since(began); waited > 30*time.Second {
				t.Errorf("boundary %d: the next lock took %s", at, waited)
			}
			if l.Info().Generation <= after.Generation {
				t.Errorf("boundary %d: generation %d after %d", at, l.Info().Generation, after.Generation)
			}
			b := h.Open(t)
			for _, what := range []state.Document{state.SavedPlan, state.Runbook} {
				if data, err := b.Document(t.Context(), "p1", what); err == nil && string(data) != "child" || err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("boundary %d: the %s is %q, %v", at, what, data, err)
				}
			}
			if _, err := b.Seen(t.Context()); err != nil {
				t.Errorf("boundary %d: %v", at, err)
			}
			if err := belongings(b, l, "parent"); err != nil {
				t.Errorf("boundary %d: the next run: %v", at, err)
			}
			l.Unlock()
			lying := func(path string, known ...string) {
				entries, err := os.ReadDir(path)
				if err != nil {
					t.Fatal(err)
				}
				for _, entry := range entries {
					if !slices.Contains(known, entry.Name()) {
						t.Errorf("boundary %d: %s is left lying about", at, entry.Name())
					}
				}
			}
			lying(dir, ".gitignore", "s.json", "s.json.lock", "s.json.seen", "s.json.seen.lock", "journal")
			lying(filepath.Join(dir, "journal"), ".gitignore", "p1.plan", "p1.runbook.md", "p1.jsonl")
			if finished {
				if at < 26 {
					t.Errorf("only %d boundaries were tried", at-1)
				}
				break
			}
		}
	}
}

// raceChild counts in the state, a few times, waiting for the lock each time.
func raceChild(path string) {
	b, err := local.New(path, local.Options{})
	if err != nil {
		panic(err)
	}
	for range raceRounds {
		l, err := b.Lock(context.Background(), state.LockRequest{Operation: "race", Timeout: time.Minute})
		if err != nil {
			panic(err)
		}
		s := l.State()
		if s.Memory.Durations == nil {
			s.Memory.Durations = map[string]float64{}
		}
		s.Memory.Durations["race"]++
		if _, err := l.Write(context.Background(), s); err != nil {
			panic(err)
		}
		if err := l.Unlock(); err != nil {
			panic(err)
		}
	}
}

const raceRounds = 5

// Processes race for the lock: one at a time has it, so no count is lost and none is counted twice.
func TestProcessesRace(t *testing.T) {
	h := harness{filepath.Join(t.TempDir(), "s.json")}
	var children []*exec.Cmd
	for range 2 {
		child := exec.Command(os.Args[0], "race-child", h.path)
		child.Stderr = os.Stderr
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		children = append(children, child)
	}
	for _, child := range children {
		if err := child.Wait(); err != nil {
			t.Error(err)
		}
	}
	s, err := h.Open(t).Read(t.Context())
	want := uint64(len(children) * raceRounds)
	if err != nil || s.Memory.Durations["race"] != float64(want) || s.Generation != want || s.Serial != want {
		t.Errorf("after %d turns: %+v, %v", want, s, err)
	}
}
