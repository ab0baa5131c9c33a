// Package sandbox runs a foreign script on the machine of upkeep.
//
// The script runs in namespaces of its own (user, mount, process, network, IPC, host name, control group). It sees the
// programs that it is allowed, the libraries that these link, /dev/null, its own processes under /proc and an empty /tmp; it
// reaches no network and inherits no environment and no open file. It has no capability and can get none.
//
// The package promises that a run ends within its limits, that no process of it is left when Run has returned, and that Run
// refuses with an *UnavailableError where any of this is not possible: it never runs a script with less around it.
//
// It is not a virtual machine: a fault of the kernel is not contained.
package sandbox

import (
	"context"
	"fmt"
	"time"
)

// Job is a script and what it may use.
type Job struct {
	// Script is started by the kernel, so that its first line names its interpreter.
	Script []byte
	Stdin  []byte
	// Environment is all that the script finds in its environment, in addition to PATH.
	Environment map[string]string
	// Programs are names of programs of this machine that the script may call. One that does not exist is an error only where
	// Required names it, too.
	Programs []string
	Required []string
	// Stubs are scripts that stand for programs, by name.
	Stubs  map[string]string
	Limits Limits
}

// Limits bound a run.
type Limits struct {
	Time time.Duration
	// Memory is in bytes: of each process, of all processes together, and of what they write to /tmp, which is a quarter of it.
	Memory int64
	// Output is in bytes, of standard output and standard error each.
	Output int
	// Processes is how many may exist at a time.
	Processes int
}

// Result is what a script did.
type Result struct {
	Stdout, Stderr []byte
	ExitCode       int
	// Ended says which limit ended the run; empty where the script ended by itself.
	Ended Ending
}

// Ending is a limit that ended a run.
type Ending string

// The endings.
const (
	OutOfTime   Ending = "time"
	OutOfMemory Ending = "memory"
	OutOfOutput Ending = "output"
	OutOfTasks  Ending = "processes"
)

// UnavailableError says why this machine has no sandbox.
type UnavailableError struct{ Why string }

func (e *UnavailableError) Error() string {
	return "no sandbox on this machine: " + e.Why + ". upkeep runs a foreign script in Linux namespaces or not at all"
}

func unavailable(format string, args ...any) error {
	return &UnavailableError{Why: fmt.Sprintf(format, args...)}
}

// childName is the name under which this program is the first process of a sandbox.
const childName = "upkeep-sandbox"

// Run runs a job. The error is an *UnavailableError, one of ctx, or says which program is missing.
func Run(ctx context.Context, job Job) (Result, error) { return run(ctx, job) }
