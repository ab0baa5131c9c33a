// Command upkeep keeps a Kubernetes GPU provider in the state its operator declared: plan, apply, drift.
//
// This package parses flags, wires adapters to domains and prints. It decides nothing about a cluster: that is the
// planner's and the domains'. One file holds one subcommand; exit.go holds the one table from errors to exit codes.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
	_ "time/tzdata" // the zones of maintenance windows, where the machine has none

	_ "alloc" // before all others: see there

	"upkeep/providers/facts"
	"upkeep/providers/helm"
	"upkeep/providers/sandbox"
	"upkeep/state/durable"
)

// version is set by the linker.
var version = "0.1.0-dev"

func main() {
	sandbox.Child()
	helm.Child()
	os.Exit(run(context.Background(), environment{
		args: os.Args, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		environ: os.Environ(), now: time.Now, signals: terminations(), unbroken: ignoreBrokenPipes, trace: faultPoints(),
		here: thisMachine(),
	}))
}

// terminations returns the signals that ask the process to end. A terminal that closes asks so, too, unless whoever
// started the process wants that ignored, as nohup does.
func terminations() <-chan os.Signal {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	return signals
}

// ignoreBrokenPipes keeps the process alive from now on when nobody reads its output any more: writing is an error
// then. What reads may be `tee`, or the end of an ssh connection.
func ignoreBrokenPipes() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// environment is everything a command takes from the process it runs in.
type environment struct {
	args           []string
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string
	now            func() time.Time
	signals        <-chan os.Signal
	unbroken       func()         // see ignoreBrokenPipes; nil: nothing is to do
	interrupts     *interrupts    // set by run; nil: no signal comes
	trace          durable.Tracer // nil but for tests of the whole program
	here           facts.Here     // which machine this is
}

// lookup returns an environment variable; the empty string where it is not set.
func (e environment) lookup(name string) string {
	value := ""
	for _, pair := range e.environ {
		if len(pair) > len(name) && pair[:len(name)] == name && pair[len(name)] == '=' {
			value = pair[len(name)+1:]
		}
	}
	return value
}

// run is the whole program but for the process around it; it returns the exit code.
func run(ctx context.Context, env environment) int {
	stdout, stderr := &screen{to: env.stdout}, &screen{to: env.stderr}
	defer stdout.end()
	defer stderr.end()
	env.stdout, env.stderr = stdout, stderr
	err, interrupted := interruptible(ctx, env, func(ctx context.Context, env environment) error {
		return app(env).Run(ctx, env.args)
	})
	if interrupted {
		return conclude(env, errInterrupted)
	}
	return conclude(env, err)
}
