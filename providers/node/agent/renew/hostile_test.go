package renew_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	fixture "upkeep/fixtures/pki"
	"upkeep/providers/facts"
	"upkeep/providers/node/agent/host"
	"upkeep/providers/node/protocol"
)

// victim is a place outside of what upkeep may touch, and a check that it was not touched.
func victim(t *testing.T) (dir, file string, untouched func()) {
	t.Helper()
	dir = t.TempDir()
	file = filepath.Join(dir, "shadow")
	must(t, os.WriteFile(file, []byte("root:CANARY:1\n"), 0o600))
	before := snapshot(t, dir)
	return dir, file, func() {
		t.Helper()
		after := snapshot(t, dir)
		if len(after) != len(before) {
			t.Errorf("files appeared or vanished elsewhere: %d, were %d", len(after), len(before))
		}
		if text, _ := os.ReadFile(file); string(text) != "root:CANARY:1\n" {
			t.Errorf("a file elsewhere was changed to %q", text)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("a file elsewhere has another mode: %v, %v", info.Mode(), err)
		}
	}
}

// What a hostile user of the node may have put in the way, should he ever get near it: every request is refused, in
// bounded time, and nothing is written or quoted from elsewhere.
func TestHostileStateDirectories(t *testing.T) {
	const state = "var/lib/upkeep"
	for _, test := range []struct {
		name   string
		attack func(t *testing.T, in func(string) string, victimDir, victimFile string)
		want   string
	}{
		{"the state is a link", func(t *testing.T, in func(string) string, dir, _ string) {
			must(t, os.Symlink(dir, in(state)))
		}, "symbolic link"},
		{"its parent is open to a group", func(t *testing.T, in func(string) string, _, _ string) {
			must(t, os.Chmod(in("var/lib"), 0o775))
		}, "users other than its owner can write to it"},
		{"the state is open to all", func(t *testing.T, in func(string) string, _, _ string) {
			must(t, os.Mkdir(in(state), 0o700), os.Chmod(in(state), 0o777))
		}, "users other than its owner can write to it"},
		{"the requests are a link", func(t *testing.T, in func(string) string, dir, _ string) {
			must(t, os.Mkdir(in(state), 0o700), os.Symlink(dir, in(state+"/operations")))
		}, "symbolic link"},
		{"the requests can be read by all", func(t *testing.T, in func(string) string, _, _ string) {
			must(t, os.Mkdir(in(state), 0o700), os.Mkdir(in(state+"/operations"), 0o700), os.Chmod(in(state+"/operations"), 0o755))
		}, "has mode 0755, not 0700"},
		{"the fence is a link", func(t *testing.T, in func(string) string, _, file string) {
			must(t, os.Mkdir(in(state), 0o700), os.Symlink(file, in(state+"/fence.json")))
		}, "symbolic link"},
		{"the fence is huge", func(t *testing.T, in func(string) string, _, _ string) {
			must(t, os.Mkdir(in(state), 0o700), os.WriteFile(in(state+"/fence.json"), nil, 0o600), os.Truncate(in(state+"/fence.json"), 1<<40))
		}, "larger than the limit"},
		{"the fence is open to all", func(t *testing.T, in func(string) string, _, _ string) {
			must(t, os.Mkdir(in(state), 0o700), os.WriteFile(in(state+"/fence.json"), []byte("{}"), 0o600), os.Chmod(in(state+"/fence.json"), 0o666))
		}, "users other than its owner can write to it"},
		{"the fence's lock is a FIFO", func(t *testing.T, in func(string) string, _, _ string) {
			must(t, os.Mkdir(in(state), 0o700), syscall.Mkfifo(in(state+"/fence.lock"), 0o600))
		}, "is not a regular file"},
		{"the lock of starting is a link", func(t *testing.T, in func(string) string, _, file string) {
			must(t, os.Mkdir(in(state), 0o700), os.Symlink(file, in(state+"/operations.lock")))
		}, "symbolic link"},
		{"the lock of starting is a link to nothing", func(t *testing.T, in func(string) string, dir, _ string) {
			must(t, os.Mkdir(in(state), 0o700), os.Symlink(filepath.Join(dir, "new"), in(state+"/operations.lock")))
		}, "symbolic link"},
		{"the lock of changes is another file's name", func(t *testing.T, in func(string) string, _, file string) {
			must(t, os.Mkdir(in(state), 0o700), os.Link(file, in(state+"/changing")))
		}, "has 2 names"},
		{"the journal is another file's name", func(t *testing.T, in func(string) string, _, file string) {
			must(t, os.Mkdir(in(state), 0o700), os.Link(file, in(state+"/journal.jsonl")))
		}, "has 2 names"},
		{"the journal is a link", func(t *testing.T, in func(string) string, _, file string) {
			must(t, os.Mkdir(in(state), 0o700), os.Symlink(file, in(state+"/journal.jsonl")))
		}, "symbolic link"},
		{"the staging trees are a link", func(t *testing.T, in func(string) string, dir, _ string) {
			must(t, os.Mkdir(in(state), 0o700), os.Symlink(dir, in(state+"/stage")))
		}, "symbolic link"},
		{"the marks are a link", func(t *testing.T, in func(string) string, dir, _ string) {
			must(t, os.Mkdir(in(state), 0o700), os.Symlink(dir, in(state+"/marks")))
		}, "symbolic link"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir, q, before := dying(t)
			q.Run = runOf(1)
			elsewhere, file, untouched := victim(t)
			test.attack(t, func(name string) string { return filepath.Join(dir, name) }, elsewhere, file)
			begin := time.Now()
			_, err := host.Carry(t.Context(), hostOf(dir, "never").Session("ops"), protocol.Renew, q, nil)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "CANARY") {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if took := time.Since(begin); took > 2*time.Minute {
				t.Errorf("it took %s", took)
			}
			_ = traces(t, dir) // looking neither hangs nor fails
			untouched()
			if !strings.HasPrefix(test.name, "the journal") { // which is written when all is done
				for name, serial := range serials(observe(t, dir, q.Kubeconfigs...)) {
					if serial != before[name] {
						t.Errorf("%s was renewed all the same", name)
					}
				}
			}
		})
	}
}

// A kubeconfig in a user's own directory is that user's to exchange. Whatever is put there, nothing else is written, read
// into an error, or waited for.
func TestHostileKubeconfigs(t *testing.T) {
	for _, test := range []struct {
		name   string
		attack func(t *testing.T, home, victimDir, victimFile string)
		want   string // empty: it is passed over
	}{
		{"the directory is a link", func(t *testing.T, home, dir, _ string) {
			must(t, os.RemoveAll(home), os.Symlink(dir, home), os.WriteFile(filepath.Join(dir, "config"), []byte("x"), 0o600))
		}, "symbolic link"},
		{"the file is a link", func(t *testing.T, home, _, file string) {
			must(t, os.Remove(home+"/config"), os.Symlink(file, home+"/config"))
		}, "symbolic link"},
		{"the file is a FIFO", func(t *testing.T, home, _, _ string) {
			must(t, os.Remove(home+"/config"), syscall.Mkfifo(home+"/config", 0o600))
		}, "not a regular file"},
		{"the file is huge", func(t *testing.T, home, _, _ string) {
			must(t, os.Truncate(home+"/config", 1<<40))
		}, "larger than the limit"},
		{"the directory is open to a group", func(t *testing.T, home, _, _ string) {
			must(t, os.Chmod(home, 0o775))
		}, "users other than its owner can write to it"},
		{"the file is another file's name", func(t *testing.T, home, _, file string) {
			must(t, os.Remove(home+"/config"), os.Link(file, home+"/config"))
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir, q, before := dying(t)
			q.Run = runOf(1)
			elsewhere, file, untouched := victim(t)
			test.attack(t, filepath.Join(dir, "root/.kube"), elsewhere, file)
			if test.name == "the directory is a link" {
				untouched = func() {
					if text, _ := os.ReadFile(filepath.Join(elsewhere, "config")); string(text) != "x" {
						t.Errorf("a file elsewhere was changed to %q", text)
					}
				}
			}
			_, err := host.Carry(t.Context(), hostOf(dir, "never").Session("ops"), protocol.Renew, q, nil)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			n, err := hostOf(dir, "never").Observe(t.Context(), protocol.ObserveRequest{Question: facts.Question{
				Certificates: &facts.CertificatesQuestion{Layout: "kubeadm", Kubeconfigs: q.Kubeconfigs}}})
			if err != nil {
				t.Fatal(err)
			}
			if f, _ := n.Certificates.File(q.Kubeconfigs[0]); f.Unknown == "" && !strings.Contains(test.name, "group") || strings.Contains(f.Unknown, "CANARY") {
				t.Errorf("observed: %+v", f)
			}
			untouched()
			if test.want != "" {
				for name, serial := range serials(n.Certificates) {
					if serial != before[name] && name != q.Kubeconfigs[0] {
						t.Errorf("%s was renewed all the same", name)
					}
				}
			}
		})
	}
}

// A user who exchanges his directory for a link again and again, while upkeep works in it, wins nothing.
func TestRacingForAKubeconfig(t *testing.T) {
	dir, q, _ := dying(t)
	elsewhere, _, untouched := victim(t)
	home, away := filepath.Join(dir, "root/.kube"), filepath.Join(dir, "root/.away")
	stop := make(chan struct{})
	var racer sync.WaitGroup
	racer.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			_ = os.Rename(home, away)
			_ = os.Symlink(elsewhere, home)
			_ = os.Remove(home)
			_ = os.Rename(away, home)
		}
	})
	renewed := 0
	for generation := range 6 {
		q = request(t, dir, "admin.conf")
		q.Kubeconfigs, q.Run = []string{"/root/.kube/config"}, runOf(uint64(generation+1))
		s := hostOf(dir, "never").Session("ops")
		if _, err := host.Carry(t.Context(), s, protocol.Renew, q, nil); err == nil {
			renewed++
		}
		for _, u := range observe(t, dir).Unfinished {
			_, _ = host.Carry(t.Context(), s, protocol.Repair, protocol.RepairRequest{Run: q.Run, Intent: u.ID}, nil)
		}
		untouched()
	}
	close(stop)
	racer.Wait()
	t.Logf("%d of 6 renewals came through", renewed)
}

// What the kubelet's directories hold is root's, but a FIFO or a file of a terabyte among it must not hang a look.
func TestHostileFilesDoNotHangALook(t *testing.T) {
	dir := node(t, fixture.Options{})
	in := func(name string) string { return filepath.Join(dir, name) }
	must(t, os.Remove(in("etc/kubernetes/manifests/etcd.yaml")), syscall.Mkfifo(in("etc/kubernetes/manifests/etcd.yaml"), 0o600),
		os.Truncate(in("etc/kubernetes/pki/apiserver.crt"), 1<<40), os.Remove(in("etc/kubernetes/pki/apiserver-etcd-client.crt")),
		syscall.Mkfifo(in("etc/kubernetes/pki/apiserver-etcd-client.crt"), 0o600))
	begin := time.Now()
	n, err := hostOf(dir, "never").Observe(t.Context(), protocol.ObserveRequest{Question: facts.Question{
		Certificates: &facts.CertificatesQuestion{Layout: "kubeadm"}, History: true, Marks: true}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"apiserver", "apiserver-etcd-client"} {
		if f, _ := n.Certificates.File(name); f.Unknown == "" {
			t.Errorf("%+v", f)
		}
	}
	if took := time.Since(begin); took > time.Minute {
		t.Errorf("it took %s", took)
	}
}
