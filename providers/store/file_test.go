package store_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"upkeep/providers/store"
)

// TestMain also is the process that may write no file larger than 1 MiB, which is how a full disk looks to it.
func TestMain(m *testing.M) {
	if path := os.Getenv("STORE_TEST_LIMITED"); path != "" {
		limit := syscall.Rlimit{Cur: 1 << 20, Max: 1 << 20}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			fmt.Println(err)
			os.Exit(2)
		}
		s, err := store.File(path)
		if err == nil {
			err = s.Put(context.Background(), "a", io.LimitReader(zeros{}, 3<<20))
		}
		fmt.Println(errors.Is(err, store.ErrFull), err)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// A disk that is full is said to be, and nothing remains of what did not fit.
func TestFileDiskFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bundles")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(self)
	child.Env = append(os.Environ(), "STORE_TEST_LIMITED="+path)
	out, err := child.CombinedOutput()
	if want := "true store " + path + ": the store is full: "; err != nil || !strings.HasPrefix(string(out), want) {
		t.Errorf("%s, %v; want %s", out, err, want)
	}
	entries, err := os.ReadDir(path)
	if err != nil || len(entries) > 0 {
		t.Errorf("%v are left, %v", entries, err)
	}
}

func TestFileModes(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	path := filepath.Join(t.TempDir(), "bundles")
	s := directory{path}.Open(t)
	if err := s.Put(t.Context(), "a", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]os.FileMode{path: os.ModeDir | 0o700, path + "/a": 0o600} {
		if info, err := os.Stat(p); err != nil || info.Mode() != want {
			t.Errorf("%s has mode %v, %v; want %v", p, info.Mode(), err, want)
		}
	}
}

func TestFileRefuses(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(path string) error
		want    string
	}{
		{"a directory that the group may write to", func(p string) error { return errors.Join(os.Mkdir(p, 0o700), os.Chmod(p, 0o770)) },
			"its mode is 0770, so that others can write to it; run: chmod 0700 "},
		{"a directory that everybody may write to", func(p string) error { return errors.Join(os.Mkdir(p, 0o700), os.Chmod(p, 0o707)) },
			"its mode is 0707, so that others can write to it; run: chmod 0700 "},
		{"a link", func(p string) error { return os.Symlink(os.TempDir(), p) }, "it is not a directory (links are not followed)"},
		{"a file", func(p string) error { return os.WriteFile(p, nil, 0o600) }, "it is not a directory (links are not followed)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bundles")
			if err := test.prepare(path); err != nil {
				t.Fatal(err)
			}
			s := directory{path}.Open(t)
			_, listErr := s.List(t.Context())
			_, getErr := s.Get(t.Context(), "a")
			for what, err := range map[string]error{"put": s.Put(t.Context(), "a", strings.NewReader("x")), "list": listErr, "get": getErr, "remove": s.Remove(t.Context(), "a")} {
				if !errors.Is(err, store.ErrRefused) || !strings.HasPrefix(err.Error(), "store "+path+": the store refused: "+test.want) {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
	for _, path := range []string{"", "bundles", "/a/../b", "/a/"} {
		if _, err := store.File(path); err == nil {
			t.Errorf("a store in %q", path)
		}
	}
}

// A directory of somebody else is refused. Only root can make one.
func TestFileOfAnotherOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		if _, err := (directory{"/"}).Open(t).List(t.Context()); !errors.Is(err, store.ErrRefused) || !strings.Contains(err.Error(), "it belongs to user 0") {
			t.Errorf("root's own directory: %v", err)
		}
		return
	}
	path := filepath.Join(t.TempDir(), "bundles")
	if err := errors.Join(os.Mkdir(path, 0o700), os.Chown(path, 12345, -1)); err != nil {
		t.Fatal(err)
	}
	if _, err := (directory{path}).Open(t).List(t.Context()); !errors.Is(err, store.ErrRefused) || !strings.Contains(err.Error(), "it belongs to user 12345") {
		t.Errorf("another's directory: %v", err)
	}
}

// Links and special files in the directory are neither listed nor read.
func TestFileFollowsNoLink(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bundles")
	s := directory{path}.Open(t)
	if err := s.Put(t.Context(), "a", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Symlink("a", path+"/link"), os.Symlink("/etc/passwd", path+"/out"), os.Mkdir(path+"/dir", 0o700), syscall.Mkfifo(path+"/fifo", 0o600)); err != nil {
		t.Fatal(err)
	}
	objects, err := s.List(t.Context())
	if err != nil || len(objects) != 1 || objects[0].Name != "a" {
		t.Errorf("list: %v, %v", objects, err)
	}
	for _, name := range []string{"link", "out", "dir", "fifo"} {
		if r, err := s.Get(t.Context(), name); !errors.Is(err, store.ErrRefused) {
			t.Errorf("get %s: %v, %v", name, r, err)
		}
		if err := s.Put(t.Context(), name, strings.NewReader("x")); !errors.Is(err, store.ErrExists) {
			t.Errorf("put %s: %v", name, err)
		}
	}
}

// A directory above that is missing is not made: it may be a mount that is not there.
func TestFileMakesOnlyItsDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "not-mounted", "bundles")
	err := directory{path}.Open(t).Put(t.Context(), "a", strings.NewReader("x"))
	if !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "store "+path+": ") {
		t.Errorf("error %v", err)
	}
}
