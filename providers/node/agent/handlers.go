// Package agent is the node's side of a session: it serves requests that arrive on a pipe and tunnels to services of the
// node. What the requests do is given to it as functions (Handlers); it knows no certificate, no container and no unit.
//
// It promises that no request can make it hang or panic its session: a handler that panics is an answer with an error,
// an answer that is too large is an error, and a peer that lies in its framing ends the session. A request that changes
// something is finished even when the connection is lost meanwhile.
package agent

import (
	"context"
	"net"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/node/protocol"
)

// Handlers are the things a node can be asked for. A nil handler is a method that this helper does not offer.
type Handlers struct {
	// Version is the helper's version, for hello.
	Version string

	// Uptime is how long the machine has been up, asleep or not. Nil: the clocks of the process alone tell how long ago the
	// session began.
	Uptime func() time.Duration

	// Observe only reads. What it cannot observe it reports inside the facts; an error is for a request it cannot
	// understand.
	Observe func(context.Context, protocol.ObserveRequest) (facts.Node, error)

	// Renew, Mend and Restart change something. Their context does not end with the connection; progress is one line at
	// a time and never blocks for long.
	Renew   func(ctx context.Context, r protocol.RenewRequest, progress func(string)) (protocol.RenewResult, error)
	Mend    func(ctx context.Context, r protocol.MendRequest, progress func(string)) (protocol.MendResult, error)
	Restart func(ctx context.Context, r protocol.RestartRequest, progress func(string)) (protocol.RestartResult, error)

	// Undo undoes one mark; it changes something as well.
	Undo func(ctx context.Context, r protocol.UndoRequest, progress func(string)) (protocol.UndoResult, error)

	// Lock takes, renews or releases the node's lock.
	Lock func(context.Context, protocol.LockRequest) (protocol.LockResult, error)

	// Tunnel connects to a service of this node by name ("etcd").
	Tunnel func(ctx context.Context, service string) (net.Conn, error)
}
