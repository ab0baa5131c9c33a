package drill

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"upkeep/providers/strictjson"
)

// childEnds is how long a child that was told to end may take to clean up before it is killed.
const childEnds = 5 * time.Second

// answerLimit bounds what a child may answer; an answer is a few hundred bytes and a line per canary.
const answerLimit = 4 << 20

// ask runs the child for one request. The child is gone when it returns.
func ask(ctx context.Context, program string, request Request) (Response, error) {
	type result struct {
		response Response
		err      error
	}
	done := make(chan result, 1)
	go func() {
		// On Linux the child is ended with the thread that started it, so that thread must not go before.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		response, err := run(ctx, program, request)
		done <- result{response, err}
	}()
	r := <-done
	return r.response, r.err
}

func run(ctx context.Context, program string, request Request) (Response, error) {
	document, err := json.Marshal(request)
	if err != nil {
		return Response{}, err
	}
	var out, words limited
	out.limit, words.limit = answerLimit, 16<<10
	command := exec.CommandContext(ctx, program)
	command.Stdout, command.Stderr = &out, &words
	// Nothing of ours is the child's business, and no setting of etcd's may reach it by ETCD_ variables.
	command.Env = append([]string{"PATH=/usr/bin:/bin", "GOTRACEBACK=none"}, inherited()...)
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = childEnds
	bindToParent(command)
	in, err := command.StdinPipe()
	if err != nil {
		return Response{}, err
	}
	// Closed in any case: that is the other sign to the child that nobody waits for it.
	defer in.Close()
	if err := command.Start(); err != nil {
		return Response{}, fmt.Errorf("starting upkeep-etcd: %w", err)
	}
	// A child that dies early makes this fail; how it died says more.
	_, _ = in.Write(append(document, '\n'))
	ended := command.Wait()
	if ctx.Err() != nil {
		return Response{}, context.Cause(ctx)
	}
	var response Response
	if err := strictjson.Decode(out.Bytes(), &response); err != nil || ended != nil && response.Error == "" {
		return Response{}, died(ended, words.String())
	}
	switch {
	case response.Damaged:
		return Response{}, fmt.Errorf("%w: %s", ErrDamaged, response.Error)
	case response.Error != "":
		return Response{}, errors.New(response.Error)
	}
	return response, nil
}

// signs are how a program of Go begins its last words, and etcd its own.
var signs = []string{"panic:", "fatal error:", "unexpected fault address", "FATAL", "PANIC"}

// surroundings are causes that are not in the snapshot, as the kernel words them.
var surroundings = []string{"no space left on device", "cannot allocate memory", "too many open files", "permission denied", "read-only file system", "input/output error"}

// died explains a child without an answer. A crash is the database's doing, unless the kernel gave another cause:
// nothing else that the child reads is foreign.
func died(ended error, words string) error {
	words = strings.TrimSpace(words)
	first, _, _ := strings.Cut(words, "\n")
	var exit *exec.ExitError
	if errors.As(ended, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
			return errors.New("upkeep-etcd was killed, as the kernel does when memory runs out")
		}
	}
	within := func(s string) bool { return strings.Contains(words, s) }
	switch {
	case slices.ContainsFunc(surroundings, within):
		i := slices.IndexFunc(surroundings, within)
		return fmt.Errorf("upkeep-etcd gave up: %s: %s", surroundings[i], first)
	case slices.ContainsFunc(signs, within):
		return fmt.Errorf("%w: etcd's own code gave up on it: %s", ErrDamaged, first)
	case first == "":
		return fmt.Errorf("upkeep-etcd ended without an answer: %v", ended)
	}
	return fmt.Errorf("upkeep-etcd ended without an answer: %s", first)
}

// inherited are the variables that a child may see.
func inherited() []string {
	var out []string
	for _, name := range []string{"TMPDIR", "HOME", "GOCOVERDIR", "GOMEMLIMIT", "GODEBUG"} {
		if value, ok := os.LookupEnv(name); ok {
			out = append(out, name+"="+value)
		}
	}
	return out
}

// limited keeps the first bytes written to it, and takes the rest.
type limited struct {
	bytes.Buffer
	limit int
}

func (l *limited) Write(p []byte) (int, error) {
	l.Buffer.Write(p[:max(0, min(len(p), l.limit-l.Len()))])
	return len(p), nil
}

var _ io.Writer = (*limited)(nil)
