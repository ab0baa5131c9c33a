package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"upkeep/config"
	"upkeep/planner/report"
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
    1  error, or what is due cannot be planned, or (all commands but apply) not everything could
       be checked; status: with an ERROR or UNKNOWN line
    2  changes or drift: plan -detailed-exitcode, drift, doctor, marks; price compare: a price is
       far off the market
    3  apply left something: failed, refused, waiting, or on a node that could not be checked
    4  stale plan: the world is not what the plan was made for
    5  apply started nothing, and all that is left waits for a maintenance window
    6  locked by another run
  130  interrupted

Of several that hold, the first in this order counts: 130, 6, 4, 1, 5, 3, 2, 0.
A node that is out changes none of them, and neither does what -exclude, -target or an ignore
block with an end exempts. With -json, "status" tells an error from what is unknown.
`

// precedence is the order in which exit codes outweigh one another.
var precedence = []int{exitInterrupted, exitLocked, exitStale, exitError, exitWindow, exitPartial, exitChanges, exitDone}

// mostImportant returns the one of some exit codes that counts.
func mostImportant(codes ...int) int {
	for _, code := range precedence {
		if slices.Contains(codes, code) {
			return code
		}
	}
	return exitError
}

// verdictExit is the exit code of a plan or report by its verdict. changes is the code of what is due or has drifted: 2 where the
// command's exit code tells that, 0 where it does not.
func verdictExit(verdict report.Verdict, changes int) int {
	switch verdict {
	case report.Well:
		return exitDone
	case report.Changes, report.Drifted:
		return changes
	}
	return exitError
}

// ending is the error that ends a command with an exit code after it has said everything; nil for 0.
func ending(code int) error {
	if code == exitDone {
		return nil
	}
	return exit{code: code}
}

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
	codes, text := codesOf(err)
	if text != "" {
		fmt.Fprintf(env.stderr, "upkeep: %s\n", text)
	}
	code := mostImportant(codes...)
	if stdout, ok := env.stdout.(*screen); ok {
		var wrong *misconfigured
		var diagnostics []config.Diagnostic
		if errors.As(err, &wrong) {
			diagnostics = wrong.diagnostics
		}
		tellJSON(env, stdout.printed(), code, text, diagnostics)
	}
	return code
}

// codesOf returns the exit codes of an error and of those that it joins, and what is still to be said of them.
func codesOf(err error) (codes []int, text string) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var texts []string
		for _, each := range joined.Unwrap() {
			more, text := codesOf(each)
			codes = append(codes, more...)
			if text != "" {
				texts = append(texts, text)
			}
		}
		return codes, strings.Join(texts, "\n")
	}
	var known exit
	var wrong *misconfigured
	switch {
	case errors.As(err, &wrong):
		return []int{exitError}, ""
	case errors.As(err, &known) && known.cause == nil:
		return []int{known.code}, ""
	case errors.As(err, &known):
		return []int{known.code}, err.Error()
	case errors.Is(err, context.Canceled), errors.Is(err, errInterrupted):
		return []int{exitInterrupted}, err.Error()
	}
	return []int{exitError}, err.Error()
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
