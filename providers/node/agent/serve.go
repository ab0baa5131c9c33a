package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/creachadair/jrpc2"
	"github.com/creachadair/jrpc2/handler"

	"upkeep/providers/node/protocol"
)

// changeLimit bounds a request that changes something, since its context does not end with the connection. The longest
// one restarts a static pod and waits for it: minutes. Behind it stands a unit that may wait for another one's end.
const changeLimit = 18 * time.Minute

// answerLimit leaves room in a frame for what JSON-RPC wraps around an answer.
const answerLimit = protocol.FrameLimit - 4096

// Serve serves one session: it writes the line with the nonce and then answers requests until in ends. It returns after
// every request under way is finished, nil when the peer closed the session in order.
//
// When ctx ends, Serve returns at once; the caller must then close in (or exit) to release the goroutine that reads it.
func Serve(ctx context.Context, in io.Reader, out io.Writer, nonce string, h Handlers) error {
	if err := protocol.CheckNonce(nonce); err != nil {
		return err
	}
	since := stopwatch(h.Uptime) // before anybody can know that the session is open
	if err := protocol.WriteSignal(out, nonce, protocol.Signal{Word: protocol.SignalReady}); err != nil {
		return fmt.Errorf("open the session: %w", err)
	}
	server := jrpc2.NewServer(methods(h, since), &jrpc2.ServerOptions{AllowPush: true, DisableBuiltin: true})
	server.Start(requests{protocol.NewChannel(in, out, nil)})

	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			return fmt.Errorf("session: %w", err)
		}
		return nil
	case <-ctx.Done():
		server.Stop()
		return context.Cause(ctx)
	}
}

// methods maps the protocol's methods to the handlers there are.
func methods(h Handlers, since func() time.Duration) handler.Map {
	m := handler.Map{protocol.MethodHello: read(func(context.Context, struct{}) (protocol.Hello, error) { return Hello(h.Version) })}
	if h.Observe != nil {
		m[protocol.MethodObserve] = read(h.Observe)
	}
	if h.Renew != nil {
		m[protocol.MethodRenew] = change(since, h.Renew)
	}
	if h.Mend != nil {
		m[protocol.MethodMend] = change(since, h.Mend)
	}
	if h.Restart != nil {
		m[protocol.MethodRestart] = change(since, h.Restart)
	}
	if h.Undo != nil {
		m[protocol.MethodUndo] = change(since, h.Undo)
	}
	if h.Lock != nil {
		m[protocol.MethodLock] = read(h.Lock)
	}
	return m
}

// read serves a method that only reads: it ends with the connection.
func read[Request, Result any](f func(context.Context, Request) (Result, error)) jrpc2.Handler {
	return func(ctx context.Context, r *jrpc2.Request) (any, error) {
		var request Request
		if err := parameters(r, &request); err != nil {
			return nil, err
		}
		return answer(func() (Result, error) { return f(ctx, request) })
	}
}

// stopwatch returns a function that says how long ago it was made. Of several clocks the one that says most counts: one
// stands still while the machine sleeps, another can be set.
func stopwatch(uptime func() time.Duration) func() time.Duration {
	began := time.Now()
	if uptime == nil {
		uptime = func() time.Duration { return 0 }
	}
	up := uptime()
	return func() time.Duration {
		now := time.Now()
		return max(now.Sub(began), now.Round(0).Sub(began.Round(0)), uptime()-up)
	}
}

// change serves a method that changes something: it outlives the connection, and reports progress while there is one. A
// request that comes late is refused (protocol.ChangeWithin).
func change[Request, Result any](since func() time.Duration, f func(context.Context, Request, func(string)) (Result, error)) jrpc2.Handler {
	return func(ctx context.Context, r *jrpc2.Request) (any, error) {
		var request Request
		if err := parameters(r, &request); err != nil {
			return nil, err
		}
		if late := since(); late > protocol.ChangeWithin {
			return nil, jrpc2.Errorf(jrpc2.SystemError, "%s came %s after its session began, and must come within %s: who sent it was paused meanwhile and may have lost its locks; nothing was changed",
				r.Method(), late.Round(time.Second), protocol.ChangeWithin)
		}
		server := jrpc2.ServerFromContext(ctx)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeLimit)
		defer cancel()
		progress := func(line string) {
			// A lost connection must not stop the work, so nobody to tell is no error.
			_ = server.Notify(ctx, protocol.NotifyProgress, protocol.Progress{Line: line})
		}
		return answer(func() (Result, error) { return f(ctx, request, progress) })
	}
}

// parameters decodes a request strictly: a field this helper does not know may be one that changes the meaning.
func parameters(r *jrpc2.Request, into any) error {
	if !r.HasParams() {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader([]byte(r.ParamString())))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return jrpc2.Errorf(jrpc2.InvalidParams, "%s: the request is not understood: %v", r.Method(), err)
	}
	return nil
}

// answer runs a handler and encodes its result, so that a panic and an answer that fits no frame both become errors.
func answer[Result any](f func() (Result, error)) (encoded any, err error) {
	defer func() {
		if p := recover(); p != nil {
			encoded, err = nil, fmt.Errorf("the helper failed: %v (at %s)", p, origin(debug.Stack()))
		}
	}()
	result, err := f()
	if err != nil {
		return nil, jrpc2.Errorf(jrpc2.SystemError, "%v", err) // one code for all: upkeep reads the text
	}
	data, err := json.Marshal(result)
	if err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	if len(data) > answerLimit {
		return nil, fmt.Errorf("the answer is %d bytes; at most %d fit", len(data), answerLimit)
	}
	return json.RawMessage(data), nil
}

// origin returns the file and line of the panic: the first line of the stack after the runtime's own panic frames.
func origin(stack []byte) string {
	lines := bytes.Split(stack, []byte("\n"))
	for i, line := range lines {
		if bytes.HasPrefix(line, []byte("panic(")) && i+3 < len(lines) {
			return string(bytes.TrimSpace(lines[i+3]))
		}
	}
	return "an unknown place"
}
