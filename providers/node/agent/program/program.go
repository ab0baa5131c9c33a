// Package program runs a program of the node's distribution to ask something: apt-cache, systemctl, a version.
//
// It changes nothing by itself; the caller chooses programs and arguments that only answer. It promises that
// the program is one that nobody but root could have put there, that it ends in time, and that its answer is
// bounded.
package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path"
	"strings"
	"time"

	"upkeep/providers/node/agent/disk"
)

// Question is one call.
type Question struct {
	// Places are the paths where the program may be; the first that is there is run.
	Places []string
	Args   []string
	// Limit is how long it may take. Most is how many bytes it may answer; what is more is an error.
	Limit time.Duration
	Most  int
}

// maxSaid bounds what a failing program says on its standard error.
const maxSaid = 4 << 10

// Ask runs the program and returns its standard output. The error wraps fs.ErrNotExist where the node does not
// have it. A program that fails returns what it answered, too.
func Ask(ctx context.Context, d *disk.Disk, q Question) ([]byte, error) {
	p, err := find(d, q.Places)
	if err != nil {
		return nil, err
	}
	return Run(ctx, path.Base(p), d.Real(p), q)
}

// Run runs a program at a path of this machine that the caller trusts. Errors call it by name.
//
// A process that waits within the kernel, as for a driver that hangs, cannot be killed. It is left to itself then, so
// that the question ends in time: it ends when the kernel is done with it.
func Run(ctx context.Context, name, real string, q Question) ([]byte, error) {
	limited, cancel := context.WithTimeout(ctx, q.Limit)
	defer cancel()
	cmd := exec.CommandContext(limited, real, q.Args...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC", "HOME=/"}
	cmd.Dir = "/"
	cmd.WaitDelay = grace
	out, said := &bounded{limit: q.Most + 1}, &bounded{limit: maxSaid}
	cmd.Stdout, cmd.Stderr = out, said
	err := await(limited, cmd.Run)
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s: %w", name, ctx.Err())
	case limited.Err() != nil:
		return nil, &SilentError{Name: name, Limit: q.Limit}
	case out.Len() > q.Most:
		return nil, fmt.Errorf("%s: the answer has more than %d bytes", name, q.Most)
	case errors.Is(err, fs.ErrNotExist):
		// Its interpreter, say, is not there. The program is, so that the error wraps nothing that says otherwise.
		return nil, fmt.Errorf("%s cannot be started: %s", name, err)
	case err != nil:
		if first, _, _ := strings.Cut(strings.TrimSpace(said.String()), "\n"); first != "" {
			return out.Bytes(), fmt.Errorf("%s: %w: %s", name, err, first)
		}
		return out.Bytes(), fmt.Errorf("%s: %w", name, err)
	}
	return out.Bytes(), nil
}

// SilentError is about a program that did not answer in time.
type SilentError struct {
	Name  string
	Limit time.Duration
}

// Error says how long it was waited for.
func (e *SilentError) Error() string { return fmt.Sprintf("%s: no answer within %s", e.Name, e.Limit) }

// grace is how long a program that was killed may take to end.
const grace = time.Second

// await runs a process to its end, or leaves it when it does not end in time after it was killed. Once it is
// left, what it wrote belongs to it: the error is that of the context then, and the caller reads nothing.
func await(ctx context.Context, run func() error) error {
	done := make(chan error, 1)
	go func() { done <- run() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	left := time.NewTimer(2 * grace)
	defer left.Stop()
	select {
	case err := <-done:
		return err
	case <-left.C:
		return ctx.Err()
	}
}

// Find returns where on this machine the first of the places is that has a program. The error wraps fs.ErrNotExist
// where none has, and names a program that others than root could have exchanged.
func Find(d *disk.Disk, places []string) (string, error) {
	p, err := find(d, places)
	if err != nil {
		return "", err
	}
	return d.Real(p), nil
}

// find returns the first of the places that has a program, which must be trusted.
func find(d *disk.Disk, places []string) (string, error) {
	for _, p := range places {
		dir, err := d.Dir(path.Dir(p))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, disk.ErrLink) {
			continue
		}
		if err != nil {
			return "", err
		}
		err = dir.TrustFile(path.Base(p))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("%s is not run: %w", path.Base(p), err)
		}
		return p, nil
	}
	return "", fmt.Errorf("%s is not on this node: %w", path.Base(places[0]), fs.ErrNotExist)
}

// bounded keeps the first limit bytes and swallows the rest, so that a program that babbles ends by itself.
type bounded struct {
	bytes.Buffer
	limit int
}

func (b *bounded) Write(p []byte) (int, error) {
	if room := b.limit - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
