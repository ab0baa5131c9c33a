package node_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/facts"
	"upkeep/providers/node"
)

// installed is where the site's helper must lie on its nodes.
func (s *site) installed() string {
	s.t.Helper()
	data, err := os.ReadFile(s.helper())
	if err != nil {
		s.t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	return filepath.Join(s.options.Directory, "upkeep-node-"+hex.EncodeToString(sum[:]))
}

func (s *site) observe(target node.Target) error {
	_, err := s.client().Observe(s.t.Context(), target, facts.Question{})
	return err
}

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Ino
}

func TestTheHelperIsInstalledOnce(t *testing.T) {
	s := newSite(t)
	if err := s.observe(remote("cp1")); err != nil {
		t.Fatal(err)
	}
	path := s.installed()
	first := inode(t, path)
	for path, want := range map[string]os.FileMode{s.options.Directory: 0o700 | os.ModeDir, path: 0o700} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %v, want %v", path, info.Mode(), want)
		}
	}
	for range 2 {
		if err := s.observe(remote("cp1")); err != nil {
			t.Fatal(err)
		}
	}
	if inode(t, path) != first {
		t.Error("a later session installed the helper again")
	}
	entries, err := os.ReadDir(s.options.Directory)
	if err != nil || len(entries) != 2 || !strings.HasPrefix(entries[0].Name(), ".checked-") {
		t.Errorf("the directory holds %v (%v), want the helper and the note that it was hashed", entries, err)
	}
}

// A helper that was hashed is not hashed again while it is the same file; one that changed since, or whose note others could have
// written, is.
func TestTheHelperIsHashedWhereItMayHaveChanged(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(t *testing.T, s *site, path string)
		hashed bool
	}{
		{"the same file", func(*testing.T, *site, string) {}, false},
		{"another content of the same size and time", func(t *testing.T, _ *site, path string) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			data[len(data)-1]++
			if err := os.WriteFile(path, data, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"another file", func(t *testing.T, s *site, path string) {
			s.write(path+".new", fmt.Sprintf("#!/bin/sh\ntouch %s\nexec %s \"$@\"\n", s.path("ran"), s.helper()))
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"a directory that was open", func(t *testing.T, s *site, _ string) {
			if err := os.Chmod(s.options.Directory, 0o777); err != nil {
				t.Fatal(err)
			}
		}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			for range 2 {
				if err := s.observe(remote("cp1")); err != nil {
					t.Fatal(err)
				}
			}
			path := s.installed()
			notes, err := filepath.Glob(filepath.Join(s.options.Directory, ".checked-*"))
			if err != nil || len(notes) != 1 {
				t.Fatalf("notes %v, %v", notes, err)
			}
			// A note of the future tells whether it is written anew.
			future := time.Now().Add(time.Hour)
			if err := os.Chtimes(notes[0], future, future); err != nil {
				t.Fatal(err)
			}
			test.change(t, s, path)
			for range 2 { // one that is sent again is hashed as it arrives, and in the session after that
				if err := s.observe(remote("cp1")); err != nil {
					t.Fatal(err)
				}
			}
			info, err := os.Stat(notes[0])
			if err != nil {
				t.Fatal(err)
			}
			if hashed := info.ModTime().Before(future); hashed != test.hashed {
				t.Errorf("hashed again: %t, want %t", hashed, test.hashed)
			}
			if _, err := os.Stat(s.path("ran")); err == nil {
				t.Error("what lay there was run")
			}
		})
	}
}

// What lies at the helper's place and is not the helper is never run.
func TestWhatIsNotTheHelperIsReplaced(t *testing.T) {
	evil := "#!/bin/sh\ntouch %s\necho; echo \"upkeep-session $2 fail this is not the helper\"\n"
	for _, test := range []struct {
		name  string
		place func(t *testing.T, s *site, path, evil string)
	}{
		{"another program", func(t *testing.T, s *site, path, evil string) { s.write(path, evil) }},
		{"half a helper", func(t *testing.T, s *site, path, _ string) {
			data, err := os.ReadFile(s.helper())
			if err != nil {
				t.Fatal(err)
			}
			s.write(path, string(data[:len(data)/2]))
		}},
		{"a symbolic link", func(t *testing.T, s *site, path, evil string) {
			s.write("evil", evil)
			if err := os.Symlink(s.path("evil"), path); err != nil {
				t.Fatal(err)
			}
		}},
		{"a symbolic link to the helper", func(t *testing.T, s *site, path, _ string) {
			if err := os.Symlink(s.helper(), path); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			if err := os.MkdirAll(s.options.Directory, 0o700); err != nil {
				t.Fatal(err)
			}
			path := s.installed()
			test.place(t, s, path, fmt.Sprintf(evil, s.path("ran")))
			if err := s.observe(remote("cp1")); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(s.path("ran")); err == nil {
				t.Error("what lay there was run")
			}
			if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
				t.Errorf("at the helper's place lies %v (%v)", info.Mode(), err)
			}
		})
	}
}

func TestADirectoryOfOthersIsRefused(t *testing.T) {
	s := newSite(t)
	if err := os.Mkdir(s.path("elsewhere"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(s.path("elsewhere"), s.options.Directory); err != nil {
		t.Fatal(err)
	}
	want := "cp1: " + s.options.Directory + " is a symbolic link"
	if diff := cmp.Diff(want, fmt.Sprint(s.observe(remote("cp1")))); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

func TestADirectoryOthersCanWriteToIsClosed(t *testing.T) {
	s := newSite(t)
	if err := os.Mkdir(s.options.Directory, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(s.options.Directory, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := s.observe(remote("cp1")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(s.options.Directory); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v (%v), want 0700", info.Mode(), err)
	}
}

func TestATransferThatBreaksOffLeavesNothing(t *testing.T) {
	s := newSite(t)
	s.host("cp1", `head -c 100000 | sh -c "$3"; exit $?`+"\n")
	want := "cp1: the helper arrived damaged"
	if diff := cmp.Diff(want, fmt.Sprint(s.observe(remote("cp1")))); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
	if entries, err := os.ReadDir(s.options.Directory); err != nil || len(entries) != 0 {
		t.Errorf("the directory holds %v (%v), want nothing", entries, err)
	}
}

func TestAMachineWithoutHelper(t *testing.T) {
	s := newSite(t)
	s.options.Helpers = t.TempDir()
	got := fmt.Sprint(s.observe(remote("cp1")))
	if !strings.HasPrefix(got, "cp1: the helper for ") || !strings.HasSuffix(got, " is not next to upkeep") {
		t.Errorf("over ssh: %s", got)
	}
	got = fmt.Sprint(s.observe(local("cp1")))
	if !strings.Contains(got, "make build") {
		t.Errorf("locally: %s", got)
	}
}

func TestBanners(t *testing.T) {
	for _, test := range []struct{ name, code, want string }{
		{"a long one", "yes Welcome | head -c 60000", ""},
		{"one without end of line", "printf '$ '", ""},
		{"an endless one", "yes Welcome", "cp1: start the session: the session did not start: more than 65536 bytes came before it"},
		{"none and no shell", "exit 0", "cp1: the session did not start (exit status 0) and nothing said why; see why with: ssh -v cp1 true"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			s.host("cp1", test.code+"\n")
			got := ""
			if err := s.observe(remote("cp1")); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRestrictedAccess(t *testing.T) {
	s := newSite(t)
	target := remote("cp1")
	target.Access = node.AccessRestricted

	s.host("cp1", `echo "sudo: a password is required" >&2; exit 1`+"\n")
	want := "cp1: sudo does not run " + s.options.Installed + `: "sudo: a password is required"; ` + "sudoers has no line for this class of requests, or the file is missing or has another digest; " +
		"compare `ssh cp1 sha256sum " + s.options.Installed + "` with `upkeep access -print`"
	if diff := cmp.Diff(want, fmt.Sprint(s.observe(target))); diff != "" {
		t.Errorf("refused by sudo (-want +got):\n%s", diff)
	}

	// The installed helper must go by the helper's name, by which the test binary knows that it is meant to be it.
	s.host("cp1", "")
	s.options.Installed = s.path("nodes/upkeep-node")
	data, err := os.ReadFile(s.helper())
	if err != nil {
		t.Fatal(err)
	}
	s.write("nodes/upkeep-node", string(data))
	if err := s.observe(target); err != nil {
		t.Errorf("the same helper: %v", err)
	}
	s.write("nodes/upkeep-node", string(data)+"\n") // runs as before
	got := fmt.Sprint(s.observe(target))
	if !strings.HasPrefix(got, "cp1: "+s.options.Installed+" is not the helper of this upkeep (it is version test, SHA-256 ") ||
		!strings.HasSuffix(got, "install the package of the same version on the node, and update its sudoers line: upkeep access -print") {
		t.Errorf("another helper: %s", got)
	}
	if _, err := os.Stat(s.options.Directory); err == nil {
		t.Error("a helper was sent")
	}
}

func TestASlowTransferIsBounded(t *testing.T) {
	s := newSite(t)
	s.options.UploadTimeout = 300 * time.Millisecond
	s.host("cp1", `echo; echo "upkeep-session $(echo "$3" | grep -o "upkeep [0-9a-f]*" | cut -c 8-39) want $(uname -m)"; exec sleep 60`+"\n")
	got := fmt.Sprint(s.observe(remote("cp1")))
	if diff := cmp.Diff("cp1: no answer in 300ms", got); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}
