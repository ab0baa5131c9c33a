package acceptance

import (
	"bufio"
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// testKilledAndSecondOperator kills an apply on a laptop with kill -9 while it installs certificates. A runner with a state
// of its own must then be kept away, and the laptop goes on with its own plan at once. What the runner planned meanwhile is
// already so, and it does nothing again. Afterwards nothing is due, nothing is mismatched and nothing is left on the nodes.
func testKilledAndSecondOperator(t *testing.T, s *suite) {
	const node = "n2"
	replace := "-replace=certificates.control_plane@" + node
	laptop, runner := s.declare(t, declaration{renewBefore: time.Hour}), s.declare(t, declaration{renewBefore: time.Hour, ops: true})
	for _, d := range []directory{laptop, runner} {
		d.run(t, "plan", replace, "-out=it.plan").want(t, 0)
	}
	before := s.expires(t, node)

	laptop.killedAt(t, "installing etcd-peer", "apply", "it.plan")
	if r := runner.run(t, "apply", "it.plan").want(t, 6); !strings.Contains(r.stderr, "another upkeep works on this cluster") {
		t.Errorf("the runner is not told who has the cluster:\n%s", r.stderr)
	}
	if r := laptop.run(t, "status", "-run=last").want(t, 0); !strings.Contains(r.stdout, "half-done") {
		t.Errorf("the killed run's half-done step is not named:\n%s", r.stdout)
	}
	laptop.run(t, "apply", "it.plan").want(t, 0)
	after := s.expires(t, node)
	for name, end := range after {
		if !end.After(before[name]) {
			t.Errorf("%s on %s ends at %s, as before the apply", name, node, end)
		}
	}
	was := s.print(t)
	runner.run(t, "apply", "it.plan").want(t, 0)
	if diff := cmp.Diff(was, s.print(t)); diff != "" {
		t.Errorf("the runner did again what the laptop had done (-before +after):\n%s", diff)
	}
	laptop.empty(t)
	laptop.run(t, "marks").want(t, 0)
	if left, err := filepath.Glob(filepath.Join(laptop.path, "*.lock.info")); err != nil || len(left) > 0 {
		t.Errorf("a lock is left behind: %v, %v", left, err)
	}
}

// killedAt runs upkeep and kills it with SIGKILL once it has printed a text.
func (d directory) killedAt(t *testing.T, text string, args ...string) {
	t.Helper()
	command := exec.CommandContext(d.s.ctx, d.s.upkeep, d.arguments(args)...)
	command.Dir = d.path
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	seen := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), text) {
			seen = true
			if err := command.Process.Kill(); err != nil {
				t.Error(err)
			}
			break
		}
	}
	_ = command.Wait() // killed
	if !seen {
		t.Fatalf("upkeep %s ended before it said %q:\n%s%s", strings.Join(args, " "), text, said.String(), stderr.String())
	}
}
