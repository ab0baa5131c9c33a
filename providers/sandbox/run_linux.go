package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// order is what the first process of a sandbox is told.
type order struct {
	View        view
	Stubs       map[string]string
	Script      []byte
	Stdin       []byte
	Environment []string
	Limits      Limits
}

// report is what the first process of a sandbox says at its end.
type report struct {
	// Unavailable: the sandbox could not be made; why.
	Unavailable string `json:",omitempty"`
	ExitCode    int
	Ended       Ending `json:",omitempty"`
}

// grace is how much longer than its limit a sandbox may take, to be made and to be taken down.
const grace = 5 * time.Second

func run(ctx context.Context, job Job) (Result, error) {
	files, err := viewOf(job.Programs, job.Required)
	if err != nil {
		return Result{}, err
	}
	o := order{View: files, Stubs: job.Stubs, Script: job.Script, Stdin: job.Stdin, Limits: job.Limits, Environment: []string{"PATH=/bin"}}
	for name, value := range job.Environment {
		o.Environment = append(o.Environment, name+"="+value)
	}
	told, err := json.Marshal(o)
	if err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, job.Limits.Time+grace)
	defer cancel()
	return start(ctx, cancel, told, job.Limits)
}

// start starts this program as the first process of new namespaces, and waits for its end. When that process ends, the
// kernel ends every other one of the sandbox.
func start(ctx context.Context, cancel func(), told []byte, limits Limits) (Result, error) {
	reportRead, reportWrite, err := os.Pipe()
	if err != nil {
		return Result{}, err
	}
	defer reportRead.Close()
	stdout, stderr := &bounded{most: limits.Output, full: cancel}, &bounded{most: limits.Output, full: cancel}
	command := exec.CommandContext(ctx, "/proc/self/exe")
	command.Args = []string{childName}
	command.Env = []string{}
	command.Dir = "/"
	command.Stdin = bytes.NewReader(told)
	command.Stdout, command.Stderr = stdout, stderr
	command.ExtraFiles = []*os.File{reportWrite}
	command.WaitDelay = time.Second
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC |
			syscall.CLONE_NEWUTS | syscall.CLONE_NEWCGROUP,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
		Setsid:      true,
	}
	err = command.Start()
	reportWrite.Close()
	switch {
	case err != nil && ctx.Err() != nil:
		return Result{}, context.Cause(ctx) // a program is not started any more then
	case err != nil:
		return Result{}, unavailable("the kernel makes no new namespaces (%v)", err)
	}
	said := make(chan []byte, 1)
	go func() {
		data, _ := io.ReadAll(io.LimitReader(reportRead, 1<<16))
		said <- data
	}()
	waited := command.Wait()
	var r report
	reported := json.Unmarshal(<-said, &r) == nil
	result := Result{Stdout: stdout.bytes(), Stderr: stderr.bytes(), ExitCode: r.ExitCode, Ended: r.Ended}
	switch {
	case reported && r.Unavailable != "":
		return Result{}, unavailable("%s", r.Unavailable)
	case stdout.overflowed() || stderr.overflowed():
		result.Ended = OutOfOutput
	case reported:
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		result.Ended = OutOfTime
	case ctx.Err() != nil:
		return Result{}, context.Cause(ctx)
	default:
		return Result{}, unavailable("the first process of the sandbox ended early (%v: %s)", waited, strings.TrimSpace(string(result.Stderr)))
	}
	if result.Ended != "" {
		result.ExitCode = -1
	}
	return result, nil
}

// bounded keeps the beginning of what is written. When there is more, it calls full and takes no more.
type bounded struct {
	mu   sync.Mutex
	most int
	kept bytes.Buffer
	over bool
	full func()
}

func (b *bounded) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	room := b.most - b.kept.Len()
	if len(data) <= room {
		return b.kept.Write(data)
	}
	b.kept.Write(data[:max(room, 0)])
	b.over = true
	b.full()
	return 0, fmt.Errorf("more than %d bytes of output", b.most)
}

func (b *bounded) bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.kept.Bytes())
}

func (b *bounded) overflowed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.over
}
