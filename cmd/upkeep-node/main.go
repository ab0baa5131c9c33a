// Command upkeep-node is what runs on a node: one session on standard input and output, for as long as it lasts.
//
// upkeep starts it; nobody types it. It is static (CGO_ENABLED=0) and takes five flags, -class, -nonce, -tunnel, -perform
// and -version; everything else it is asked comes as typed requests over the session. It writes nothing else to standard output.
//
// With -perform it is no session but the process that runs one request, which a session wrote down for it under
// /var/lib/upkeep; that is how a change outlives the connection that brought it.
//
// A session is over in milliseconds: the Go runtime need not read the node's mounts and cgroups to size itself for it.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"upkeep/providers/node/agent"
	"upkeep/providers/node/agent/host"
	"upkeep/providers/node/protocol"
)

func main() {
	// A lost connection must not kill a request that is changing something: writing to it is an error, not a signal.
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP)
	if err := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, host.New(host.Options{At: faultPoints(), Writes: faultPlaces(), NVMLDigest: nvmlDigest, NVMLPacked: nvmlPacked})); err != nil {
		fmt.Fprintln(os.Stderr, "upkeep-node:", err)
		os.Exit(1)
	}
}

// run serves what the flags ask for.
func run(ctx context.Context, args []string, in io.Reader, out io.Writer, h *host.Host) error {
	flags := flag.NewFlagSet("upkeep-node", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	class := &once{}
	flags.Var(class, "class", "answer requests of this class alone: observe, backup or change")
	nonce := flags.String("nonce", "", "the session's nonce: 32 hexadecimal digits")
	tunnel := flags.String("tunnel", "", "serve a raw tunnel to this service of the node")
	perform := flags.String("perform", "", "run the request with this id")
	restore := flags.String("restore", "", "do what the timer with this id is for")
	printVersion := flags.Bool("version", false, "print the version and end")
	switch err := flags.Parse(args); {
	case err != nil:
		return err
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case *printVersion:
		_, err := fmt.Fprintln(out, "upkeep-node", buildVersion(), runtime.GOOS+"/"+runtime.GOARCH)
		return err
	case *perform != "" && class.class != "":
		return errors.New("-perform is systemd's to say, and takes no -class")
	case *perform != "":
		// A unit that is told to stop, at shutdown, ends what it is at in order: before its point of no return it
		// gives up, after it it finishes.
		ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
		defer stop()
		return h.Perform(ctx, *perform)
	case *restore != "" && (class.class != "" || *nonce != ""):
		return errors.New("-restore is a timer's to say, and takes neither -class nor -nonce")
	case *restore != "":
		done, err := h.Restore(ctx, *restore)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(out, done)
		return err
	case *nonce == "":
		return errors.New("this program is started by upkeep and needs -nonce; run upkeep instead")
	case *tunnel != "":
		return agent.ServeTunnel(ctx, in, out, *nonce, *tunnel, handlers(h).Of(class.class))
	default:
		return agent.Serve(ctx, in, out, *nonce, handlers(h).Of(class.class))
	}
}

// once is the class that a session is let in for. A line of sudoers says it first, and lets other words follow: so nobody
// may say it again.
type once struct{ class protocol.Class }

// String returns the class; empty: none was said.
func (o *once) String() string { return string(o.class) }

// Set reads the class, once.
func (o *once) Set(text string) error {
	if o.class != "" {
		return errors.New("it is given twice")
	}
	class, err := protocol.ParseClass(text)
	o.class = class
	return err
}

// version is set by the linker in a release build, and nvmlDigest where upkeep-nvml was built first: its SHA-256. The helper
// runs as root, and so does nothing that lies next to it and is another file.
var version, nvmlDigest string

// buildVersion is the release's version, else what the Go toolchain recorded: the module's version, or the commit.
func buildVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version
}
