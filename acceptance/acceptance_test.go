// Package acceptance holds the tests that need a real cluster. They run as root on Debian or Ubuntu and bring the lab up
// themselves; where it cannot run they fail and say why, and never skip.
//
//	UPKEEP=/path/to/upkeep go test -count=1 -timeout 50m -v .
//
// That walks the core, which every change must pass; with ACCEPTANCE=all in the environment it walks everything. Which part belongs
// to the core stands in one table, parts. They are one test with parts, in an order that needs one cluster only; each part begins on a healthy cluster and leaves one
// behind, so any of them runs alone too: -run TestAcceptance/parity. The lab stays up afterwards and is used again by the next run,
// whatever that left of its certificates' lives; where the environment has CI, it is made anew and removed at the end.
//
// When a part fails, everything that upkeep said and the logs of all hosts stay in a directory that the test names.
package acceptance

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep/acceptance/lab"
)

func TestAcceptance(t *testing.T) {
	all := everyPart(t)
	times := &stopwatch{}
	defer times.note(t)
	began := time.Now()
	s := setUp(t)
	times.add(labUp, string(labUp), time.Since(began))
	for _, part := range parts {
		if !all && part.group == rest {
			continue
		}
		broken := t.Failed()
		t.Run(part.name, func(t *testing.T) {
			began := time.Now()
			defer func() { times.add(part.group, part.name, time.Since(began)) }()
			ctx, cancel := context.WithTimeout(s.ctx, part.limit)
			defer cancel()
			of := *s
			of.ctx, of.logs = ctx, filepath.Join(s.logs, strings.ReplaceAll(part.name, " ", "-"))
			if err := os.MkdirAll(of.logs, 0o700); err != nil {
				t.Fatal(err)
			}
			of.healthy(t)
			if broken {
				of.repaired(t)
			}
			part.do(t, &of)
		})
	}
}

// suite is what every part works with.
type suite struct {
	ctx    context.Context // ends a while before the test binary is killed, so that cleaning up has its time
	lab    *lab.Lab
	upkeep string // the program under test
	logs   string // everything upkeep says is kept here
	// kubeconfig is an operator's, with a certificate of its own: it outlives what the tests renew.
	kubeconfig string
	watcher    string // the program of package watch
	programs   string // a directory for the programs of buildMain
}

// cleaningTime is what remains of the test binary's time when the parts are cut off: time for the bundle, and to take the lab down.
const cleaningTime = 4 * time.Minute

func setUp(t *testing.T) *suite {
	t.Helper()
	started := time.Now()
	s := &suite{upkeep: os.Getenv("UPKEEP")}
	if s.upkeep == "" {
		t.Fatal("UPKEEP does not name the upkeep to test; `make acceptance` builds one and sets it")
	}
	if _, err := os.Stat(s.upkeep); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if deadline, ok := t.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-cleaningTime))
		t.Cleanup(cancel)
	}
	s.ctx = ctx
	logs, err := os.MkdirTemp("", "upkeep-acceptance-")
	if err != nil {
		t.Fatal(err)
	}
	s.logs = logs
	fresh := os.Getenv("CI") != ""
	if fresh {
		if err := lab.Down(ctx); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { s.tearDown(t, fresh) })
	s.lab, err = lab.Up(ctx, lab.Options{Progress: func(line string) {
		t.Logf("lab: %4.0fs  %s", time.Since(started).Seconds(), line)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("figure: the lab is up after %s", time.Since(started).Round(time.Second))
	s.watcher, s.programs = s.build(t, "watch"), t.TempDir()
	s.kubeconfig = s.operatorKubeconfig(t)
	return s
}

// build builds a program of this module, static, for the nodes.
func (s *suite) build(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	command := exec.CommandContext(s.ctx, "go", "build", "-o", path, "./"+name)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := command.CombinedOutput(); err != nil {
		t.Fatalf("go build ./%s: %v\n%s", name, err, text)
	}
	return path
}

// tearDown leaves nothing behind but, after a failure, the bundle; a lab that was not made for this run stays up.
func (s *suite) tearDown(t *testing.T, remove bool) {
	ctx, cancel := context.WithTimeout(context.Background(), cleaningTime-30*time.Second)
	defer cancel()
	if t.Failed() {
		if s.lab != nil {
			if err := s.lab.Bundle(ctx, s.logs); err != nil {
				t.Log("the bundle is incomplete:", err)
			}
		}
		t.Log("what upkeep said and the logs of all hosts are in", s.logs)
	} else if err := os.RemoveAll(s.logs); err != nil {
		t.Error(err)
	}
	if !remove {
		t.Log("the lab stays up; remove it with: cd acceptance && go run ./cmd/lab down")
		return
	}
	if err := lab.Down(ctx); err != nil {
		t.Error("taking the lab down:", err)
	}
}

// healthy begins a part: whatever the one before it left, the cluster works.
func (s *suite) healthy(t *testing.T) {
	t.Helper()
	for _, n := range s.lab.Nodes {
		if err := s.lab.Resume(n.Name); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.lab.Ready(s.ctx, time.Time{}); err != nil {
		t.Fatal(err)
	}
}

// repaired does what a part that failed has left undone, so that the parts after it do not fail for its reason: nobody holds
// the cluster, and nothing is due.
func (s *suite) repaired(t *testing.T) {
	t.Helper()
	s.freeLease(t)
	s.declare(t, declaration{renewBefore: time.Hour}).run(t, "apply", "-auto-approve").want(t, 0)
}

// ssh runs a command on a node; a failure ends the part.
func (s *suite) ssh(t *testing.T, node, line string) string {
	t.Helper()
	return s.sshInput(t, node, line, "")
}

func (s *suite) sshInput(t *testing.T, node, line, stdin string) string {
	t.Helper()
	out, err := s.lab.SSHInput(s.ctx, node, line, stdin)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// undo runs a command on a node when the part ends, however it ends.
func (s *suite) undo(t *testing.T, node, line string) {
	t.Helper()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if _, err := s.lab.SSH(ctx, node, line); err != nil {
			t.Error("cleaning up:", err)
		}
	})
}

// until asks for a condition until it holds or limit has passed. check returns nil when it holds.
func (s *suite) until(t *testing.T, limit time.Duration, what string, check func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, limit)
	defer cancel()
	for {
		err := check(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waited %s for %s: %v", limit, what, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// put writes a file on a node.
func (s *suite) put(t *testing.T, node, path, mode string, content []byte) {
	t.Helper()
	s.sshInput(t, node, "umask 077; mkdir -p $(dirname "+path+") && cat > "+path+" && chmod "+mode+" "+path, string(bytes.Clone(content)))
}
