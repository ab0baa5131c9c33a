package unit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"

	"upkeep/providers/node/protocol"
)

// endPatience is what a unit has to end in order when its time is over, before systemd kills it.
const endPatience = time.Minute

// Terms are the terms on which a unit runs.
type Terms struct {
	// Limit is how long its work may take. The unit keeps to it by itself; systemd ends one that does not.
	Limit     time.Duration
	Hardening protocol.Hardening
}

// Choose returns what starts units on this machine: systemd where it runs (sd_booted(3) looks at the same directory), else
// a detached process. The choice is made here and nowhere else: a systemd that does not answer is an error, not a reason
// to run the request in another way.
func Choose(helper string) (Starter, error) {
	info, err := os.Lstat("/run/systemd/system")
	if errors.Is(err, fs.ErrNotExist) {
		return Detached{Command: []string{helper}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("does systemd run here? %w", err)
	}
	if !info.IsDir() {
		return Detached{Command: []string{helper}}, nil
	}
	for _, p := range []string{"/usr/bin/systemd-run", "/bin/systemd-run"} {
		if _, err := os.Stat(p); err == nil {
			return Systemd{Helper: helper, Run: p}, nil
		}
	}
	return nil, errors.New("systemd runs here and systemd-run is in neither /usr/bin nor /bin: install it")
}

// Systemd starts units of systemd, which belong to no login session.
type Systemd struct {
	// Helper is the path of this program, Run that of systemd-run.
	Helper, Run string
}

// unitName is the unit's name; its journal is there as well.
func unitName(id string) string { return "upkeep-" + id + ".service" }

// Name is the unit's name.
func (s Systemd) Name(id string) string { return "systemd unit " + unitName(id) }

// plainPath is a path that neither systemd-run nor systemd reads anything into: no specifier, no variable, no escape.
var plainPath = regexp.MustCompile(`^/[A-Za-z0-9@_+=:,./-]+$`)

// Start starts the unit. systemd refuses a second unit of the same name, which is what makes a repeated start harmless.
func (s Systemd) Start(ctx context.Context, id string, terms Terms) error {
	if err := CheckID(id); err != nil {
		return err
	}
	if err := terms.Hardening.Check(); err != nil {
		return err
	}
	if !plainPath.MatchString(s.Helper) {
		return fmt.Errorf("the helper's path %q holds characters that systemd would interpret", s.Helper)
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.Run, s.arguments(id, terms)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	cmd.Dir = "/"
	cmd.WaitDelay = time.Second
	// The session may be killed with its process group; a start that is under way ends in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.CombinedOutput()
	if err == nil || bytes.Contains(out, []byte("already exists")) || bytes.Contains(out, []byte("already loaded")) {
		return nil
	}
	return fmt.Errorf("%s: %w: %.500s", s.Run, err, strings.TrimSpace(string(out)))
}

func (s Systemd) arguments(id string, terms Terms) []string {
	arguments := []string{
		"--quiet", "--collect", "--no-ask-password", "--unit=" + unitName(id), "--description=upkeep: a change on this node",
		// exec: systemd-run waits until the program runs, and says so where it cannot.
		"--property=Type=exec",
		// At shutdown the unit is told first and its kubeadm only with it.
		"--property=KillMode=mixed", "--property=TimeoutStopSec=90",
		fmt.Sprintf("--property=RuntimeMaxSec=%d", int(math.Ceil((changePatience + terms.Limit + endPatience).Seconds()))),
		"--property=UMask=0077", "--property=WorkingDirectory=/",
	}
	for _, p := range terms.Hardening.Properties() {
		// A helper that was started from there would not be found (systemd.exec(5), PrivateTmp=).
		if p == "PrivateTmp=yes" && (strings.HasPrefix(s.Helper, "/tmp/") || strings.HasPrefix(s.Helper, "/var/tmp/")) {
			continue
		}
		arguments = append(arguments, "--property="+p)
	}
	return append(arguments, "--", s.Helper, "-perform", id)
}

// Detached starts a process in a session of its own (setsid(2)), where systemd does not run: containers, tests.
type Detached struct {
	// Command is the program and its first arguments.
	Command []string
}

// Name says what it is.
func (Detached) Name(string) string { return "detached process" }

// Start starts the process. Nothing but the process itself keeps it to its terms.
func (s Detached) Start(_ context.Context, id string, _ Terms) error {
	if err := CheckID(id); err != nil {
		return err
	}
	cmd := exec.Command(s.Command[0], append(append([]string{}, s.Command[1:]...), "-perform", id)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // its result is in its file
	return nil
}
