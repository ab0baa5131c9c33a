package history

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/store"
)

func open(t *testing.T) (string, *disk.Disk, *disk.Dir) {
	t.Helper()
	root := t.TempDir()
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, "var/lib"), 0o755); err != nil {
		t.Fatal(err)
	}
	d, err := disk.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	base, err := store.Open(d)
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, store.Dir), d, base
}

func entry(n int) facts.HistoryEntry {
	began := time.Date(2026, 11, 22, 9, 0, n, 0, time.UTC)
	return facts.HistoryEntry{Plan: "p", Step: fmt.Sprint(n), Lineage: "s", Generation: 4, Method: "certificates.renew", Who: "ops",
		Began: began, Ended: began.Add(time.Second), Outcome: facts.OutcomeDone}
}

func TestHistory(t *testing.T) {
	dir, d, base := open(t)
	if got := Last(d); got.Unknown != "" || len(got.Entries) != 0 {
		t.Errorf("an empty history: %+v", got)
	}
	var want []facts.HistoryEntry
	for i := range 3 {
		if err := Append(base, entry(i)); err != nil {
			t.Fatal(err)
		}
		want = append(want, entry(i))
		// A crash cuts a line off.
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(`{"plan":"p","step":"cut o`); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	if diff := cmp.Diff(facts.History{Entries: want}, Last(d)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestItsSizeIsBounded(t *testing.T) {
	dir, d, base := open(t)
	e := entry(0)
	e.Outcome, e.Error = facts.OutcomeFailed, strings.Repeat("long ", 100_000)
	for i := range 1500 {
		e.Step = fmt.Sprint(i)
		if err := Append(base, e); err != nil {
			t.Fatal(err)
		}
	}
	var size int64
	for _, n := range []string{name, previous} {
		if info, err := os.Stat(filepath.Join(dir, n)); err == nil {
			size += info.Size()
		}
	}
	if size > 2*rotateAt+10_000 {
		t.Errorf("it has %d bytes", size)
	}
	got := Last(d)
	if len(got.Entries) != answered || got.Entries[answered-1].Step != "1499" || got.Entries[0].Step != fmt.Sprint(1500-answered) {
		t.Errorf("%d entries, unknown %q", len(got.Entries), got.Unknown)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"method":"m","began":"2026-11-22T09:00:00Z","outcome":"done"}`))
	f.Add([]byte(`{"method":"m"`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if e, ok := parse(line); ok && (e.Method == "" || e.Outcome == "") {
			t.Errorf("%+v", e)
		}
	})
}
