// Package node talks to nodes: it starts the helper on a node, for the length of one session, and asks it one thing.
//
// The transport is a pipe: `local` starts the helper as a child, `ssh` starts the system's own ssh client. The helper is
// brought along (full access) or is there already (restricted access); package protocol is what the two sides say to
// each other, package agent the node's side. It knows no domain and keeps no connection between calls.
//
// It promises that every wait is bounded, that a node that hangs, lies or dies is an error that names it and costs the
// others nothing, and that nothing a node says reaches a terminal unfiltered.
package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"syscall"
	"time"

	"github.com/creachadair/jrpc2"

	"upkeep/providers/facts"
	"upkeep/providers/node/protocol"
	"upkeep/providers/plain"
	"upkeep/providers/strictjson"
)

// Options configure a Client. The zero value of each field means its default.
type Options struct {
	// Helpers is the directory that holds upkeep-node-linux-amd64 and upkeep-node-linux-arm64. Required unless every
	// target has restricted access.
	Helpers string
	// Parallelism is how many nodes are talked to at a time; default 32. Tunnels do not count.
	Parallelism int
	// SSH is the ssh client; default "ssh".
	SSH string
	// Directory is where helpers are kept on nodes with full access; default /var/lib/upkeep/bin. It is made private to
	// the user that the session runs as.
	Directory string
	// Installed is the helper's path on nodes with restricted access; default /usr/lib/upkeep/upkeep-node.
	Installed string
	// ConnectTimeout bounds the time from the start of ssh to the start of the session; default 10s.
	ConnectTimeout time.Duration
	// UploadTimeout bounds the transfer of the helper to a node that does not have it; default 2m.
	UploadTimeout time.Duration
	// AnswerTimeout bounds requests that are answered in the session (observations, locks); default: as the table of methods
	// says, 30s.
	AnswerTimeout time.Duration
	// MutationTimeout bounds requests that change something; default: what the table of methods and what is left to the step
	// allow. It bounds the wait for a free session, too; default 10m.
	MutationTimeout time.Duration
	// RetryDelay is the pause before a dropped handshake is tried again, doubled each time; default 250ms.
	RetryDelay time.Duration
}

// retries is how often a dropped handshake is tried again. With the default delay they end after 3.75 s.
const retries = 4

// Client talks to nodes. It is safe for concurrent use and holds nothing that must be closed; tunnels must be.
type Client struct {
	options Options
	helpers helpers
	slots   gates
}

// New returns a client.
func New(o Options) *Client {
	o.Parallelism = orElse(o.Parallelism, 32)
	o.SSH = orElse(o.SSH, "ssh")
	o.Directory = orElse(o.Directory, "/var/lib/upkeep/bin")
	o.Installed = orElse(o.Installed, "/usr/lib/upkeep/upkeep-node")
	o.ConnectTimeout = orElse(o.ConnectTimeout, 10*time.Second)
	o.UploadTimeout = orElse(o.UploadTimeout, 2*time.Minute)
	o.RetryDelay = orElse(o.RetryDelay, 250*time.Millisecond)
	return &Client{options: o, helpers: helpers{directory: o.Helpers}}
}

func orElse[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

// Observe asks a node everything of a question in one session. The facts carry the target's name and host. Errors are of
// type *Error.
func (c *Client) Observe(ctx context.Context, t Target, q facts.Question) (facts.Node, error) {
	var n facts.Node
	if err := c.Call(ctx, t, protocol.MethodObserve, protocol.ObserveRequest{Question: q}, &n, nil); err != nil {
		return facts.Node{}, err
	}
	n.Name, n.Host = t.Name, t.Host
	return n, nil
}

// Call sends one request to a node in a session of its own and decodes the answer into result. Progress, which may be
// nil, gets the lines the helper reports at the same time, in order; it must not block. Errors are of type *Error.
//
// A request that changes something goes on on the node when Call gives up waiting: the caller must then look at what
// became of it. When the connection of one that names its run is lost, Call connects again, and is attached to what goes
// on there: such a request is never run twice (protocol.Performed). One that may boot its node is waited for until its
// time is over; no session is held at the same time.
//
// The time of a request is the context's, which is what is left to its step, and at most what the table of methods allows. A
// request that names its run says it to the helper, which keeps to it as well.
func (c *Client) Call(ctx context.Context, t Target, method string, request, result any, progress func(string)) error {
	return c.CallFenced(ctx, t, method, request, result, progress, nil)
}

// CallFenced is Call for a run that may lose its locks: after each session has begun, and before the request is sent, it asks
// the fence, and sends nothing where that returns an error. The fence must say yes only where the locks last for
// protocol.ChangeWithin from then: the helper refuses what comes later.
func (c *Client) CallFenced(ctx context.Context, t Target, method string, request, result any, progress func(string), fence func(context.Context) error) error {
	row, _ := protocol.Find(method) // none: the helper says that it knows no such request
	return c.call(ctx, t, row, method, request, result, progress, fence)
}

func (c *Client) call(ctx context.Context, t Target, row protocol.Row, method string, request, result any, progress func(string), fence func(context.Context) error) error {
	restarts := row.Unit != nil && row.Unit.Restarts
	deadline := time.Now().Add(c.patience(row, runOf(timed(ctx, row, request))))
	lost, said := false, ""
	for delay := c.options.RetryDelay; ; delay *= 2 {
		err := c.callOnce(ctx, t, row, method, timed(ctx, row, request), result, progress, fence)
		var e *Error
		if err == nil || ctx.Err() != nil || !attachable(request) || !errors.As(err, &e) {
			return err
		}
		// Once it was lost, a node that cannot be reached may come back.
		lost = lost || e.lost
		if !lost || e.answered || !restarts && delay > reattach*c.options.RetryDelay || time.Now().After(deadline) {
			return err
		}
		delay = min(delay, reattach*c.options.RetryDelay)
		if progress != nil && (!restarts || e.Why != said) {
			progress("the connection was lost (" + e.Why + "); connecting again")
		}
		said = e.Why
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return asError(t, context.Cause(ctx))
		}
	}
}

// reattach bounds the attempts to connect again, as a multiple of the first delay: with the default they end after 32 s,
// longer than a machine's sshd needs to come back.
const reattach = 64

// attachable reports whether a request names the step that it belongs to, so that the node knows it again.
func attachable(request any) bool { return runOf(request).Named() }

func (c *Client) callOnce(ctx context.Context, t Target, row protocol.Row, method string, request, result any, progress func(string), fence func(context.Context) error) error {
	leave, err := c.enter(ctx, t, true)
	if err != nil {
		return asError(t, err)
	}
	defer leave()
	p, err := c.open(ctx, t, orElse(row.Class, protocol.ClassObserve), nil)
	if err != nil {
		return asError(t, err)
	}
	channel := &listening{Channel: protocol.NewChannel(p.reader, p.in, p.in.Close), progress: progress, ended: make(chan struct{})}
	rpc := jrpc2.NewClient(channel, nil)
	defer func() {
		p.end()     // ends the stream, and so the goroutine that reads it,
		rpc.Close() // which this waits for
	}()

	err = p.within(ctx, c.patience(row, runOf(request)), func() error {
		if t.Access == AccessRestricted {
			if err := c.checkHello(ctx, t, rpc); err != nil {
				return err
			}
		}
		if fence != nil {
			if err := fence(ctx); err != nil {
				return &Error{Node: t.Name, Why: "nothing was sent: " + err.Error(), Cause: err, answered: true}
			}
		}
		return rpc.CallResult(ctx, method, request, result)
	})
	if err == nil {
		plain.In(result, plain.Line) // a node is not trusted, and nothing that it says has several lines
		plain.Quote(result)
		return nil
	}
	if errors.Is(err, syscall.EPIPE) {
		channel.wait(endGrace) // it broke off before it took the request; what it said at the end tells more
	}
	broken := channel.reason()
	p.end()
	var answered *jrpc2.Error
	switch {
	case errors.As(err, new(noAnswerError)), errors.As(err, new(*Error)), ctx.Err() != nil:
		return asError(t, err)
	case errors.As(err, &answered) && answered.Code != jrpc2.InternalError: // that one is made on this side
		// Named as what the node says, and quoted: the one who has the node may write advice into it.
		why := "the helper says: " + said(answered.Message)
		if answered.Code == jrpc2.MethodNotFound {
			why = "the helper knows no request " + method
		}
		return &Error{Node: t.Name, Why: why, Cause: err, answered: true}
	case errors.Is(broken, io.EOF):
		why := fmt.Sprintf("the helper ended before it answered (exit status %s)", status(p.exitCode()))
		if last := lastLine(p.stderr.text()); last != "" {
			why += ": " + said(last)
		}
		return &Error{Node: t.Name, Why: why, Cause: io.ErrUnexpectedEOF, lost: true}
	default:
		if broken != nil {
			err = broken
		}
		if broken == nil && answered != nil { // jrpc2's own verdict on a frame, which it puts in numbers first
			err = errors.New(codes.ReplaceAllString(answered.Error(), ""))
		}
		return &Error{Node: t.Name, Why: "the helper's answer cannot be read: " + oneLine(err.Error()), Cause: err, lost: errors.Is(broken, protocol.ErrFrame)}
	}
}

var codes = regexp.MustCompile(`^(?:\[-?\d+\] )+`)

// checkHello compares the installed helper with the one that lies next to upkeep.
func (c *Client) checkHello(ctx context.Context, t Target, rpc *jrpc2.Client) error {
	var hello protocol.Hello
	if err := rpc.CallResult(ctx, protocol.MethodHello, nil, &hello); err != nil {
		return err
	}
	if hello.Architecture != "amd64" && hello.Architecture != "arm64" {
		return &Error{Node: t.Name, Why: fmt.Sprintf("the helper says that it is built for %q", oneLine(hello.Architecture))}
	}
	want, err := c.helpers.digest(hello.Architecture)
	if err != nil {
		return err
	}
	if want == noHelper {
		return &Error{Node: t.Name, Why: "the helper on the node cannot be compared: " + c.helpers.path(hello.Architecture) + " is not there",
			Next: "install the complete package where upkeep runs"}
	}
	if want != hello.SHA256 {
		return &Error{Node: t.Name,
			Why: fmt.Sprintf("%s is not the helper of this upkeep (it is version %s, SHA-256 %s; wanted is %s)",
				c.options.Installed, oneLine(hello.Version), oneLine(hello.SHA256), want),
			Next: "install the package of the same version on the node, and update its sudoers line: upkeep access -print"}
	}
	return nil
}

// Tunnel connects to a service of a node ("etcd"). The connection is a session of its own and lasts until it is closed,
// which the caller must do. Errors are of type *Error.
func (c *Client) Tunnel(ctx context.Context, t Target, service string) (net.Conn, error) {
	if !servicePattern.MatchString(service) {
		return nil, &Error{Node: t.Name, Why: fmt.Sprintf("%q is not the name of a service", service)}
	}
	leave, err := c.enter(ctx, t, false)
	if err != nil {
		return nil, asError(t, err)
	}
	p, err := c.open(ctx, t, protocol.ServiceClass(service), []string{"-tunnel", service})
	if err != nil {
		leave()
		return nil, asError(t, err)
	}
	widen(p.out)
	return &tunnel{p: p, leave: leave, local: address("upkeep"), remote: address(t.Name + "/" + service)}, nil
}

var servicePattern = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// enter waits for a free session through the jump host, and then, for a counted call, for a free place among all nodes.
// In this order a crowd behind one jump host leaves places to the others.
func (c *Client) enter(ctx context.Context, t Target, counted bool) (leave func(), err error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	limit := t.maxSessions()
	ctx, cancel := context.WithTimeoutCause(ctx, c.enterTimeout(),
		&Error{Node: t.Name, Why: fmt.Sprintf("no session became free in %s (max_sessions = %d)", c.enterTimeout(), limit),
			Next: "raise max_sessions of the connection"})
	defer cancel()
	leaveJump, leaveAll := func() {}, func() {}
	if key := t.jumpKey(); key != "" {
		if leaveJump, err = c.slots.enter(ctx, "jump "+key, limit); err != nil {
			return nil, err
		}
	}
	if counted {
		if leaveAll, err = c.slots.enter(ctx, "all", c.options.Parallelism); err != nil {
			leaveJump()
			return nil, err
		}
	}
	return func() { leaveAll(); leaveJump() }, nil
}

// asError gives an error the node's name, once.
func asError(t Target, err error) error {
	var named *Error
	if errors.As(err, &named) {
		return named
	}
	return &Error{Node: t.Name, Why: err.Error(), Cause: err}
}

// listening is a channel that hands progress to a function, in order, and passes on the rest. It remembers why the
// channel broke.
type listening struct {
	*protocol.Channel
	progress func(string)
	said     int // lines of progress so far

	broken error         // why it broke; set before ended is closed
	ended  chan struct{} // closed when it broke; after that nobody receives any longer
}

// reason returns why the channel broke; nil when it has not.
func (l *listening) reason() error {
	select {
	case <-l.ended:
		return l.broken
	default:
		return nil
	}
}

// wait waits until the channel broke, at most for d.
func (l *listening) wait(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-l.ended:
	case <-timer.C:
	}
}

const (
	// noteLimit is the longest frame that is looked at as a notification; a line of progress is far shorter.
	noteLimit = 64 << 10
	// saidLimit is how many lines of progress one call passes on; a renewal of everything says some fifty.
	saidLimit = 2000
	// elementLimit is how many elements an answer may have. A node's facts have some thousand; without a limit a frame of
	// empty elements would take a hundred times its size in memory.
	elementLimit = 100_000
)

func (l *listening) Recv() ([]byte, error) {
	for {
		frame, err := l.Channel.Recv()
		if err == nil && bytes.Count(frame, []byte{','}) > elementLimit {
			err = fmt.Errorf("%w: a frame has more than %d elements", protocol.ErrFrame, elementLimit)
		}
		if twice := strictjson.Twice(frame, nil); err == nil && twice != nil {
			err = fmt.Errorf("%w: %w", protocol.ErrFrame, twice)
		}
		if err != nil {
			l.broken = err
			close(l.ended)
			return nil, err
		}
		var note struct {
			Method string            `json:"method"`
			Params protocol.Progress `json:"params"`
		}
		if len(frame) > noteLimit || json.Unmarshal(frame, &note) != nil || note.Method != protocol.NotifyProgress {
			return frame, nil
		}
		l.said++
		switch {
		case l.progress == nil || l.said > saidLimit:
		case l.said == saidLimit:
			l.progress(fmt.Sprintf("(it said more than %d lines; the rest is left out)", saidLimit-1))
		default:
			l.progress(oneLine(note.Params.Line))
		}
	}
}
