package renew_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	fixture "upkeep/fixtures/pki"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/marks"
	"upkeep/providers/node/agent/renew"
	"upkeep/providers/node/protocol"
)

// renewAndDie renews and kills its own process at the given instant, counted from 1. It prints the instants it passed.
func renewAndDie(dir, requestFile, count string) int {
	dieAt, _ := strconv.Atoi(count)
	text, err := os.ReadFile(requestFile)
	if err != nil {
		panic(err)
	}
	var q protocol.RenewRequest
	if err := json.Unmarshal(text, &q); err != nil {
		panic(err)
	}
	r, _ := newRenewer(dir)
	passed := 0
	r.At = func(instant string) {
		passed++
		if passed == dieAt {
			fmt.Println(instant)
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	if _, err := r.Run(context.Background(), q, func(string) {}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func TestKilledAtEveryInstant(t *testing.T) {
	for _, instant := range instants(t) {
		t.Run(instant.name, func(t *testing.T) {
			t.Parallel() // most of the time goes into fsync
			dir, q, before := dying(t)
			where, killed := die(t, dir, q, instant.number)
			if !killed || where != instant.name {
				t.Fatalf("killed %t, at %q", killed, where)
			}
			repaired(t, dir, q, before, where)
		})
	}
}

type instant struct {
	number int
	name   string
}

// instants runs a renewal that is not killed and returns the instants that it passes.
func instants(t *testing.T) []instant {
	t.Helper()
	dir, q, _ := dying(t)
	var passed []instant
	r := renewer(t, dir)
	r.At = func(name string) { passed = append(passed, instant{len(passed) + 1, name}) }
	if _, err := r.Run(t.Context(), q, func(string) {}); err != nil {
		t.Fatal(err)
	}
	if len(passed) < 25 {
		t.Fatalf("only %d instants: %v", len(passed), passed)
	}
	return passed
}

// dying returns a node, a request of two pairs, a kubeconfig and a copy of it, and the serials as they are.
func dying(t *testing.T) (string, protocol.RenewRequest, map[string]string) {
	t.Helper()
	dir := node(t, fixture.Options{})
	copyOfAdmin(t, dir, "root/.kube/config", func(s string) string { return s })
	q := request(t, dir, "apiserver", "etcd-server", "admin.conf")
	q.Kubeconfigs = []string{"/root/.kube/config"}
	return dir, q, serials(observe(t, dir, q.Kubeconfigs...))
}

// die runs a renewal in a process that is killed at the given instant; it says where that was.
func die(t *testing.T, dir string, q protocol.RenewRequest, at int) (where string, killed bool) {
	t.Helper()
	text, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	requestFile := filepath.Join(t.TempDir(), "request.json")
	must(t, os.WriteFile(requestFile, text, 0o600))
	cmd := exec.Command(os.Args[0], "renew-and-die", dir, requestFile, strconv.Itoa(at))
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	_ = cmd.Run()
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	return strings.TrimSpace(said.String()), ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// repaired looks at a node after a crash, repairs it as the next run would, and looks again.
func repaired(t *testing.T, dir string, q protocol.RenewRequest, before map[string]string, where string) {
	t.Helper()
	crashed := observe(t, dir, q.Kubeconfigs...)
	marked(t, dir, where)
	mixed := false
	for _, f := range crashed.Files {
		mixed = mixed || f.Key == "mismatch"
	}
	if mixed && len(crashed.Unfinished) == 0 {
		t.Errorf("at %s: a mismatched pair and no intent to repair it", where)
	}
	recorded := strings.HasPrefix(where, "install:") || where == "intent:recorded" || where == "clear"
	if want := recorded; want != (len(crashed.Unfinished) == 1) {
		t.Errorf("at %s: unfinished %+v", where, crashed.Unfinished)
	}
	for _, u := range crashed.Unfinished {
		if len(u.Installed)+len(u.Remaining) != 4 || u.Step != q.Step || u.Started.IsZero() || u.Unknown != "" {
			t.Errorf("at %s: %+v", where, u)
		}
		if _, err := renewer(t, dir).Run(t.Context(), request(t, dir, "apiserver"), func(string) {}); err == nil || !strings.Contains(err.Error(), "repaired first") {
			t.Errorf("at %s: a new renewal beside the unfinished one: %v", where, err)
		}
		result, err := renewer(t, dir).Repair(protocol.RepairRequest{Intent: u.ID}, func(string) {})
		if err != nil {
			t.Fatalf("at %s: %v", where, err)
		}
		if len(result.Installed) != 4 || len(result.Discarded) != 0 {
			t.Errorf("at %s: repaired %+v", where, result)
		}
		again, err := renewer(t, dir).Repair(protocol.RepairRequest{Intent: u.ID}, func(string) {})
		if err != nil || len(again.Installed)+len(again.Discarded) != 0 {
			t.Errorf("at %s: repairing twice: %+v, %v", where, again, err)
		}
	}
	after := observe(t, dir, q.Kubeconfigs...)
	healthy(t, after)
	for name, serial := range serials(after) {
		asked := slices.Contains(q.Names, name) || slices.Contains(q.Kubeconfigs, name)
		if want := asked && recorded; want != (serial != before[name]) {
			t.Errorf("at %s: %s renewed: %t, want %t", where, name, serial != before[name], want)
		}
	}
	// And the next renewal works, leaving nothing behind.
	if _, err := renewer(t, dir).Run(t.Context(), request(t, dir, "apiserver-etcd-client"), func(string) {}); err != nil {
		t.Errorf("at %s: the next renewal: %v", where, err)
	}
	for _, pattern := range []string{renew.Dir + "/stage/*", renew.Dir + "/intents/*", renew.Dir + "/marks/*", renew.Dir + "/marks/.*", renew.Dir + "/archive/.*", "etc/kubernetes/.*.upkeep-*", "etc/kubernetes/pki/.*", "etc/kubernetes/pki/etcd/.*", "root/.kube/.*"} {
		if left, _ := filepath.Glob(filepath.Join(dir, pattern)); len(left) > 0 {
			t.Errorf("at %s: left behind: %v", where, left)
		}
	}
	if _, err := tls.LoadX509KeyPair(filepath.Join(dir, "etc/kubernetes/pki/apiserver.crt"), filepath.Join(dir, "etc/kubernetes/pki/apiserver.key")); err != nil {
		t.Errorf("at %s: %v", where, err)
	}
}

// marked checks that whatever a crash left of a renewal's own things has its mark.
func marked(t *testing.T, dir, where string) {
	t.Helper()
	d, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	ids := map[string]bool{}
	found := marks.Found(d)
	if found.Unknown != "" {
		t.Errorf("at %s: marks: %s", where, found.Unknown)
	}
	for _, m := range found.Found {
		ids[m.ID] = true
		if m.Unknown != "" || m.Undo == "" || m.What == "" || m.Made.IsZero() {
			t.Errorf("at %s: mark %+v", where, m)
		}
	}
	for kind, pattern := range map[string]string{"stage": "/stage/*", "intent": "/intents/*"} {
		left, _ := filepath.Glob(filepath.Join(dir, renew.Dir+pattern))
		for _, p := range left {
			if id := kind + ":" + filepath.Base(p); !ids[id] {
				t.Errorf("at %s: %s was left without a mark: %v", where, p, ids)
			}
		}
	}
}
