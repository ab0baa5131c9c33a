package acceptance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// directory is a configuration directory: where upkeep is run.
type directory struct {
	s    *suite
	path string
	// measure: it declares a provider. Nobody published the bid price scripts of the lab, so plans must measure their prices.
	// The old script bids on none of the orders that are measured, so a person must say that the new prices are meant.
	measure bool
}

// arguments are those of a command in the directory.
func (d directory) arguments(args []string) []string {
	switch {
	case d.measure && args[0] == "apply":
		return slices.Insert(slices.Clone(args), 1, "-measure", "-override=max_change=the old script of the lab does not bid")
	case d.measure && slices.Contains([]string{"plan", "observe"}, args[0]):
		return slices.Insert(slices.Clone(args), 1, "-measure")
	default:
		return args
	}
}

// declaration is what a configuration says otherwise than the usual one.
type declaration struct {
	renewBefore time.Duration
	kubeconfig  string   // "": the operator's
	knownHosts  string   // "": the lab's
	kubeconfigs []string // copies of admin.conf on the nodes
	ops         bool     // user ops with sudo, through the bastion, instead of root
	restricted  string   // a user who may run the installed helper alone, instead of root
	backup      string   // an etcd_backup block; without one nothing is backed up, and certificates are renewed all the same
}

// declare makes a configuration directory for the lab.
func (s *suite) declare(t *testing.T, d declaration) directory {
	t.Helper()
	if d.kubeconfig == "" {
		d.kubeconfig = s.kubeconfig
	}
	if d.knownHosts == "" {
		d.knownHosts = s.lab.KnownHosts()
	}
	how := `  user        = "root"`
	if d.restricted != "" {
		how = fmt.Sprintf("  user        = %q\n  access      = \"restricted\"", d.restricted)
	}
	if d.ops {
		how = fmt.Sprintf("  user        = \"ops\"\n  become      = true\n  proxy_jump  = \"ops@%s\"", s.lab.Bastion.IP)
	}
	guard := `  without      = { backup = "the lab's etcd holds nothing that anybody would miss" }` + "\n"
	if d.backup != "" {
		guard = ""
	}
	var copies, hosts []string
	for _, path := range d.kubeconfigs {
		copies = append(copies, fmt.Sprintf("%q", path))
	}
	for _, n := range s.lab.Nodes {
		hosts = append(hosts, fmt.Sprintf("%s = %q", n.Name, n.IP))
	}
	text := fmt.Sprintf(`cluster {
  kubeconfig = %q
}

connection "lab" {
%s
  known_hosts = %q
  identity    = %q
}

node "cp" {
  for_each   = { %s }
  host       = each.value
  roles      = ["control-plane", "etcd"]
  connection = connection.lab
}

certificates "control_plane" {
  nodes        = role("control-plane")
  renew_before = %q
  kubeconfigs  = [%s]
%s}

%s`, d.kubeconfig, how, d.knownHosts, s.lab.Identity(), strings.Join(hosts, ", "), d.renewBefore, strings.Join(copies, ", "), guard, d.backup)
	path := t.TempDir()
	if err := os.WriteFile(filepath.Join(path, "lab.upkeep.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	always := filepath.Join(path, "window.upkeep.hcl") // window() says otherwise
	if err := os.WriteFile(always, []byte("defaults {\n  window = \"always\"\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return directory{s: s, path: path}
}

// result is one run of upkeep.
type result struct {
	code           int
	stdout, stderr string
	wall, cpu      time.Duration
	memory         int64 // most resident memory, bytes
}

// runLimit bounds one run of upkeep; an apply to three nodes takes about a minute. One that repairs an outage waits for kubelets.
const runLimit = 15 * time.Minute

// run runs upkeep in the directory, with nobody to ask, and keeps what it said.
func (d directory) run(t *testing.T, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(d.s.ctx, runLimit)
	defer cancel()
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(ctx, d.s.upkeep, d.arguments(args)...)
	command.Dir, command.Stdout, command.Stderr = d.path, &stdout, &stderr
	// Interrupted twice it stops at once, and a third way is to kill it; here only the part's end interrupts it.
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGINT) }
	command.WaitDelay = 30 * time.Second
	started := time.Now()
	err := command.Run()
	if command.ProcessState == nil {
		t.Fatalf("upkeep %s was not started: %v", strings.Join(args, " "), err)
	}
	r := result{code: command.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String(), wall: time.Since(started)}
	if usage, ok := command.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.cpu = time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
		r.memory = usage.Maxrss << 10 // getrusage(2): kilobytes
	}
	d.s.keep(t, args, r)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Fatalf("upkeep %s was cut off after %s (%v)", strings.Join(args, " "), r.wall, context.Cause(ctx))
	}
	return r
}

// keep writes what upkeep said to the logs.
func (s *suite) keep(t *testing.T, args []string, r result) {
	t.Helper()
	text := fmt.Sprintf("upkeep %s\nexit %d after %s\n\nstandard output:\n%s\nstandard error:\n%s\n", strings.Join(args, " "), r.code, r.wall, r.stdout, r.stderr)
	name := fmt.Sprintf("%s-%s.txt", time.Now().UTC().Format("150405.000"), args[0])
	if err := os.WriteFile(filepath.Join(s.logs, name), []byte(text), 0o600); err != nil {
		t.Error(err)
	}
}

// want fails the test if upkeep did not exit so. It goes on: what follows says more.
func (r result) want(t *testing.T, code int) result {
	t.Helper()
	if r.code != code {
		t.Errorf("exit %d, want %d\n%s\n%s", r.code, code, r.stdout, r.stderr)
	}
	return r
}

// plan is what the tests read of `upkeep plan -json`.
type plan struct {
	Complete  bool `json:"complete"`
	Applyable bool `json:"applyable"`
	Upkeep    struct {
		Findings  findings  `json:"findings"`
		Remaining findings  `json:"remaining"`
		Unknown   []unknown `json:"unknown"`
		Refusals  []string  `json:"refusals"`
		Steps     []struct {
			ID        string          `json:"id"`
			Node      string          `json:"node"`
			Operation string          `json:"operation"`
			Summary   string          `json:"summary"`
			Args      json.RawMessage `json:"args"`
			Estimate  float64         `json:"estimate"` // seconds
		} `json:"steps"`
	} `json:"upkeep"`
}

type finding struct {
	ID       string `json:"id"`
	Severity string `json:"severity"`
	Address  string `json:"address"`
	Object   string `json:"object"`
	Summary  string `json:"summary"`
	Unknown  bool   `json:"unknown"`
}

// findings are those about the cluster. The lab's hosts share the machine's kernel, disk and clock, so notes about what they
// stand on are left out as they are read: they are the machine's.
type findings []finding

func (all *findings) UnmarshalJSON(text []byte) error {
	var read []finding
	if err := json.Unmarshal(text, &read); err != nil {
		return err
	}
	machines := []string{"NODE_CLOCK_ALONE", "NODE_DISK_LOW", "NODE_SYSCTL_LOW", "KERNEL_PENDING"}
	*all = slices.DeleteFunc(read, func(f finding) bool { return f.Severity == "note" && slices.Contains(machines, f.ID) })
	return nil
}

type unknown struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

// plan runs `upkeep plan -json` and returns it with its exit code under -detailed-exitcode.
func (d directory) plan(t *testing.T, args ...string) (plan, result) {
	t.Helper()
	r := d.run(t, append([]string{"plan", "-json", "-detailed-exitcode"}, args...)...)
	var p plan
	if err := json.Unmarshal([]byte(r.stdout), &p); err != nil {
		t.Fatalf("plan -json (exit %d): %v\n%s\n%s", r.code, err, r.stdout, r.stderr)
	}
	return p, r
}

// nodes lists the nodes of the plan's steps, each once, in the steps' order.
func (p plan) nodes() []string {
	var all []string
	for _, step := range p.Upkeep.Steps {
		if len(all) == 0 || all[len(all)-1] != step.Node {
			all = append(all, step.Node)
		}
	}
	return all
}

// stretch is what the plan says the steps of the node that takes longest take together.
func (p plan) stretch() time.Duration {
	seconds := map[string]float64{}
	var most float64
	for _, step := range p.Upkeep.Steps {
		seconds[step.Node] += step.Estimate
		most = max(most, seconds[step.Node])
	}
	return time.Duration(most * float64(time.Second))
}

// empty fails the test unless the plan says that nothing is to be done and nothing is wrong.
func (d directory) empty(t *testing.T) {
	t.Helper()
	p, r := d.plan(t)
	r.want(t, 0)
	if len(p.Upkeep.Steps) > 0 || len(p.Upkeep.Findings) > 0 || !p.Complete {
		t.Errorf("the plan is not empty:\n%s", r.stdout)
	}
	if text := d.run(t, "plan").want(t, 0); !strings.Contains(text.stdout, "No changes.") {
		t.Errorf("an empty plan does not say so:\n%s", text.stdout)
	}
}

// watched is one row of `upkeep status -json`.
type watched struct {
	Node      string    `json:"node"`
	Name      string    `json:"name"`
	Path      string    `json:"path"`
	Status    string    `json:"status"`
	Expires   time.Time `json:"expires"`
	Authority string    `json:"authority"`
}

// status runs `upkeep status -json`.
func (d directory) status(t *testing.T) []watched {
	t.Helper()
	r := d.run(t, "status", "-json")
	if r.code != 0 && r.code != 1 { // 1: something is broken, or could not be checked
		t.Fatalf("status -json: exit %d\n%s", r.code, r.stderr)
	}
	var answer struct {
		Objects []watched `json:"objects"`
	}
	if err := json.Unmarshal([]byte(r.stdout), &answer); err != nil {
		t.Fatalf("status -json: %v\n%s", err, r.stdout)
	}
	return answer.Objects
}
