package acceptance

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// What can be killed, with SIGKILL.
const (
	theUpkeep  = "upkeep"      // where the operator sits
	theSSH     = "ssh"         // the connections, as seen from there
	theSession = "the session" // the helper that a connection started on the node
	theUnit    = "the unit"    // the process on the node that carries out the change
	everything = "everything"  // all of them at once
	onNode     = "/run/upkeep-faultpoints"
)

// withFaultPoints builds upkeep and its helper with the fault points that a released program does not have, and returns a
// suite that tests these.
func (s *suite) withFaultPoints(t *testing.T) *suite {
	t.Helper()
	of, dir := *s, t.TempDir()
	of.upkeep = filepath.Join(dir, "upkeep")
	for program, file := range map[string]string{"upkeep": "upkeep", "upkeep-node": "upkeep-node-linux-" + runtime.GOARCH} {
		command := exec.CommandContext(s.ctx, "go", "build", "-tags", "faultpoints", "-ldflags", "-s -w", "-o", filepath.Join(dir, file), "./cmd/"+program)
		command.Dir, command.Env = "..", append(os.Environ(), "CGO_ENABLED=0")
		if text, err := command.CombinedOutput(); err != nil {
			t.Fatalf("go build ./cmd/%s: %v\n%s", program, err, text)
		}
	}
	// The child that proves snapshots has none.
	if err := os.Symlink(filepath.Join(filepath.Dir(s.upkeep), "upkeep-etcd"), filepath.Join(dir, "upkeep-etcd")); err != nil {
		t.Fatal(err)
	}
	return &of
}

// started is an upkeep under way.
type started struct {
	d       directory
	command *exec.Cmd
	args    []string
	began   time.Time
	ended   chan struct{}
	// faults is the directory of its fault points.
	faults string

	mu   sync.Mutex
	text strings.Builder
}

// start starts upkeep with the fault points of a new directory. It is killed when the part ends.
func (d directory) start(t *testing.T, order string, args ...string) *started {
	t.Helper()
	r := &started{d: d, args: args, began: time.Now(), ended: make(chan struct{}), faults: t.TempDir()}
	if order != "" {
		if err := os.WriteFile(filepath.Join(r.faults, "order"), []byte(order+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.command = exec.CommandContext(d.s.ctx, d.s.upkeep, args...)
	r.command.Dir, r.command.Stdout, r.command.Stderr = d.path, r, r
	r.command.Env = append(os.Environ(), "UPKEEP_FAULTPOINTS="+r.faults)
	r.command.WaitDelay = 10 * time.Second
	if err := r.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(r.ended)
		_ = r.command.Wait() // what became of it is in its exit code
	}()
	return r
}

// Write takes what upkeep says, on both streams.
func (r *started) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *started) said() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// wait waits for its end and returns its exit code: -1 when it was killed.
func (r *started) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-r.ended:
	case <-time.After(runLimit):
		_ = r.command.Process.Kill()
		t.Fatalf("upkeep %s does not end:\n%s", strings.Join(r.args, " "), r.said())
	}
	code := r.command.ProcessState.ExitCode()
	r.d.s.keep(t, r.args, result{code: code, stdout: r.said(), wall: time.Since(r.began)})
	return code
}

// patience is how long a condition may take to hold: no more than upkeep itself waits for a static pod.
const patience = 3 * time.Minute

// await waits until the condition holds; an upkeep that ends before it does is a failure.
func (r *started) await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if holds() {
			return
		}
		select {
		case <-r.ended:
			if holds() {
				return
			}
			t.Fatalf("upkeep %s ended (exit %d) before %s:\n%s", strings.Join(r.args, " "), r.command.ProcessState.ExitCode(), what, r.said())
		default:
		}
		if time.Now().After(deadline) {
			_ = r.command.Process.Kill()
			t.Fatalf("%s does not come while upkeep %s runs:\n%s", what, strings.Join(r.args, " "), r.said())
		}
	}
}

// reached waits until upkeep itself stands at its fault point.
func (r *started) reached(t *testing.T) {
	t.Helper()
	r.await(t, "its fault point", func() bool {
		_, err := os.Stat(filepath.Join(r.faults, "reached"))
		return err == nil
	})
}

// order tells the helpers of a node where to wait.
func (s *suite) order(t *testing.T, node, boundary string) {
	t.Helper()
	s.ssh(t, node, fmt.Sprintf("mkdir -p %[1]s && rm -f %[1]s/reached && echo '%[2]s' > %[1]s/order", onNode, boundary))
}

// reachedOn waits until a helper on a node stands at its fault point and returns its number.
func (s *suite) reachedOn(t *testing.T, r *started, node string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	answer := make(chan string, 1)
	go func() {
		out, err := s.lab.SSH(ctx, node, fmt.Sprintf(`while [ -e %[1]s/order ]; do if [ -e %[1]s/reached ]; then cat %[1]s/reached; exit; fi; sleep 0.01; done`, onNode))
		if err != nil {
			out = err.Error()
		}
		answer <- out
	}()
	pid := ""
	r.await(t, "the fault point on "+node, func() bool {
		select {
		case pid = <-answer:
			return true
		default:
			return false
		}
	})
	pid = strings.TrimSpace(pid)
	if pid == "" || strings.Trim(pid, "0123456789") != "" {
		t.Fatalf("the process at the fault point on %s is %q", node, pid)
	}
	return pid
}

// release lets what waits on a node go on.
func (s *suite) release(t *testing.T, node string) {
	t.Helper()
	s.ssh(t, node, "rm -f "+onNode+"/order "+onNode+"/reached")
}

// kill kills what is named, with SIGKILL. unit is the number of the process that waits on the node.
func (r *started) kill(t *testing.T, victim, node, unit string) {
	t.Helper()
	ssh := func() {
		pid := fmt.Sprint(r.command.Process.Pid)
		if text, err := exec.Command("pkill", "-KILL", "-x", "-P", pid, "ssh").CombinedOutput(); err != nil {
			t.Fatalf("no ssh of process %s to kill: %v %s", pid, err, text)
		}
	}
	upkeep := func() {
		if err := r.command.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-r.ended
	}
	// The brackets keep the pattern from matching the shell that runs this.
	const session = "pkill -KILL -f 'upkeep-node-[0-9a-f]{64} -nonce'"
	switch victim {
	case theUpkeep:
		upkeep()
	case theSSH:
		ssh()
	case theSession:
		r.d.s.ssh(t, node, session)
	case theUnit:
		r.d.s.ssh(t, node, "kill -KILL "+unit)
	case everything:
		upkeep()
		r.d.s.ssh(t, node, "kill -KILL "+unit+"; "+session+"; true")
	}
}

// free lets an upkeep go on that stands at its own fault point.
func (r *started) free(t *testing.T) {
	t.Helper()
	if err := os.Remove(filepath.Join(r.faults, "order")); err != nil {
		t.Fatal(err)
	}
}
