package apt

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/program"
	"upkeep/providers/node/protocol"
)

const (
	// lockTime is how long apt waits for another program that holds its lock, in seconds.
	lockTime = 120
	// endTime is what apt has to end in order once it was told to: while dpkg works, apt ignores that it was.
	endTime = 45 * time.Second
	maxLine = 500
	// lastLines are kept for an error.
	lastLines = 5
)

// quietly are variables with which neither packages nor hooks of apt ask anybody, and needrestart restarts nothing.
var quietly = []string{
	"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=/root", "DEBIAN_FRONTEND=noninteractive",
	"DEBIAN_PRIORITY=critical",
	"APT_LISTCHANGES_FRONTEND=none", "NEEDRESTART_SUSPEND=1", "UCF_FORCE_CONFFOLD=1",
}

// Download has apt download the archives of a change.
func Download(ctx context.Context, d *disk.Disk, q protocol.DownloadRequest,
	progress func(string)) (protocol.DownloadResult, error) {
	err := protocol.CheckChange(q.Change)
	if err == nil {
		err = run(ctx, d, places, append(options("-d", "-q"), arguments(q.Change)...), progress)
	}
	if err != nil {
		return protocol.DownloadResult{}, fmt.Errorf("download packages: %w", err)
	}
	return protocol.DownloadResult{}, nil
}

// Install has apt change packages, unless it would do anything else than it was seen to do, and then holds packages
// back (InstallRequest.Hold).
func Install(ctx context.Context, d *disk.Disk, q protocol.InstallRequest,
	progress func(string)) (protocol.InstallResult, error) {
	fail := func(err error) (protocol.InstallResult, error) {
		return protocol.InstallResult{}, fmt.Errorf("change packages: %w", err)
	}
	if err := protocol.CheckChange(q.Change); err != nil {
		return fail(err)
	}
	for _, name := range q.Hold {
		if err := protocol.CheckDriverPackage(name); err != nil {
			return fail(err)
		}
	}
	progress("apt-get -s: is it still what the plan shows?")
	if err := asPlanned(try(ctx, d, q.Change), q); err != nil {
		return fail(err)
	}
	if err := run(ctx, d, places, append(options("-q", "-o", "Dpkg::Use-Pty=0",
		"-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"), arguments(q.Change)...),
		progress); err != nil {
		return fail(err)
	}
	if len(q.Hold) > 0 {
		if err := run(ctx, d, []string{"/usr/bin/apt-mark"}, append([]string{"hold"}, q.Hold...), progress); err != nil {
			return fail(err)
		}
	}
	return protocol.InstallResult{}, nil
}

// asPlanned says what apt would do that the plan does not show, or would leave undone.
func asPlanned(t *facts.AptTrial, q protocol.InstallRequest) error {
	switch {
	case t.Unknown != "":
		return errors.New(t.Unknown)
	case t.Refused != "":
		return errors.New(t.Refused)
	}
	for _, p := range t.Removes {
		if !slices.Contains(q.Removes, p) {
			return fmt.Errorf("apt would remove %s %s, which the plan does not show: plan again", p.Name, p.Version)
		}
	}
	for _, p := range t.Installs {
		if !slices.Contains(q.Installs, p) {
			return fmt.Errorf("apt would install %s %s, which the plan does not show: plan again", p.Name, p.To)
		}
	}
	if len(t.Installs) != len(q.Installs) || len(t.Removes) != len(q.Removes) {
		return fmt.Errorf("apt would change %d packages, and the plan shows %d: plan again",
			len(t.Installs)+len(t.Removes), len(q.Installs)+len(q.Removes))
	}
	return nil
}

func options(more ...string) []string {
	return append([]string{"-o", fmt.Sprintf("DPkg::Lock::Timeout=%d", lockTime)}, more...)
}

// run runs a program of apt and passes on what it says. When the time is over, apt is told to end: it does so between
// two runs of dpkg, and never within one.
func run(ctx context.Context, d *disk.Disk, places, args []string, progress func(string)) error {
	path, err := program.Find(d, places)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env, cmd.Dir, cmd.WaitDelay = quietly, "/", endTime
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	said := &lines{progress: progress}
	out, in := io.Pipe()
	cmd.Stdout, cmd.Stderr = in, in
	read := make(chan struct{})
	go func() {
		defer close(read)
		said.follow(out)
	}()
	err = cmd.Run()
	_ = in.Close()
	<-read
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%w; the last that apt said: %s", context.Cause(ctx), said.text())
	case said.locked != "":
		return fmt.Errorf("another program holds the lock of apt (%s): wait until that program has ended, and apply again",
			said.locked)
	}
	return fmt.Errorf("%w: %s", err, said.text())
}

// lines are what a program says.
type lines struct {
	progress func(string)
	last     []string
	errors   []string // lines that begin with E:
	locked   string   // the line about a lock
}

// follow reads lines until the program has ended. What is longer than a line may be is cut.
func (l *lines) follow(from io.Reader) {
	r := bufio.NewReaderSize(from, maxLine)
	for {
		text, partial, err := r.ReadLine()
		if err != nil {
			return
		}
		line := strings.ToValidUTF8(strings.TrimSpace(string(text)), "")
		for partial && err == nil {
			_, partial, err = r.ReadLine()
		}
		if line == "" {
			continue
		}
		l.progress(line)
		l.last = append(l.last, line)
		l.last = l.last[max(0, len(l.last)-lastLines):]
		if strings.HasPrefix(line, "E: ") && len(l.errors) < lastLines {
			l.errors = append(l.errors, strings.TrimPrefix(line, "E: "))
		}
		if strings.HasPrefix(line, "E: Could not get lock") {
			l.locked = strings.TrimPrefix(line, "E: ")
		}
	}
}

// text is what an error quotes: apt's own errors, else the last lines.
func (l *lines) text() string {
	if len(l.errors) > 0 {
		return strings.Join(l.errors, "; ")
	}
	return strings.Join(l.last, "; ")
}
