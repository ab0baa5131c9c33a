package marks

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/store"
	"upkeep/providers/node/protocol"
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

func sample(name string) Mark {
	return Mark{Kind: "stage", Name: name, What: "staging tree " + name, Previous: "nothing", Undo: "remove it",
		Run:  protocol.Run{Lineage: "s", Generation: 4, Plan: "p", Step: "2"},
		Made: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
}

func TestMarks(t *testing.T) {
	dir, d, base := open(t)
	if got := Found(d); got.Unknown != "" || len(got.Found) > 0 {
		t.Errorf("none: %+v", got)
	}
	for _, name := range []string{"b", "a", "c"} {
		if err := Make(base, sample(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := Clear(base, "stage:c"); err != nil {
		t.Fatal(err)
	}
	want := facts.Marks{}
	for _, name := range []string{"a", "b"} {
		want.Found = append(want.Found, facts.Mark{ID: "stage:" + name, What: "staging tree " + name,
			Run: "step 2 of plan p (generation 4)", Made: sample(name).Made, Undo: "remove it"})
	}
	if diff := cmp.Diff(want, Found(d)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got, err := Get(base, "stage:a"); err != nil || got.Name != "a" || got.Run.Plan != "p" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := Get(base, "stage:c"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	if info, err := os.Stat(filepath.Join(dir, "marks/stage:a.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := Sweep(base, func(m Mark) bool { return m.Name == "a" }); err != nil {
		t.Fatal(err)
	}
	if got := Found(d); len(got.Found) != 1 || got.Found[0].ID != "stage:b" {
		t.Errorf("after a sweep: %+v", got)
	}
}

func TestMarksThatCannotBeRead(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"cut off", `{"version":1`, "cannot be parsed"},
		{"of another version", `{"version":2}`, "is of version 2"},
		{"of another name", `{"version":1,"kind":"stage","name":"other"}`, "holds another mark"},
		{"with more in it", `{"version":1,"shell":"rm -rf /"}`, "cannot be parsed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir, d, base := open(t)
			if err := Make(base, sample("a")); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "marks/stage:a.json"), []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := Found(d); len(got.Found) != 1 || !strings.Contains(got.Found[0].Unknown, test.want) {
				t.Errorf("%+v, want %q", got, test.want)
			}
			if _, err := Get(base, "stage:a"); err == nil {
				t.Error("it was read all the same")
			}
		})
	}
}

func TestNamesThatAreNone(t *testing.T) {
	_, _, base := open(t)
	for _, id := range []string{"", ":", "a:", ":a", "a:..", "a:b/c", "../a:b", "a:b\x00", "a:" + strings.Repeat("b", 300), "a:.b"} {
		if _, err := Get(base, id); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", id, err)
		}
		if err := Clear(base, id); err == nil {
			t.Errorf("%q was cleared", id)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("stage:a", []byte(`{"version":1,"kind":"stage","name":"a","what":"w","previous":"p","undo":"u","run":{},"made":"2026-11-22T09:00:00Z"}`))
	f.Add("a:..", []byte(`{"version":1,"kind":"a","name":".."}`))
	f.Fuzz(func(t *testing.T, id string, text []byte) {
		m, err := parse("f", id, text)
		if err == nil && (m.ID() != id || strings.Contains(id, "/") || strings.Contains(id, "..") && strings.HasPrefix(m.Name, ".")) {
			t.Errorf("%q: %+v", id, m)
		}
	})
}
