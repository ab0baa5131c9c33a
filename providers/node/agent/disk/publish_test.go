package disk_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"upkeep/providers/node/agent/disk"
)

// Publish puts a new file in a free place, and leaves a taken one as it is.
func TestPublish(t *testing.T) {
	root, d := open(t)
	dir, err := d.Dir("/")
	must(t, err)
	prepare := func(text string) *disk.Prepared {
		p, err := dir.Prepare("a", 0o600, os.Geteuid(), os.Getegid(), disk.Bytes([]byte(text)))
		must(t, err)
		return p
	}
	must(t, prepare("first").Publish())
	second := prepare("second")
	if err := second.Publish(); !errors.Is(err, fs.ErrExist) || err.Error() != "/a: file exists" {
		t.Errorf("over another: %v", err)
	}
	entries, err := dir.List()
	must(t, err)
	if len(entries) != 2 {
		t.Errorf("%v are there, not the file and what was prepared", entries)
	}
	for _, e := range entries {
		target, digits, ok := disk.ParseTemporary(e.Name)
		if ok != (e.Name != "a") || ok && (target != "a" || disk.TemporaryName(target, digits) != e.Name) {
			t.Errorf("%s came apart as %q and %q, %v", e.Name, target, digits, ok)
		}
	}
	second.Discard()
	f, info, err := dir.Open("a")
	must(t, err)
	defer f.Close()
	if text, err := io.ReadAll(f); err != nil || string(text) != "first" || info.Size != 5 || info.Permissions() != "0600" {
		t.Errorf("it holds %q, %v, %+v", text, err, info)
	}
	must(t, os.Symlink("a", filepath.Join(root, "link")))
	if _, _, err := dir.Open("link"); !errors.Is(err, disk.ErrLink) {
		t.Errorf("open a link: %v", err)
	}
}
