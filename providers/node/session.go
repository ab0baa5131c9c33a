package node

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"upkeep/providers/plain"
)

const (
	// endGrace is how long a session may take to end by itself after its input was closed.
	endGrace = time.Second
	// killGrace is how long a killed process may take to go. It is only ever reached by a process that another user
	// owns (sudo) or that hangs inside the kernel; it is then left to itself.
	killGrace = 3 * time.Second
	// stderrGrace is how long to wait for the last words of a process that has ended. A connection shared in the
	// background (ControlPersist) keeps the pipe open for good.
	stderrGrace = 100 * time.Millisecond
)

// process is the child that carries one session: ssh, or the helper itself.
type process struct {
	cmd    *exec.Cmd
	in     *os.File // its standard input
	out    *os.File // its standard output
	reader *bufio.Reader
	errors *os.File
	stderr tail

	mu     sync.Mutex
	reaped bool
	exited chan struct{} // closed when it was waited for
	heard  chan struct{} // closed when nothing more comes on standard error
}

// start starts a child in its own process group, with pipes on its standard streams.
func start(argv []string) (*process, error) {
	p := &process{exited: make(chan struct{}), heard: make(chan struct{})}
	var pipes []*os.File
	closeAll := func() {
		for _, f := range pipes {
			f.Close()
		}
	}
	pipe := func() (r, w *os.File, err error) {
		r, w, err = os.Pipe()
		pipes = append(pipes, r, w)
		return r, w, err
	}
	inR, inW, err1 := pipe()
	outR, outW, err2 := pipe()
	errR, errW, err3 := pipe()
	if err := errors.Join(err1, err2, err3); err != nil {
		closeAll()
		return nil, fmt.Errorf("create pipes: %w", err)
	}
	p.in, p.out, p.errors = inW, outR, errR
	p.reader = bufio.NewReader(p.out)
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = inR, outW, errW
	// Messages of ssh and sudo are told apart by their English text.
	p.cmd.Env = append(os.Environ(), "LC_ALL=C")
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		closeAll()
		return nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	inR.Close()
	outW.Close()
	errW.Close()
	go func() {
		defer close(p.heard)
		p.stderr.readFrom(p.errors)
	}()
	go func() {
		_ = p.cmd.Wait() // the exit status is read from ProcessState
		p.mu.Lock()
		p.reaped = true
		p.mu.Unlock()
		close(p.exited)
	}()
	return p, nil
}

// kill ends the child and its process group at once, and with it everything that waits for its streams.
func (p *process) kill() {
	p.mu.Lock()
	if !p.reaped {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // already gone, or not ours to kill: closing is left
	}
	p.mu.Unlock()
	p.in.Close()
	p.out.Close()
}

// end closes the session in order, kills it when it does not end by itself, and releases everything. It may be called
// more than once.
func (p *process) end() {
	p.in.Close()
	if !p.wait(endGrace) {
		p.kill()
		p.wait(killGrace)
	}
	p.out.Close()
	_ = p.errors.SetReadDeadline(time.Now().Add(stderrGrace))
	<-p.heard
	p.errors.Close()
}

func (p *process) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.exited:
		return true
	case <-timer.C:
		return false
	}
}

// exitCode returns the exit status, -1 when a signal ended the child or it has not ended. It is meaningful after end.
func (p *process) exitCode() int {
	select {
	case <-p.exited:
		return p.cmd.ProcessState.ExitCode()
	default:
		return -1
	}
}

// within runs f, and kills the child when ctx ends or d is over before f returns. It returns f's error, or the reason
// for the kill.
func (p *process) within(ctx context.Context, d time.Duration, f func() error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, d, noAnswerError(d))
	defer cancel()
	stop := context.AfterFunc(ctx, p.kill)
	err := f()
	if !stop() {
		return context.Cause(ctx)
	}
	return err
}

// noAnswerError says that a node was silent for too long.
type noAnswerError time.Duration

func (d noAnswerError) Error() string { return "no answer in " + time.Duration(d).String() }

// tail keeps the last bytes of a stream.
type tail struct {
	mu   sync.Mutex
	data []byte
}

// tailLimit is enough for ssh's longest complaint, about a changed host key.
const tailLimit = 16 << 10

func (t *tail) readFrom(f *os.File) {
	buffer := make([]byte, 4096)
	for {
		n, err := f.Read(buffer)
		t.mu.Lock()
		t.data = append(t.data, buffer[:n]...)
		if over := len(t.data) - tailLimit; over > 0 {
			t.data = append(t.data[:0], t.data[over:]...)
		}
		t.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// text returns what was kept, with everything that could drive a terminal taken out.
func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return plain.Text(string(t.data))
}
