package acceptance

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// ballast is how much the tests put into etcd so that a snapshot takes its time, and stalled how much of a bundle must be in
// the store when something happens to it: less than the ballast by far more than what is buffered on the way.
const (
	ballast = 64 << 20
	stalled = 6 << 20
)

// What can go wrong while a bundle is taken: the member dies, the store is full, the store does not answer, upkeep is killed.
// Nothing that is not whole ever has a bundle's name, upkeep says what happened, and the next one works.
func testBackupFaults(t *testing.T, s *suite) {
	client := s.etcdClient(t)
	t.Cleanup(func() { s.unload(t, client) })
	value := make([]byte, 1<<20)
	_, _ = rand.Read(value)
	for i := range ballast / len(value) {
		if _, err := client.Put(s.ctx, fmt.Sprintf("%sballast/%d", load, i), string(value)); err != nil {
			t.Fatal(err)
		}
	}
	key := newAgeKey(t)
	declare := func(t *testing.T, store string) directory {
		return s.declare(t, declaration{renewBefore: time.Hour, backup: backupBlock("hash", encryptedTo(key), store)})
	}
	t.Run("the member is killed in the middle of its snapshot", func(t *testing.T) {
		folder := filepath.Join(t.TempDir(), "backups")
		d := declare(t, fileStore(folder))
		// A directory gets the bundle while the member is read from.
		u := d.stalledWhile(t, func(*inProgress) bool { return partial(t, folder) >= stalled })
		member := u.source(t)
		const aside = "/root/upkeep-acceptance-etcd.yaml"
		back := "test ! -e " + aside + " || mv " + aside + " /etc/kubernetes/manifests/etcd.yaml"
		s.undo(t, member, back)
		s.ssh(t, member, "mv /etc/kubernetes/manifests/etcd.yaml "+aside+"; pkill -KILL -x etcd")
		u.signal(t, syscall.SIGCONT)
		if code := u.wait(); code == 0 || !strings.Contains(u.said(), "broke off") {
			t.Errorf("exit %d:\n%s", code, u.said())
		}
		if left := stored(t, folder); len(left) > 0 {
			t.Errorf("the store has %v", left)
		}
		// The bundle is taken from another member, and the exit code says that one could not be asked.
		again := d.run(t, "backup", "take", "-auto-approve").want(t, 3)
		if ids := bundlesIn(t, folder); len(ids) != 1 {
			t.Errorf("after another take the store has %v", ids)
		}
		if from := bundleFrom.FindStringSubmatch(again.stdout); from == nil || from[1] == member {
			t.Errorf("another member was to be asked than that on %s:\n%s", member, again.stdout)
		}
		s.ssh(t, member, back)
		if err := s.lab.Ready(s.ctx, time.Time{}); err != nil {
			t.Fatal(err)
		}
		d.verify(t, "-identity="+key.file, "-level=restore", "latest")
	})
	t.Run("the store is full", func(t *testing.T) {
		mount := filepath.Join(t.TempDir(), "small")
		if err := os.Mkdir(mount, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", ballast/4)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := syscall.Unmount(mount, 0); err != nil {
				t.Error(err)
			}
		})
		folder := filepath.Join(mount, "backups")
		d := declare(t, fileStore(folder))
		r := d.run(t, "backup", "take", "-auto-approve")
		if r.code == 0 || !strings.Contains(r.stdout+r.stderr, "no space left on device") {
			t.Errorf("exit %d:\n%s%s", r.code, r.stdout, r.stderr)
		}
		if entries, err := os.ReadDir(folder); err != nil || len(entries) > 0 {
			t.Errorf("left in the store: %v, %v", entries, err)
		}
		if p, _ := d.plan(t); len(p.Upkeep.Steps) == 0 {
			t.Error("nothing is planned although there is no bundle")
		}
	})
	t.Run("the store does not answer", func(t *testing.T) {
		t.Setenv("AWS_ACCESS_KEY_ID", "nobody")
		t.Setenv("AWS_SECRET_ACCESS_KEY", "nothing")
		d := declare(t, "store \"s3\" {\n    bucket     = \"upkeep\"\n    endpoint   = \"http://127.0.0.1:9\"\n    path_style = true\n  }")
		p, _ := d.plan(t, "-replace=certificates.control_plane@n3")
		found := false
		for _, f := range p.Upkeep.Findings {
			found = found || f.ID == "BACKUP_STORE_UNREACHABLE"
		}
		if !found {
			t.Errorf("findings: %+v", p.Upkeep.Findings)
		}
		before := s.expires(t, "n3")
		ctx, cancel := context.WithTimeout(s.ctx, 30*time.Second)
		defer cancel()
		u := d.begin(t, "apply", "-auto-approve", "-replace=certificates.control_plane@n3")
		select {
		case <-u.ended:
		case <-ctx.Done(): // it waits for the store, as for everything that may come back
			u.signal(t, syscall.SIGINT)
		}
		if code := u.wait(); code == 0 {
			t.Errorf("it ended as if all was well:\n%s", u.said())
		}
		for name, end := range s.expires(t, "n3") {
			if !end.Equal(before[name]) {
				t.Errorf("%s was renewed without a backup:\n%s", name, u.said())
			}
		}
	})
	t.Run("upkeep is killed while it writes", func(t *testing.T) {
		folder := filepath.Join(t.TempDir(), "backups")
		d := declare(t, fileStore(folder))
		u := d.stalledAt(t, folder)
		u.signal(t, syscall.SIGKILL)
		u.wait()
		if ids := bundlesIn(t, folder); len(ids) > 0 {
			t.Errorf("the store has %v", ids)
		}
		p, _ := d.plan(t)
		t.Logf("found afterwards: %+v", p.Upkeep.Findings)
		d.run(t, "apply", "-auto-approve").want(t, 0)
		ids := bundlesIn(t, folder)
		if len(ids) != 1 {
			t.Errorf("after an apply the store has %v", ids)
		}
		d.verify(t, "-identity="+key.file, "latest")
		// What the killed one left is named until it is removed; it is young, and could be another's who still writes.
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			t.Log("in the store:", e.Name())
		}
		if len(entries) > 2 {
			if r := d.run(t, "backup", "list").want(t, 0); !strings.Contains(r.stdout, "half-written") {
				t.Errorf("the half-written bundle is not named:\n%s", r.stdout)
			}
		}
	})
	t.Run("a store on a node", func(t *testing.T) {
		const folder = "/var/lib/upkeep-acceptance-backups"
		s.undo(t, "n3", "rm -rf "+folder)
		d := declare(t, fmt.Sprintf("store \"node\" {\n    node = \"n3\"\n    path = %q\n  }", folder))
		d.run(t, "backup", "take", "-auto-approve").want(t, 0)
		d.empty(t)
		d.verify(t, "-identity="+key.file, "-level=restore", "latest")
		if modes := s.ssh(t, "n3", "stat -c '%a %U' "+folder+" "+folder+"/*.upkeep-bundle"); modes != "700 root\n600 root\n" {
			t.Errorf("modes on n3: %q", modes)
		}
	})
}

// inProgress is an upkeep that was started and goes on.
type inProgress struct {
	command *exec.Cmd
	ended   chan struct{}
	mu      sync.Mutex
	text    strings.Builder
}

func (d directory) begin(t *testing.T, args ...string) *inProgress {
	t.Helper()
	u := &inProgress{command: exec.Command(d.s.upkeep, d.arguments(args)...), ended: make(chan struct{})}
	u.command.Dir = d.path
	out, err := u.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	u.command.Stderr = u.command.Stdout
	if err := u.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(u.ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			u.mu.Lock()
			u.text.WriteString(lines.Text() + "\n")
			u.mu.Unlock()
		}
		_ = u.command.Wait() // its exit code says it
	}()
	t.Cleanup(func() {
		_ = u.command.Process.Kill() // it may have ended
		u.wait()
	})
	return u
}

func (u *inProgress) said() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.text.String()
}

func (u *inProgress) wait() int {
	<-u.ended
	return u.command.ProcessState.ExitCode()
}

func (u *inProgress) signal(t *testing.T, signal syscall.Signal) {
	t.Helper()
	if err := u.command.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
}

var bundleFrom = regexp.MustCompile(`bundle \S+ from (\S+):`)

// source is the node that the bundle is taken from.
func (u *inProgress) source(t *testing.T) string {
	t.Helper()
	said := bundleFrom.FindStringSubmatch(u.said())
	if said == nil {
		t.Fatalf("it does not say where the bundle is from:\n%s", u.said())
	}
	return said[1]
}

// stalledAt begins to take a bundle and stops the process when a part of the bundle is in the store.
func (d directory) stalledAt(t *testing.T, folder string) *inProgress {
	t.Helper()
	u := d.stalledWhile(t, func(*inProgress) bool {
		for _, e := range stored(t, folder) {
			if info, err := e.Info(); err == nil && info.Size() >= stalled {
				return true
			}
		}
		return false
	})
	if bundleIsWhole(stored(t, folder)) {
		t.Fatal("the bundle was whole before upkeep could be stopped")
	}
	return u
}

// stalledWhile begins to take a bundle and stops the process as soon as the condition holds.
func (d directory) stalledWhile(t *testing.T, holds func(*inProgress) bool) *inProgress {
	t.Helper()
	u := d.begin(t, "backup", "take", "-auto-approve")
	for !holds(u) {
		select {
		case <-u.ended:
			t.Fatalf("it ended before it could be stopped:\n%s", u.said())
		case <-time.After(2 * time.Millisecond):
		}
	}
	u.signal(t, syscall.SIGSTOP)
	return u
}

// partial is the size in bytes of the bundle that is not complete.
func partial(t *testing.T, folder string) int64 {
	t.Helper()
	for _, e := range stored(t, folder) {
		if info, err := e.Info(); err == nil && strings.HasSuffix(e.Name(), ".part") {
			return info.Size()
		}
	}
	return 0
}

// stored lists what is in the store; a store that does not exist yet has nothing.
func stored(t *testing.T, folder string) []os.DirEntry {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return entries
}

func bundleIsWhole(entries []os.DirEntry) bool {
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".upkeep-bundle") {
			return true
		}
	}
	return false
}
