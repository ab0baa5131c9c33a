package timer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Choose returns what arms timers on this machine; an error where systemd does not run.
func Choose() (Scheduler, error) {
	if _, err := os.Lstat("/run/systemd/system"); errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("systemd does not run on this node, so no timer can be set")
	}
	s := Systemd{}
	for _, p := range []string{"/usr/bin/", "/bin/"} {
		if _, err := os.Stat(p + "systemd-run"); err == nil && s.Run == "" {
			s.Run = p + "systemd-run"
		}
		if _, err := os.Stat(p + "systemctl"); err == nil && s.Control == "" {
			s.Control = p + "systemctl"
		}
	}
	if s.Run == "" || s.Control == "" {
		return nil, errors.New("systemd runs here, and systemd-run or systemctl is not in /usr/bin or /bin: install them")
	}
	return s, nil
}

// Systemd arms transient timers.
type Systemd struct {
	Run, Control string // the paths of systemd-run and systemctl
}

// retry is how long the restore waits before it asks the API again.
const retry = 30 * time.Second

// Start implements Scheduler.
func (s Systemd) Start(ctx context.Context, unit string, at time.Time, command []string) error {
	if err := s.Stop(ctx, unit); err != nil {
		return err
	}
	return s.do(ctx, s.Run, arguments(unit, at, command)...)
}

// arguments are those of systemd-run. A date that has passed when the timer is armed starts the service at once, and so
// does one that passed while the machine slept.
func arguments(unit string, at time.Time, command []string) []string {
	out := []string{
		"--quiet", "--no-ask-password", "--unit=" + unit, "--description=upkeep: restore what was stopped",
		"--on-calendar=" + at.UTC().Format("2006-01-02 15:04:05 UTC"),
		"--timer-property=AccuracySec=1s", "--timer-property=RemainAfterElapse=no",
		"--property=Type=exec", "--property=Restart=on-failure",
		fmt.Sprintf("--property=RestartSec=%d", int(retry.Seconds())),
		"--property=StartLimitIntervalSec=0", "--property=UMask=0077", "--property=WorkingDirectory=/",
		"--property=ProtectSystem=strict", "--property=ReadWritePaths=/var/lib/upkeep", "--property=ProtectHome=yes",
		"--property=PrivateTmp=yes", "--property=NoNewPrivileges=yes", "--",
	}
	return append(out, command...)
}

// Stop implements Scheduler. The service is stopped, too: it may be trying again.
func (s Systemd) Stop(ctx context.Context, unit string) error {
	for _, kind := range []string{".timer", ".service"} {
		err := s.do(ctx, s.Control, "stop", "--", unit+kind)
		if err != nil && !strings.Contains(err.Error(), "not loaded") {
			return err
		}
		// One that failed would keep its name.
		_ = s.do(ctx, s.Control, "reset-failed", "--", unit+kind)
	}
	return nil
}

func (s Systemd) do(ctx context.Context, name string, arguments ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, arguments...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	cmd.Dir = "/"
	cmd.WaitDelay = time.Second
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %.500s", name, err, strings.TrimSpace(string(said)))
	}
	return nil
}
