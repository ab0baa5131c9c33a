package disk_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"upkeep/providers/node/agent/disk"
)

func open(t *testing.T) (string, *disk.Disk) {
	t.Helper()
	root := t.TempDir()
	d, err := disk.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return root, d
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	root, d := open(t)
	in := func(name string) string { return filepath.Join(root, name) }
	outside := filepath.Join(t.TempDir(), "secret")
	must(t,
		os.WriteFile(outside, []byte("secret"), 0o600),
		os.MkdirAll(in("real/deep"), 0o755),
		os.WriteFile(in("real/file"), []byte("hello"), 0o644),
		os.Symlink("file", in("real/inside")),
		os.Symlink(outside, in("real/outside")),
		os.Symlink("real", in("linked")),
		os.Symlink("/", in("slash")),
		syscall.Mkfifo(in("real/fifo"), 0o644),
	)
	if data, info, err := d.Read("/real/file", 5); string(data) != "hello" || err != nil || info.Permissions() != "0644" {
		t.Errorf("the plain file: %q, %v, %s", data, err, info.Permissions())
	}
	for _, c := range []struct {
		name, path string
		is         error
		want       string
	}{
		{"a link to a file beside it", "/real/inside", disk.ErrLink, "/real/inside is a symbolic link"},
		{"a link out", "/real/outside", disk.ErrLink, ""},
		{"through a linked directory", "/linked/file", disk.ErrLink, "/linked is a symbolic link"},
		{"through a link to the root", "/slash" + outside, disk.ErrLink, ""},
		{"not there", "/real/nothing", fs.ErrNotExist, ""},
		{"directory not there", "/no/such/file", fs.ErrNotExist, ""},
		{"a directory", "/real/deep", nil, "not a regular file"},
		{"a FIFO", "/real/fifo", nil, "not a regular file"},
		{"a file as a directory", "/real/file/x", nil, "not a directory"},
		{"relative", "real/file", nil, "not a clean absolute path"},
		{"with dots", "/real/../real/file", nil, "not a clean absolute path"},
		{"the root", "/", nil, "not a file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			data, _, err := d.Read(c.path, 100)
			if err == nil || data != nil {
				t.Fatalf("read %q", data)
			}
			if c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, _, err := d.Read("/real/file", 4); !errors.Is(err, disk.ErrTooLarge) {
		t.Errorf("a file above the limit: %v", err)
	}
}

func TestDirectoryExchangedForALink(t *testing.T) {
	root, d := open(t)
	must(t, os.MkdirAll(filepath.Join(root, "a"), 0o755), os.WriteFile(filepath.Join(root, "a/f"), []byte("old"), 0o644))
	if _, _, err := d.Read("/a/f", 10); err != nil {
		t.Fatal(err)
	}
	must(t, os.Rename(filepath.Join(root, "a"), filepath.Join(root, "b")), os.Symlink("b", filepath.Join(root, "a")))
	if _, _, err := d.Read("/a/f", 10); !errors.Is(err, disk.ErrLink) {
		t.Errorf("after the exchange: %v", err)
	}
	must(t, os.Remove(filepath.Join(root, "a")), os.Mkdir(filepath.Join(root, "a"), 0o755), os.WriteFile(filepath.Join(root, "a/f"), []byte("new"), 0o644))
	if data, _, err := d.Read("/a/f", 10); string(data) != "new" || err != nil {
		t.Errorf("a new directory of that name: %q, %v", data, err)
	}
}

func TestWriteReplacesWholeAndKeepsNothingBehind(t *testing.T) {
	root, d := open(t)
	must(t, os.WriteFile(filepath.Join(root, "f"), []byte("old"), 0o644))
	dir, err := d.Dir("/")
	must(t, err, dir.WriteFile("f", 0o600, []byte("new")))
	if data, info, err := d.Read("/f", 10); string(data) != "new" || info.Permissions() != "0600" || err != nil {
		t.Errorf("%q %s %v", data, info.Permissions(), err)
	}
	prepared, err := dir.Prepare("f", 0o600, os.Geteuid(), os.Getegid(), disk.Bytes([]byte("newer")))
	must(t, err)
	if data, _, _ := d.Read("/f", 10); string(data) != "new" {
		t.Errorf("prepared is in place already: %q", data)
	}
	entries, err := dir.List()
	must(t, err)
	if len(entries) != 2 || !disk.Leftover(entries[0].Name, "f") || disk.Leftover(entries[0].Name, "g") || disk.Leftover("f", "f") {
		t.Errorf("entries %+v", entries)
	}
	prepared.Discard()
	if entries, _ := dir.List(); len(entries) != 1 {
		t.Errorf("left behind: %+v", entries)
	}
	// A link in the file's place is replaced, not written through.
	victim := filepath.Join(t.TempDir(), "victim")
	must(t, os.WriteFile(victim, []byte("untouched"), 0o600), os.Remove(filepath.Join(root, "f")), os.Symlink(victim, filepath.Join(root, "f")))
	must(t, dir.WriteFile("f", 0o600, []byte("new")))
	if text, _ := os.ReadFile(victim); string(text) != "untouched" {
		t.Errorf("written through a link: %q", text)
	}
}

func TestTrust(t *testing.T) {
	root, d := open(t)
	must(t, os.MkdirAll(filepath.Join(root, "a/b"), 0o755), os.WriteFile(filepath.Join(root, "a/b/f"), nil, 0o600))
	for _, c := range []struct {
		name, path string
		mode       os.FileMode
		want       string
	}{
		{"all its own", "a/b", 0o755, ""},
		{"group writes to the directory", "a/b", 0o775, "/a/b has mode 0775"},
		{"anybody writes to the one above", "a", 0o757, "/a has mode 0757"},
		{"sticky does not help", "a", 0o777 | os.ModeSticky, "/a has mode 0777"},
		{"group writes to the file", "a/b/f", 0o660, "/a/b/f has mode 0660"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := filepath.Join(root, c.path)
			before, err := os.Stat(p)
			must(t, err, os.Chmod(p, c.mode))
			defer os.Chmod(p, before.Mode())
			dir, err := d.Dir("/a/b")
			must(t, err)
			err = dir.TrustFile("f")
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestLock(t *testing.T) {
	_, d := open(t)
	dir, err := d.Dir("/")
	must(t, err)
	unlock, err := dir.Lock("lock")
	must(t, err)
	if _, err := dir.Lock("lock"); err == nil || !strings.Contains(err.Error(), "held by another process") {
		t.Errorf("a second lock: %v", err)
	}
	unlock()
	again, err := dir.Lock("lock")
	must(t, err)
	again()
}
