package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/creachadair/jrpc2"
	"github.com/creachadair/jrpc2/handler"

	"upkeep/providers/node/protocol"
	"upkeep/providers/strictjson"
)

// answerLimit leaves room in a frame for what JSON-RPC wraps around an answer.
const answerLimit = protocol.FrameLimit - 4096

// Serve serves one session: it writes the line with the nonce and then answers requests until in ends. It returns after
// every request in progress is finished, nil when the peer closed the session in order.
//
// When ctx ends, Serve returns at once; the caller must then close in (or exit) to release the goroutine that reads it.
func Serve(ctx context.Context, in io.Reader, out io.Writer, nonce string, h Handlers) error {
	if err := protocol.CheckNonce(nonce); err != nil {
		return err
	}
	since := stopwatch(h.Uptime) // before anybody can know that the session is open
	served, err := methods(h, since)
	if err != nil {
		return err
	}
	if err := protocol.WriteSignal(out, nonce, protocol.Signal{Word: protocol.SignalReady}); err != nil {
		return fmt.Errorf("open the session: %w", err)
	}
	server := jrpc2.NewServer(served, &jrpc2.ServerOptions{AllowPush: true, DisableBuiltin: true})
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

// methods serves the methods that there are handlers for, each as its row in the table says.
func methods(h Handlers, since func() time.Duration) (handler.Map, error) {
	m := handler.Map{}
	hello := Answer(protocol.Handshake, func(context.Context, struct{}) (protocol.Hello, error) { return Hello(h.Version) })
	for _, h := range append([]Handler{hello}, h.Methods...) {
		row, ok := protocol.Find(h.Method)
		switch {
		case !ok:
			return nil, fmt.Errorf("the table of methods has no %q", h.Method)
		case row.Unit != nil:
			m[h.Method] = change(row, since, h)
		default:
			m[h.Method] = read(row, h)
		}
	}
	return m, nil
}

// read serves a method that is answered in the session: it ends with the connection, or when its row's time is over.
func read(row protocol.Row, h Handler) jrpc2.Handler {
	return func(ctx context.Context, r *jrpc2.Request) (any, error) {
		ctx, cancel := context.WithTimeout(ctx, row.Limit)
		defer cancel()
		return answer(func() (any, error) { return h.Do(ctx, parameters(r), func(string) {}) })
	}
}

// stopwatch returns a function that says how long ago it was made. Of several clocks the one that says most counts: one
// does not move while the machine sleeps, another can be set.
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

// change serves a method that changes something: it outlives the connection, for as long as its row and its run allow, and
// reports progress while there is one. A request that comes late is refused (protocol.ChangeWithin).
func change(row protocol.Row, since func() time.Duration, h Handler) jrpc2.Handler {
	return func(ctx context.Context, r *jrpc2.Request) (any, error) {
		if late := since(); late > protocol.ChangeWithin {
			return nil, jrpc2.Errorf(jrpc2.SystemError, "%s came %s after its session began, and must come within %s: the sender was paused and may have lost its locks; nothing was changed",
				r.Method(), late.Round(time.Second), protocol.ChangeWithin)
		}
		server := jrpc2.ServerFromContext(ctx)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), row.Patience(runOf(parameters(r))))
		defer cancel()
		progress := func(line string) {
			// A lost connection must not stop the work, so nobody to tell is no error.
			_ = server.Notify(ctx, protocol.NotifyProgress, protocol.Progress{Line: line})
		}
		return answer(func() (any, error) { return h.Do(ctx, parameters(r), progress) })
	}
}

// runOf returns the run that a request names. The handler decodes the request, and refuses what is wrong with it.
func runOf(content []byte) protocol.Run {
	var q struct {
		Run protocol.Run `json:"run"`
	}
	_ = strictjson.Decode(content, &q)
	return q.Run
}

// parameters are the content of a request.
func parameters(r *jrpc2.Request) []byte {
	if !r.HasParams() {
		return nil
	}
	return []byte(r.ParamString())
}

// answer runs a handler and encodes its result, so that a panic and an answer that fits no frame both become errors.
func answer(f func() (any, error)) (encoded any, err error) {
	defer func() {
		if p := recover(); p != nil {
			encoded, err = nil, fmt.Errorf("the helper failed: %v (at %s)", p, origin(debug.Stack()))
		}
	}()
	result, err := f()
	if misunderstood := (*protocol.MisunderstoodError)(nil); errors.As(err, &misunderstood) {
		return nil, jrpc2.Errorf(jrpc2.InvalidParams, "%v", err)
	}
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
