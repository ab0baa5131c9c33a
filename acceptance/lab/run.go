package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// command is one program to run to its end.
type command struct {
	name  string
	args  []string
	dir   string
	env   []string // added to our own environment
	stdin string
}

// run runs c and returns its standard output. The error names the program and ends with what it last said.
// What must stay secret goes into stdin, which no error repeats, and never into args.
func (c command) run(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, c.name, c.args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), c.env...)
	if c.stdin != "" {
		cmd.Stdin = strings.NewReader(c.stdin)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	// A child of the child may hold the pipes open after it was killed; do not wait for it for ever.
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w (%w)", err, context.Cause(ctx))
		}
		said := tail(stderr.String())
		if said == "" {
			said = tail(stdout.String())
		}
		return stdout.String(), fmt.Errorf("%s: %w\n%s", c.summary(), err, said)
	}
	return stdout.String(), nil
}

// summary is the start of the command line, enough to know it again in an error.
func (c command) summary() string {
	line := strings.Join(append([]string{c.name}, c.args...), " ")
	if len(line) > 160 {
		line = line[:160] + "..."
	}
	return line
}

// tail keeps the last lines of a program's output: the part that says why it failed.
func tail(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	const keep = 20
	if len(lines) > keep {
		lines = lines[len(lines)-keep:]
	}
	return strings.Join(lines, "\n")
}

// output runs a program with arguments only.
func output(ctx context.Context, name string, args ...string) (string, error) {
	return command{name: name, args: args}.run(ctx)
}

// until asks every interval whether a condition holds, and ends with the last reason against it when limit has passed.
// check returns nil when the condition holds.
func until(ctx context.Context, limit, interval time.Duration, what string, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var last error
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		// A check that our own deadline cut short says less than the one before it.
		if ctx.Err() == nil || last == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited for %s until %w: %w", what, ctx.Err(), last)
		case <-time.After(interval):
		}
	}
}
