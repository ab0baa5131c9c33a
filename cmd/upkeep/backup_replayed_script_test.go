package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"upkeep/providers/backup/bundle"
)

// replays are the ways to put an authentic bundle into a store a second time. Whoever does so can write to the store, and
// has no key. Each says what becomes of the label, which is the one of the bundle that is copied.
var replays = map[string]func(label map[string]any, id string, now time.Time){
	"renamed":    func(map[string]any, string, time.Time) {},
	"named":      func(l map[string]any, id string, _ time.Time) { l["id"] = id },
	"newer":      func(l map[string]any, id string, now time.Time) { l["id"], l["taken_at"] = id, now.Add(-time.Minute) },
	"tomorrow":   func(l map[string]any, id string, now time.Time) { l["id"], l["taken_at"] = id, now.AddDate(0, 0, 1) },
	"of another": func(l map[string]any, id string, _ time.Time) { l["id"], l["address"] = id, "etcd_backup.other" },
	"unsigned": func(l map[string]any, id string, now time.Time) {
		l["id"], l["taken_at"] = id, now.Add(-time.Minute)
		delete(l, "signature")
	},
}

// replay copies the oldest or newest bundle of a store under a newer name, and sets REPLAYED: replay DIRECTORY
// OLDEST|NEWEST KIND.
func replay(ts *testscript.TestScript, _ bool, args []string) {
	kind := replays[strings.Join(args[2:], " ")]
	if kind == nil {
		ts.Fatalf("there is no replay %q", args[2:])
	}
	now, err := time.Parse(time.RFC3339, ts.Getenv("NOW"))
	ts.Check(err)
	from, newest := ts.Getenv(args[1]), ts.Getenv("NEWEST")
	id := newest[:len(newest)-8] + "ffffffff" // behind all others by its name
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(ts.MkAbs(args[0]), name))
		ts.Check(err)
		return data
	}
	write := func(name string, data []byte) {
		ts.Check(os.WriteFile(filepath.Join(ts.MkAbs(args[0]), name), data, 0o600))
	}
	label := map[string]any{}
	ts.Check(json.Unmarshal(read(bundle.LabelName(from)), &label))
	for _, field := range []string{"id", "taken_at", "address", "signature"} {
		if label[field] == nil {
			ts.Fatalf("the label has no %s: %v", field, label)
		}
	}
	write(bundle.Name(id), read(bundle.Name(from)))
	kind(label, id, now)
	text, err := json.Marshal(label)
	ts.Check(err)
	write(bundle.LabelName(id), text)
	ts.Setenv("REPLAYED", id)
}

// oneAnswer wants that plan, list, show, verify and restore say the same of a bundle that does not count, and that the
// newest one that counts is another: one-answer ID STATUS NEWEST.
func oneAnswer(ts *testscript.TestScript, _ bool, args []string) {
	id, status, newest := args[0], args[1], args[2]
	run := func(words ...string) (text string, failed bool) {
		err := ts.Exec("upkeep", words...)
		return ts.ReadFile("stdout") + ts.ReadFile("stderr"), err != nil
	}
	want := func(text, part, of string) {
		if !strings.Contains(text, part) {
			ts.Fatalf("%s does not say %q:\n%s", of, part, text)
		}
	}

	_ = ts.Exec("upkeep", "backup", "list", "-json", "daily")
	var list struct {
		Stores []struct {
			Bundles []struct {
				ID, Status string
				Newest     bool
				Kept       []string
			}
			Strays []struct{ Name, Kind string }
		}
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &list))
	is, first, kept := "", "", 0
	for _, store := range list.Stores {
		for _, b := range store.Bundles {
			if b.ID == id {
				is, kept = b.Status, len(b.Kept)
			}
			if b.Newest {
				first += b.ID
			}
		}
		for _, stray := range store.Strays {
			if strings.Contains(stray.Name, id) {
				is = stray.Kind
			}
		}
	}
	if is != status || first != newest || kept > 0 {
		ts.Fatalf("list says that %s is %q, and kept by %d rules; the newest is %s", id, is, kept, first)
	}

	text, _ := run("backup", "show", "latest")
	want(strings.Join(strings.Fields(text), " "), "bundle "+newest+" ", "show latest")
	if text, failed := run("backup", "show", id); !failed {
		want(text, "no, it is "+status, "show")
	}
	if text, failed := run("backup", "verify", "-identity=key.txt", id); !failed {
		ts.Fatalf("verify passes %s:\n%s", id, text)
	}
	text, failed := run("backup", "verify", "-identity=key.txt", "latest")
	if want(text, newest, "verify latest"); failed {
		ts.Fatalf("verify latest fails:\n%s", text)
	}
	if text, failed = run("backup", "restore", "-identity=key.txt", "-to=out", id); !failed {
		ts.Fatalf("restore takes %s:\n%s", id, text)
	}
	if _, err := os.Stat(ts.MkAbs("out")); err == nil {
		ts.Fatalf("a restore that was refused has left a directory")
	}
	text, _ = run("backup", "restore", "-identity=key.txt", "-to=out", "latest")
	want(text, "Restored bundle "+newest+" ", "restore latest")
	ts.Check(os.RemoveAll(ts.MkAbs("out")))
	// The newest one that counts is older than max_age: whatever else lies there, another one is due, and nothing goes.
	text, _ = run("plan")
	want(text, "take and prove", "plan")
	if !strings.Contains(text, "0 to destroy") {
		ts.Fatalf("plan removes something:\n%s", text)
	}
}
