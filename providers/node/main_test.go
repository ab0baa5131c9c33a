package node_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent"
	"upkeep/providers/node/agent/bundles"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/fence"
	"upkeep/providers/node/protocol"
)

// TestMain makes the test binary the helper where it runs under the helper's name: as it lies beside upkeep, or as it
// was installed on a node.
func TestMain(m *testing.M) {
	if strings.HasPrefix(filepath.Base(os.Args[0]), "upkeep-node") {
		if err := helper(ofAnyClass(os.Args[1:])); err != nil {
			fmt.Fprintln(os.Stderr, "upkeep-node:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func helper(args []string) error {
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP) // as upkeep-node does: nobody who listens is no reason to stop
	h := agent.Handlers{Version: "test", Tunnel: dial, Methods: []agent.Handler{
		agent.Answer(protocol.Observe, observe), agent.Handle(protocol.Renew, renew), agent.Handle(protocol.Repair, repair),
	}}
	if len(args) == 4 && args[2] == "-tunnel" {
		return agent.ServeTunnel(context.Background(), os.Stdin, os.Stdout, args[1], args[3], h)
	}
	return agent.Serve(context.Background(), os.Stdin, os.Stdout, args[1], h)
}

// observe answers with what it was asked for, and does as the layout says.
func observe(ctx context.Context, r protocol.ObserveRequest) (facts.Node, error) {
	n := facts.Node{System: facts.System{Hostname: "a node", Kernel: fmt.Sprint(os.Getpid())}}
	if q := r.Question.Certificates; q != nil {
		n.Certificates.Layout = q.Layout
		switch q.Layout {
		case "panic":
			panic("no such layout")
		case "error":
			return n, errors.New("layout \"error\":\nnot \x1b[31mknown")
		case "huge":
			n.Certificates.Unknown = strings.Repeat("x", protocol.FrameLimit)
		case "hang":
			<-ctx.Done()
			return n, ctx.Err()
		}
	}
	return n, nil
}

// renew reports its names as progress.
func renew(_ context.Context, r protocol.RenewRequest, progress func(string)) (protocol.RenewResult, error) {
	for _, name := range r.Names {
		progress(name)
	}
	return protocol.RenewResult{Archive: r.Step, Serials: r.Serials}, nil
}

// repair takes a while, and then leaves a file with the name of the intent.
func repair(ctx context.Context, r protocol.RepairRequest, progress func(string)) (protocol.RepairResult, error) {
	progress("started")
	for range 20 {
		time.Sleep(20 * time.Millisecond)
		progress("still at it")
	}
	if ctx.Err() != nil {
		return protocol.RepairResult{}, ctx.Err()
	}
	if err := os.WriteFile(r.Intent+".new", []byte("done"), 0o600); err != nil {
		return protocol.RepairResult{}, err
	}
	return protocol.RepairResult{Installed: []string{"done"}}, os.Rename(r.Intent+".new", r.Intent)
}

// dial connects to a service that answers each byte in upper case, or to the real one for bundles.
func dial(_ context.Context, service string) (net.Conn, error) {
	if service == bundles.Service {
		d, err := disk.Open(os.Getenv(bundlesRoot))
		if err != nil {
			return nil, err
		}
		return bundles.Dial(d, &fence.Fence{Disk: d, Clock: fence.SystemClock(time.Now)}), nil
	}
	if service != "shout" {
		return nil, fmt.Errorf("connect: nobody listens")
	}
	near, far := net.Pipe()
	go func() {
		defer far.Close()
		buffer := make([]byte, 1024)
		for {
			n, err := far.Read(buffer)
			if _, werr := io.WriteString(far, strings.ToUpper(string(buffer[:n]))); err != nil || werr != nil {
				return
			}
		}
	}()
	return near, nil
}

// ofAnyClass leaves out the class that a line of sudoers wants first: what it lets in is cmd/upkeep-node's to test.
func ofAnyClass(args []string) []string {
	if len(args) > 2 && args[0] == "-class" {
		return args[2:]
	}
	return args
}
