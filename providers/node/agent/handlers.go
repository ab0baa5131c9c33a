// Package agent is the node's side of a session: it serves requests that arrive on a pipe and tunnels to services of the
// node. What the requests do is given to it as functions (Handlers); it knows no certificate, no container and no unit.
//
// It promises that no request can make it hang or panic its session: a handler that panics is an answer with an error,
// an answer that is too large is an error, and a peer that is in its framing ends the session. A request that changes
// something is finished even when the connection is lost at the same time.
package agent

import (
	"context"
	"fmt"
	"net"
	"time"

	"upkeep/providers/node/protocol"
)

// Handler answers the requests of one method.
type Handler struct {
	Method string
	// Do decodes the content of a request, strictly, and does what it asks. Progress is told what happens, a line at a time,
	// and never blocks for long. Where the method changes something, the context does not end with the connection.
	Do func(ctx context.Context, content []byte, progress func(string)) (any, error)
}

// Handle makes a function of a method's own types the handler of that method.
func Handle[Request, Result any](m protocol.Method[Request, Result], f func(context.Context, Request, func(string)) (Result, error)) Handler {
	return Handler{string(m), func(ctx context.Context, content []byte, progress func(string)) (any, error) {
		q, err := m.Request(content)
		if err != nil {
			return nil, err
		}
		return f(ctx, q, progress)
	}}
}

// Answer is Handle for a function that has nothing to say at the same time.
func Answer[Request, Result any](m protocol.Method[Request, Result], f func(context.Context, Request) (Result, error)) Handler {
	return Handle(m, func(ctx context.Context, q Request, _ func(string)) (Result, error) { return f(ctx, q) })
}

// Of returns what a session of one class is offered: its methods and its services. An empty class is offered everything.
func (h Handlers) Of(class protocol.Class) Handlers {
	if class == "" {
		return h
	}
	var methods []Handler
	for _, m := range h.Methods {
		if row, ok := protocol.Find(m.Method); ok && row.Class == class {
			methods = append(methods, m)
		}
	}
	tunnel := h.Tunnel
	h.Methods = methods
	h.Tunnel = func(ctx context.Context, service string) (net.Conn, error) {
		if tunnel == nil || protocol.ServiceClass(service) != class {
			return nil, fmt.Errorf("a session of class %s has no tunnel to %q", class, service)
		}
		return tunnel(ctx, service)
	}
	return h
}

// Handlers are the things a node can be asked for.
type Handlers struct {
	// Version is the helper's version, for hello.
	Version string

	// Uptime is how long the machine has been up, asleep or not. Nil: the clocks of the process alone tell how long ago the
	// session began.
	Uptime func() time.Duration

	// Methods answer requests. A method that has none is one that this helper does not offer; hello it answers itself.
	Methods []Handler

	// Tunnel connects to a service of this node by name ("etcd").
	Tunnel func(ctx context.Context, service string) (net.Conn, error)
}
