package acceptance

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// runbookDirectory is where the work by hand keeps its files on a node.
const runbookDirectory = "/root/upkeep-runbook"

// For the night when upkeep itself cannot run: its runbook, executed by a plain shell as it stands, does what the plan would have done,
// on two nodes, one after the other, as a user with sudo through a jump host. upkeep looks before and after, and does nothing.
func testRunbook(t *testing.T, s *suite) {
	nodes := []string{"n1", "n2"}
	copies := s.placeCopies(t)
	d := s.declare(t, declaration{renewBefore: time.Hour, kubeconfigs: []string{copied}, ops: true})
	d.empty(t)
	args := []string{"plan"}
	for _, n := range nodes {
		args = append(args, "-replace=certificates.control_plane@"+n)
		s.undo(t, n, "rm -rf "+runbookDirectory)
	}
	text := d.run(t, append(args, "-as-runbook")...).want(t, 0).stdout
	if strings.Contains(text, "PRIVATE KEY") || strings.Contains(text, "client-key-data:") {
		t.Error("a secret stands in the runbook")
	}
	blocks := shellBlocks(text)
	if len(blocks) < 20 {
		t.Fatalf("%d blocks for two nodes:\n%s", len(blocks), text)
	}

	was, before, containers := s.print(t), map[string]map[string]time.Time{}, map[string][]container{}
	for _, n := range nodes {
		before[n], containers[n] = s.expires(t, n), s.containers(t, n)
	}
	watchers := s.watch(t)
	stop := s.traffic(t)
	started := time.Now()
	for i, block := range blocks {
		s.byHand(t, i+1, block)
	}
	t.Logf("figure: %d blocks of a runbook for %d control planes took %s", len(blocks), len(nodes), time.Since(started).Round(time.Second))
	report, touches := stop(), watchers.stop(t)
	if err := report.Noticed(); err != nil {
		t.Error(err)
	}
	if both := overlap(touches); both != "" {
		t.Error("two control planes at once:", both)
	}
	var order []string
	for _, span := range spans(touches) {
		order = append(order, span.node)
	}
	if !slices.Equal(order, nodes) {
		t.Errorf("touched were %v, want %v", order, nodes)
	}

	d.empty(t)
	for _, n := range nodes {
		for name, end := range s.expires(t, n) {
			if !end.After(before[n][name]) && name != "super-admin.conf" {
				t.Errorf("%s on %s ends at %s, as before: it was not renewed", name, n, end)
			}
		}
		s.onlyRestarted(t, n, containers[n], "kube-controller-manager", "kube-scheduler")
		s.copyFollowed(t, n, copies[n])
		if modes := strings.TrimSpace(s.ssh(t, n, "stat -c '%a %U' "+runbookDirectory+" "+runbookDirectory+"/before-*.tar.gz")); modes != "700 root\n600 root" {
			t.Errorf("%s and the archive in it on %s have modes %q", runbookDirectory, n, modes)
		}
		if left := strings.TrimSpace(s.ssh(t, n, "ls /etc/kubernetes/*.away /tmp/tmp.* 2>/dev/null || true")); left != "" {
			t.Errorf("left behind on %s: %s", n, left)
		}
	}
	is := s.print(t)
	for _, n := range nodes {
		delete(was, n)
		delete(is, n)
	}
	if diff := cmp.Diff(was, is); diff != "" {
		t.Errorf("other nodes changed (-before +after):\n%s", diff)
	}
}

// byHand executes one block as a person does who copies it into a shell.
func (s *suite) byHand(t *testing.T, number int, block string) {
	t.Helper()
	path := filepath.Join(s.logs, fmt.Sprintf("block-%02d.sh", number))
	if err := os.WriteFile(path, []byte(block), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.ctx, 5*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "sh", path)
	command.WaitDelay = 10 * time.Second
	out, err := command.CombinedOutput()
	if writeErr := os.WriteFile(path+".out", out, 0o600); writeErr != nil {
		t.Error(writeErr)
	}
	if err != nil {
		t.Fatalf("block %d: %v\n%s\n%s", number, err, block, out)
	}
}

// shellBlocks returns what stands between "```sh" and "```", as any program would find it.
func shellBlocks(markdown string) []string {
	var out []string
	inside := false
	for line := range strings.Lines(markdown) {
		switch {
		case line == "```sh\n":
			out, inside = append(out, ""), true
		case line == "```\n":
			inside = false
		case inside:
			out[len(out)-1] += line
		}
	}
	return out
}
