package fence

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/protocol"
)

// world is a node with a clock that tests set.
type world struct {
	*Fence
	dir  string
	now  time.Time
	up   time.Duration
	boot string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "var/lib"), 0o755); err != nil {
		t.Fatal(err)
	}
	d, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	w := &world{dir: dir, now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC), up: time.Hour, boot: "boot-1"}
	w.Fence = &Fence{Disk: d, Clock: Clock{
		Now: func() time.Time { return w.now }, Uptime: func() time.Duration { return w.up }, Boot: func() string { return w.boot },
	}}
	return w
}

func (w *world) pass(d time.Duration) { w.now, w.up = w.now.Add(d), w.up+d }

func (w *world) lock(t *testing.T, lineage string, generation uint64, seconds int) protocol.LockResult {
	t.Helper()
	r, err := w.Lock(protocol.LockRequest{Lineage: lineage, Generation: generation, Holder: lineage + "'s holder", Seconds: seconds, Release: seconds == 0})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (w *world) admits(t *testing.T, lineage string, generation uint64) bool {
	t.Helper()
	err := w.Admit(protocol.Run{Lineage: lineage, Generation: generation})
	if err != nil && !errors.Is(err, ErrRefused) {
		t.Fatal(err)
	}
	return err == nil
}

func TestGenerationsOnlyGrow(t *testing.T) {
	w := newWorld(t)
	for _, step := range []struct {
		lineage    string
		generation uint64
		want       bool
	}{{"a", 3, true}, {"a", 3, true}, {"a", 2, false}, {"a", 7, true}, {"a", 3, false}, {"b", 1, true}, {"a", 6, false}, {"a", 7, true}, {"b", 1, true}} {
		if got := w.admits(t, step.lineage, step.generation); got != step.want {
			t.Errorf("%s %d: %t, want %t", step.lineage, step.generation, got, step.want)
		}
	}
}

func TestLock(t *testing.T) {
	w := newWorld(t)
	if diff := cmp.Diff(protocol.LockResult{Holder: "a's holder", Generation: 4, Held: true}, w.lock(t, "a", 4, 60)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(protocol.LockResult{Holder: "a's holder", Generation: 4}, w.lock(t, "b", 9, 60)); diff != "" {
		t.Errorf("another state (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(protocol.LockResult{Holder: "a's holder", Generation: 4}, w.lock(t, "a", 3, 60)); diff != "" {
		t.Errorf("an older run (-want +got)\n%s", diff)
	}
	if w.admits(t, "b", 9) || !w.admits(t, "a", 4) {
		t.Error("the lock lets the wrong one in")
	}
	w.pass(50 * time.Second)
	w.lock(t, "a", 4, 60) // renewed
	w.pass(50 * time.Second)
	if w.admits(t, "b", 9) {
		t.Error("a lock that was renewed ended")
	}
	if w.lock(t, "b", 9, 0); w.admits(t, "b", 9) {
		t.Error("another state gave back what it did not hold")
	}
	if r := w.lock(t, "a", 5, 60); !r.Held {
		t.Errorf("a newer run of the same state does not get it: %+v", r)
	}
	if r := w.lock(t, "a", 4, 0); r.Held || w.admits(t, "b", 9) {
		t.Errorf("an older run gave back the newer one's lock: %+v", r)
	}
	if r := w.lock(t, "a", 5, 0); r.Held || r.Holder != "" || !w.admits(t, "b", 9) {
		t.Errorf("it was not given back: %+v", r)
	}
	if r := w.lock(t, "a", 4, 60); r.Held || r.Generation != 5 {
		t.Errorf("an older run got a free lock: %+v", r)
	}
}

func TestALockEndsByItself(t *testing.T) {
	for _, test := range []struct {
		name string
		then func(*world)
		live bool
	}{
		{"in time", func(w *world) { w.pass(59 * time.Second) }, true},
		{"after its time", func(w *world) { w.pass(60 * time.Second) }, false},
		{"the clock is set forward", func(w *world) { w.now = w.now.Add(24 * time.Hour) }, true},
		{"the clock is set back and its time passes", func(w *world) { w.pass(time.Minute); w.now = w.now.Add(-24 * time.Hour) }, false},
		{"after a boot, in time", func(w *world) { w.boot, w.up, w.now = "boot-2", time.Second, w.now.Add(30*time.Second) }, true},
		{"after a boot, after its time", func(w *world) { w.boot, w.up, w.now = "boot-2", time.Second, w.now.Add(61*time.Second) }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.lock(t, "a", 1, 60)
			test.then(w)
			if got := !w.admits(t, "b", 1); got != test.live {
				t.Errorf("live %t, want %t", got, test.live)
			}
		})
	}
}

func TestOneOfManyGetsTheLock(t *testing.T) {
	w := newWorld(t)
	var all sync.WaitGroup
	var mu sync.Mutex
	held := 0
	for i := range 16 {
		all.Go(func() {
			r, err := w.Lock(protocol.LockRequest{Lineage: fmt.Sprint("state-", i), Generation: 1, Holder: "x", Seconds: 60})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if r.Held {
				held++
			}
		})
	}
	all.Wait()
	if held != 1 {
		t.Errorf("%d hold the lock", held)
	}
}

func TestRequestsThatMakeNoSense(t *testing.T) {
	w := newWorld(t)
	for _, q := range []protocol.LockRequest{
		{Generation: 1, Seconds: 60}, {Lineage: "a", Seconds: 60}, {Lineage: "a", Generation: 1}, {Lineage: "a", Generation: 1, Seconds: 3601},
		{Lineage: "a", Generation: 1, Seconds: -1}, {Lineage: "a", Generation: 1, Seconds: 1, Holder: "x\ny"},
		{Lineage: strings.Repeat("a", 201), Generation: 1, Seconds: 1},
	} {
		if r, err := w.Lock(q); err == nil {
			t.Errorf("%+v: %+v", q, r)
		}
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	w := newWorld(t)
	for i := range maxLineages + 10 {
		w.pass(time.Second)
		w.admits(t, fmt.Sprint("state-", i), 5)
	}
	if w.admits(t, fmt.Sprint("state-", maxLineages), 4) {
		t.Error("a recent state was forgotten")
	}
	text, err := os.ReadFile(filepath.Join(w.dir, "var/lib/upkeep/fence.json"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := parse(text)
	if err != nil || len(r.Seen) != maxLineages {
		t.Errorf("%d states, %v", len(r.Seen), err)
	}
}

// A record that cannot be read lets nobody in: it may have named a newer run.
func TestADamagedRecordRefuses(t *testing.T) {
	for _, text := range []string{"", "{", `{"version":2}`, `{"version":1,"else":1}`} {
		w := newWorld(t)
		w.lock(t, "a", 1, 60)
		if err := os.WriteFile(filepath.Join(w.dir, "var/lib/upkeep/fence.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := w.Admit(protocol.Run{Lineage: "a", Generation: 1}); err == nil || !strings.Contains(err.Error(), "/var/lib/upkeep/fence.json") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"version":1,"seen":[{"lineage":"a","generation":4,"at":"2026-11-22T09:00:00Z"}],"lock":{"lineage":"a","generation":4,"holder":"x","until":"2026-11-22T09:00:00Z","boot":"b","until_up":5}}`))
	f.Add([]byte(`{"version":1,"lock":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parse(text)
		if err != nil {
			return
		}
		c := Clock{Now: time.Now, Uptime: func() time.Duration { return 0 }, Boot: func() string { return "" }}
		_ = r.Lock.live(c)
		_, _ = r.see("a", 1, "", time.Now())
		if got := r.generation("a"); got < 1 {
			t.Errorf("generation %d after 1 was seen", got)
		}
	})
}
