package unit_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"upkeep/providers/facts"
)

// The process of a unit is killed at each instant. The same run is told what became of it and does not do it again; the
// next run does it where it was not done for sure; and the node remembers each once.
func TestUnitsKilledAtEveryInstant(t *testing.T) {
	for _, test := range []struct {
		instant string
		ran     int    // how often it was done when the unit died
		says    string // what the same run is told; empty: that it is done
		outcome string
	}{
		{"begin", 0, "was started and did nothing", facts.OutcomeFailed},
		{"begun", 0, "ended without a result: it was killed", facts.OutcomeDied},
		{"work", 0, "ended without a result: it was killed", facts.OutcomeDied},
		{"worked", 1, `the last it said was "two"`, facts.OutcomeDied},
		{"result", 1, `the last it said was "two"`, facts.OutcomeDied},
		{"journal", 1, "", facts.OutcomeDone},
		{"journalled", 1, "", facts.OutcomeDone},
	} {
		t.Run(test.instant, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.die = test.instant
			o := order{Run: run(4), Say: []string{"one", "two"}}
			for range 2 { // the second asks again
				got, _, err := s.carry(t.Context(), o)
				s.die = "never"
				switch {
				case test.says == "" && (err != nil || got.Said != 2):
					t.Errorf("%+v, %v", got, err)
				case test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)):
					t.Errorf("error %v, want %q", err, test.says)
				}
				if s.ran() != test.ran {
					t.Errorf("done %d times, want %d", s.ran(), test.ran)
				}
			}
			h := s.history()
			if len(h) != 1 || h[0].Outcome != test.outcome || h[0].Generation != 4 {
				t.Errorf("history %+v", h)
			}
			o.Run = run(5)
			if got, _, err := s.carry(t.Context(), o); err != nil || got.Performed.Attached || s.ran() != test.ran+1 {
				t.Errorf("the next run: %+v, %v; done %d times", got, err, s.ran())
			}
		})
	}
}

// The process of a session is killed at each instant. The same run does it, or follows what was begun: once in all.
func TestSessionsKilledAtEveryInstant(t *testing.T) {
	for _, instant := range []string{"request", "start", "started", "one", "performed by detached process"} {
		t.Run(instant, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			o := order{Run: run(4), Say: []string{"one"}, Wait: s.wait()}
			s.killSession(o, instant)
			time.AfterFunc(300*time.Millisecond, func() { s.let(s.wait()) })
			got, _, err := s.carry(t.Context(), o)
			if err != nil || got.Said != 1 || s.ran() != 1 {
				t.Errorf("%+v, %v; done %d times", got, err, s.ran())
			}
			if h := s.history(); len(h) != 1 || h[0].Outcome != facts.OutcomeDone {
				t.Errorf("history %+v", h)
			}
		})
	}
}

// killSession starts a session in a process of its own, which dies at the given instant.
func (s *site) killSession(o order, instant string) {
	s.t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.root, "order"), text, 0o600); err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "session", s.root, instant)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	_ = cmd.Run()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != syscall.SIGKILL {
		s.t.Fatalf("the session ended by itself: %s: %s", cmd.ProcessState, said.String())
	}
}

// A machine that went down and came up again: the unit is gone, and that is what is said.
func TestABootBetween(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.die = "work"
	u, closeDisk, err := unitsOf(s.root, "work")
	if err != nil {
		t.Fatal(err)
	}
	defer closeDisk()
	s.killSession(order{Run: run(4)}, "started")
	begun := ""
	s.until("it has begun", func() bool {
		found, _ := filepath.Glob(filepath.Join(s.root, "var/lib/upkeep/operations/*/begun.json"))
		if len(found) == 1 {
			begun = found[0]
		}
		return begun != ""
	})
	// The unit of killSession lives on; take its place in a directory that no process works in.
	dir := filepath.Dir(begun)
	s.until("it is done", func() bool {
		_, err := os.Stat(filepath.Join(dir, "journalled"))
		return err == nil
	})
	for _, name := range []string{"result.json", "journalled"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(begun)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte(u.Fence.Clock.Boot()), []byte("another-boot"), 1)
	if err := os.WriteFile(begun, text, 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err = s.carry(t.Context(), order{Run: run(4)})
	if err == nil || !strings.Contains(err.Error(), "the machine has booted since") {
		t.Errorf("error %v", err)
	}
}
