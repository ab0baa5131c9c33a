package local_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"upkeep/state"
	"upkeep/state/local"
	"upkeep/state/seen"
	"upkeep/state/statetest"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "crash-child" {
		crashChild(os.Args[2], os.Args[3])
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "race-child" {
		raceChild(os.Args[2])
		return
	}
	goleak.VerifyTestMain(m)
}

type harness struct{ path string }

func (h harness) Open(t *testing.T) state.Backend { return open(t, h.path, local.Options{}) }

func (h harness) Plant(t *testing.T, info state.LockInfo) {
	data, err := json.Marshal(info)
	if err != nil {
		t.Fatal(err)
	}
	put(t, h.path+".lock.info", data)
}

func (h harness) Spoil(t *testing.T, data []byte) { put(t, h.path, data) }

func (h harness) Stored(t *testing.T) []byte {
	data, err := os.ReadFile(h.path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (h harness) journal(plan string) string {
	return filepath.Join(filepath.Dir(h.path), "journal", plan+".jsonl")
}

func (h harness) Tear(t *testing.T, plan string) bool {
	data, err := os.ReadFile(h.journal(plan))
	if err != nil {
		t.Fatal(err)
	}
	put(t, h.journal(plan), data[:len(data)-7])
	return true
}

func (h harness) SpoilJournal(t *testing.T, plan string) {
	data, err := os.ReadFile(h.journal(plan))
	if err != nil {
		t.Fatal(err)
	}
	data[20] ^= 1
	put(t, h.journal(plan), data)
}

func (h harness) SpoilSeen(t *testing.T, data []byte) { put(t, h.path+".seen", data) }

func open(t *testing.T, path string, options local.Options) *local.Backend {
	t.Helper()
	b, err := local.New(path, options)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func put(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCompliance(t *testing.T) {
	statetest.Test(t, func(t *testing.T) statetest.Harness {
		return harness{filepath.Join(t.TempDir(), "upkeep.state.json")}
	})
}

func TestFilesArePrivate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "new", "upkeep.state.json")
	l, err := open(t, path, local.Options{}).Lock(t.Context(), state.LockRequest{Operation: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Unlock()
	if err := l.Save(t.Context(), "p1", state.SavedPlan, []byte("plan")); err != nil {
		t.Fatal(err)
	}
	if err := l.Save(t.Context(), "p1", state.Runbook, []byte("text")); err != nil {
		t.Fatal(err)
	}
	j, _, err := l.Journal(t.Context(), "p1")
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if _, err := open(t, path, local.Options{}).UpdateSeen(t.Context(), func(s seen.Seen) seen.Seen { return s.WithFault(time.Now(), "s", "n", "xid") }); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"upkeep.state.json.seen": 0o600, "upkeep.state.json.seen.lock": 0o600, "journal": 0o700,
		"journal/p1.plan": 0o600, "journal/p1.runbook.md": 0o600, "journal/p1.jsonl": 0o600, "": 0o700, "upkeep.state.json": 0o600, "upkeep.state.json.lock": 0o600, "upkeep.state.json.lock.info": 0o600} {
		info, err := os.Stat(filepath.Join(dir, "new", name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%q: %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
}

func TestLinkAndTargetHaveOneLock(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target.json"), filepath.Join(dir, "link.json")
	first, err := open(t, target, local.Options{}).Lock(t.Context(), state.LockRequest{Operation: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Unlock()
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	var locked *state.LockedError
	if _, err := open(t, link, local.Options{}).Lock(t.Context(), state.LockRequest{Operation: "test"}); !errors.As(err, &locked) {
		t.Errorf("through the link: %v", err)
	}
}

func TestLockOfADeadProcessIsTakenOver(t *testing.T) {
	h := harness{filepath.Join(t.TempDir(), "s.json")}
	child := exec.Command(os.Args[0], "crash-child", h.path, "held")
	if out, err := child.CombinedOutput(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the child was not killed: %v, %s", err, out)
	}
	info, held, err := h.Open(t).Holder(t.Context())
	if err != nil || !held || info.PID != child.Process.Pid || !strings.Contains(info.Stale, "is dead") {
		t.Fatalf("the child's lock, which is stale: %+v, %v, %v", info, held, err)
	}
	l, err := h.Open(t).Lock(t.Context(), state.LockRequest{Operation: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Unlock()
	if stale := l.TookOver(); stale == nil || stale.Info.ID != info.ID || !strings.Contains(stale.String(), "is dead") {
		t.Errorf("took over %v", stale)
	}
	if ours, held, err := h.Open(t).Holder(t.Context()); err != nil || !held || ours.Stale != "" {
		t.Errorf("a living holder: %+v, %v, %v", ours, held, err)
	}
}

func TestLockOfAStrangerWithThePIDOfADeadProcess(t *testing.T) {
	h := harness{filepath.Join(t.TempDir(), "s.json")}
	first, err := h.Open(t).Lock(t.Context(), state.LockRequest{Operation: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Unlock()
	info := first.Info()
	for name, test := range map[string]struct {
		edit  func(*state.LockInfo)
		stale bool
	}{
		"this very process":                     {func(i *state.LockInfo) {}, false},
		"our PID with another start time":       {func(i *state.LockInfo) { i.Process = i.Process[:strings.LastIndex(i.Process, "/")] + "/1" }, true},
		"our PID in another boot or namespace":  {func(i *state.LockInfo) { i.Process = "other" + i.Process }, false},
		"our PID on another host":               {func(i *state.LockInfo) { i.Host = "elsewhere.invalid"; i.Process += "1" }, false},
		"our PID and nothing known of the rest": {func(i *state.LockInfo) { i.Process = "" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			edited := info
			test.edit(&edited)
			other := harness{filepath.Join(t.TempDir(), "s.json")}
			other.Plant(t, edited)
			l, err := other.Open(t).Lock(t.Context(), state.LockRequest{Operation: "second"})
			if (err == nil) != test.stale {
				t.Errorf("stale: want %v, got %v", test.stale, err)
			}
			if err == nil {
				l.Unlock()
			}
		})
	}
}

// The clock stands in for a machine that slept: no renewal came for longer than the TTL.
func TestWorkStopsWhenTheLockCouldNotBeRenewed(t *testing.T) {
	h := harness{filepath.Join(t.TempDir(), "s.json")}
	var ahead atomic.Int64
	clock := func() time.Time { return time.Now().Round(0).Add(time.Duration(ahead.Load())) }
	l, err := open(t, h.path, local.Options{Now: clock}).Lock(t.Context(), state.LockRequest{Operation: "test", TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	ahead.Store(int64(2 * time.Hour))
	select {
	case <-l.Context().Done():
	case <-time.After(5 * time.Minute):
		t.Fatal("the work goes on without a lock")
	}
	var lost *state.LostError
	if cause := context.Cause(l.Context()); !errors.As(cause, &lost) {
		t.Errorf("stopped for %v", cause)
	}
	before := h.Stored(t)
	if _, err := l.Write(t.Context(), l.State().WithRun(state.RunRecord{PlanID: "p"})); !errors.As(err, &lost) {
		t.Errorf("a write: %v", err)
	}
	if string(before) != string(h.Stored(t)) {
		t.Error("the state was written without the lock")
	}
	if err := l.Unlock(); !errors.As(err, &lost) {
		t.Errorf("unlock: %v", err)
	}
}

func TestUnreadableLock(t *testing.T) {
	h := harness{filepath.Join(t.TempDir(), "s.json")}
	for _, data := range []string{"", "{", "{}", `{"id":"x"}`} {
		put(t, h.path+".lock.info", []byte(data))
		_, err := h.Open(t).Lock(t.Context(), state.LockRequest{Operation: "test"})
		if err == nil || !strings.Contains(err.Error(), "force-unlock unreadable") {
			t.Errorf("lock %q: %v", data, err)
		}
		if _, err := h.Open(t).ForceUnlock(t.Context(), "unreadable"); err != nil {
			t.Errorf("force-unlock of %q: %v", data, err)
		}
		l, err := h.Open(t).Lock(t.Context(), state.LockRequest{Operation: "test"})
		if err != nil {
			t.Fatal(err)
		}
		l.Unlock()
	}
}

// What -out must not replace: the files of the state, present or not, by any name that leads there.
func TestKeeps(t *testing.T) {
	real := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	backend, err := local.New(filepath.Join(link, "upkeep.state.json"), local.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(real, "journal"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"upkeep.state.json": true, "upkeep.state.json.lock": true, "upkeep.state.json.lock.info": true,
		"upkeep.state.json.seen": true, "upkeep.state.json.seen.lock": true, "journal": true, "journal/p1.jsonl": true,
		"./journal/../upkeep.state.json": true,
		"facts.json":                     false, "upkeep.state.json.plan": false, "plans/p1": false,
	} {
		for _, directory := range []string{real, link} {
			if got := backend.Keeps(directory + "/" + name); got != want {
				t.Errorf("%s/%s: %v, want %v", directory, name, got, want)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(real, "upkeep.state.json"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(real, "upkeep.state.json"), filepath.Join(real, "second")); err != nil {
		t.Fatal(err)
	}
	if !backend.Keeps(filepath.Join(real, "second")) {
		t.Error("a hard link to the state is not known")
	}
}
