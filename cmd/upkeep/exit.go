package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"
)

// The exit codes, as `upkeep help exit-codes` prints them.
const (
	exitDone        = 0
	exitError       = 1
	exitChanges     = 2
	exitPartial     = 3
	exitStale       = 4
	exitWindow      = 5
	exitLocked      = 6
	exitInterrupted = 130
)

const exitCodesHelp = `Exit codes:
    0  done, or nothing to do
    1  error; also where something is due and nothing of it can be planned
    2  changes or drift: plan -detailed-exitcode, and always drift
    3  applied in part: some steps failed, were refused or wait, and others are done
    4  stale plan: the world is not what the plan was made for
    5  outside the maintenance window
    6  locked by another run
  130  interrupted
`

// exit is an error that says its exit code. A nil cause prints nothing: the command has said everything already.
type exit struct {
	code  int
	cause error
}

func (e exit) Error() string {
	if e.cause == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.cause.Error()
}

func (e exit) Unwrap() error { return e.cause }

// conclude prints an error and returns its exit code.
func conclude(env environment, err error) int {
	if err == nil {
		return exitDone
	}
	code := exitError
	var known exit
	switch {
	case errors.As(err, &known):
		code = known.code
		if known.cause == nil {
			return code
		}
	case errors.Is(err, context.Canceled), errors.Is(err, errInterrupted):
		code = exitInterrupted
	}
	fmt.Fprintf(env.stderr, "upkeep: %v\n", err)
	return code
}

// usage is the error of a command line that cannot be meant; it names the command that explains.
func usage(cmd *cli.Command, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	end := "; "
	if strings.HasSuffix(text, "?") {
		end = " "
	}
	if cmd.Root() == cmd {
		return fmt.Errorf("%s%s`upkeep help` shows how it is used", text, end)
	}
	return fmt.Errorf("%s%s`upkeep help %s` shows how it is used", text, end, strings.TrimPrefix(fullName(cmd), "upkeep "))
}

var errInterrupted = errors.New("interrupted")
