// Command lab brings up and takes down the acceptance tests' cluster by hand. Run it in the acceptance module, as root:
//
//	go run ./cmd/lab build
//	go run ./cmd/lab up [-validity 168h] [-recreate]
//	go run ./cmd/lab status
//	go run ./cmd/lab ssh NODE [COMMAND]
//	go run ./cmd/lab pause|resume|stop|start NODE
//	go run ./cmd/lab reset
//	go run ./cmd/lab down
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"upkeep/acceptance/lab"
)

const usage = `usage: lab COMMAND

  build                 install and build all that up needs; start nothing
  up [-validity 168h]   bring the cluster up; certificates live for -validity
     [-recreate]        replace a finished lab that differs from what is asked for
  status                say what is up
  ssh NODE [COMMAND]    a shell, or a command, on n1, n2, n3 (root) or bastion (ops)
  pause NODE            freeze every process of a host, so that it hangs
  resume NODE           end a pause
  stop NODE             power a host off
  start NODE            boot it again
  reset                 a fresh cluster on fresh hosts, under the same keys and addresses
  down                  remove everything but the build cache
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	if err == nil {
		return
	}
	var exit *exec.ExitError
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	case errors.As(err, &exit) && os.Args[1] == "ssh" && exit.ExitCode() > 0:
		os.Exit(exit.ExitCode())
	}
	fmt.Fprintln(os.Stderr, "lab:", err)
	os.Exit(1)
}

var errUsage = errors.New("wrong usage")

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	name, args := args[0], args[1:]
	switch name {
	case "build":
		if len(args) > 0 {
			return errUsage
		}
		return lab.Prepare(ctx, progress(time.Now()))
	case "up":
		return up(ctx, args)
	case "down":
		return lab.Down(ctx)
	}
	l, err := lab.Open()
	if err != nil {
		return err
	}
	switch {
	case name == "status" && len(args) == 0:
		report, err := l.Status(ctx)
		fmt.Print(report)
		return err
	case name == "reset" && len(args) == 0:
		started := time.Now()
		if err := l.Reset(ctx); err != nil {
			return err
		}
		fmt.Printf("a fresh cluster is up after %s\n", time.Since(started).Round(time.Second))
		return nil
	case name == "ssh" && len(args) > 0:
		return shell(ctx, l, args[0], args[1:])
	case len(args) != 1:
		return errUsage
	case name == "pause":
		return l.Pause(args[0])
	case name == "resume":
		return l.Resume(args[0])
	case name == "stop":
		return l.Stop(ctx, args[0])
	case name == "start":
		return l.Start(ctx, args[0])
	}
	return errUsage
}

func up(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	validity := flags.Duration("validity", 0, "how long the cluster's certificates live; 0: as they do, in a new lab "+lab.DefaultValidity.String())
	recreate := flags.Bool("recreate", false, "replace a finished lab that differs from what is asked for")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return errUsage
	}
	started := time.Now()
	l, err := lab.Up(ctx, lab.Options{Validity: *validity, Recreate: *recreate, Progress: progress(started)})
	if err != nil {
		return err
	}
	fmt.Printf("%4.0fs  up: %d nodes Ready\n\n", time.Since(started).Seconds(), len(l.Nodes))
	fmt.Print(l.Reach())
	return nil
}

// progress prints what is being done and since when.
func progress(started time.Time) func(string) {
	return func(line string) { fmt.Printf("%4.0fs  %s\n", time.Since(started).Seconds(), line) }
}

// shell runs the system's ssh with our standard streams.
func shell(ctx context.Context, l *lab.Lab, node string, line []string) error {
	args := []string{"-F", l.SSHConfig(), node}
	if len(line) > 0 {
		args = append(args, strings.Join(line, " "))
	}
	cmd := exec.CommandContext(ctx, "ssh", args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}
