package agent_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent"
	"upkeep/providers/node/protocol"
)

const nonce = "0123456789abcdef0123456789abcdef"

const ready = "\nupkeep-session " + nonce + " ready\n"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func observing() agent.Handlers {
	return agent.Handlers{Version: "v1", Methods: []agent.Handler{
		agent.Answer(protocol.Observe, func(context.Context, protocol.ObserveRequest) (facts.Node, error) {
			return facts.Node{System: facts.System{Hostname: "cp1"}}, nil
		}),
	}}
}

// frames are the bytes of some frames.
func frames(t testing.TB, texts ...string) string {
	t.Helper()
	var b bytes.Buffer
	c := protocol.NewChannel(nil, &b, nil)
	for _, text := range texts {
		if err := c.Send([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// serve feeds a whole session and returns the frames that were answered.
func serve(t testing.TB, in string, h agent.Handlers) ([]string, error) {
	t.Helper()
	var out bytes.Buffer
	err := agent.Serve(context.Background(), strings.NewReader(in), &out, nonce, h)
	rest, ok := strings.CutPrefix(out.String(), ready)
	if !ok {
		t.Fatalf("the session opened with %q", out.String())
	}
	var answers []string
	c := protocol.NewChannel(strings.NewReader(rest), nil, nil)
	for {
		frame, rerr := c.Recv()
		if rerr != nil {
			if rerr != io.EOF {
				t.Fatal(rerr)
			}
			return answers, err
		}
		answers = append(answers, string(frame))
	}
}

func TestServeEndsWithItsInput(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"in order", "", ""},
		{"inside a frame", "\x00\x00\x00\x09{}", "session: the stream is not in order: it ended after 2 of the 9 bytes of a frame"},
		{"with a batch", frames(t, `[{"jsonrpc":"2.0","id":1,"method":"hello"}]`),
			"session: the stream is not in order: a frame holds no request: json: cannot unmarshal array into Go value of type map[string]json.RawMessage"},
		{"with a notification", frames(t, `{"jsonrpc":"2.0","method":"observe"}`), "session: the stream is not in order: a frame holds no request with a number and a method"},
		{"with an answer", frames(t, `{"jsonrpc":"2.0","id":1,"result":{}}`), "session: the stream is not in order: a frame holds no request with a number and a method"},
		{"with more than a request", frames(t, `{"jsonrpc":"2.0","id":1,"method":"observe","sudo":true}`), "session: the stream is not in order: a request has a field that requests do not have"},
		{"with a huge frame", "\xff\xff\xff\xff", "session: the stream is not in order: a frame of 4294967295 bytes was announced (1 to 16777216 are allowed)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := serve(t, test.in, observing())
			if (err == nil) != (test.want == "") || err != nil && err.Error() != test.want {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func TestServeWaitsForAChangeUnderWay(t *testing.T) {
	in, peer := io.Pipe()
	finished := false
	h := agent.Handlers{Methods: []agent.Handler{agent.Handle(protocol.Repair, func(ctx context.Context, r protocol.RepairRequest, progress func(string)) (protocol.RepairResult, error) {
		peer.Close() // the connection is lost
		time.Sleep(50 * time.Millisecond)
		progress("nobody hears this")
		finished = ctx.Err() == nil
		return protocol.RepairResult{}, nil
	})}}
	go io.WriteString(peer, frames(t, `{"jsonrpc":"2.0","id":1,"method":"certificates.repair","params":{"step":"s","intent":"i"}}`))
	if err := agent.Serve(context.Background(), in, io.Discard, nonce, h); err != nil {
		t.Fatal(err)
	}
	if !finished {
		t.Error("the change was cut off")
	}
}

// A request that changes something must come soon after the session began, by whichever clock; one that only reads need not.
func TestLateChangesAreRefused(t *testing.T) {
	for _, test := range []struct {
		late time.Duration
		want string
	}{{29 * time.Second, ""}, {31 * time.Second, "certificates.repair came 31s after its session began, and must come within 30s"}} {
		up, repaired := time.Hour, false
		h := observing()
		h.Uptime = func() time.Duration { now := up; up += test.late; return now }
		h.Methods = append(h.Methods, agent.Handle(protocol.Repair, func(context.Context, protocol.RepairRequest, func(string)) (protocol.RepairResult, error) {
			repaired = true
			return protocol.RepairResult{}, nil
		}))
		answer := ask(t, h, `{"jsonrpc":"2.0","id":1,"method":"certificates.repair","params":{"step":"s","intent":"i"}}`)
		if !strings.Contains(answer, test.want) || repaired != (test.want == "") {
			t.Errorf("after %s: repaired %t, %s", test.late, repaired, answer)
		}
		if answer := ask(t, h, `{"jsonrpc":"2.0","id":1,"method":"observe"}`); strings.Contains(answer, "error") {
			t.Errorf("after %s: observed %s", test.late, answer)
		}
	}
}

// The context of a changing request lasts for as long as its run asks for and its row allows, and a unit's start and end.
func TestAChangeHasTheTimeOfItsStep(t *testing.T) {
	for _, test := range []struct {
		params string
		want   time.Duration
	}{
		{`{"step":"s"}`, 15 * time.Minute},
		{`{"run":{"limit":90},"step":"s"}`, 90 * time.Second},
		{`{"run":{"limit":7200},"step":"s"}`, time.Hour},
	} {
		var left time.Duration
		h := agent.Handlers{Methods: []agent.Handler{agent.Handle(protocol.Repair, func(ctx context.Context, _ protocol.RepairRequest, _ func(string)) (protocol.RepairResult, error) {
			end, ok := ctx.Deadline()
			if !ok {
				return protocol.RepairResult{}, errors.New("it has no end")
			}
			left = time.Until(end)
			return protocol.RepairResult{}, nil
		})}}
		answer := ask(t, h, `{"jsonrpc":"2.0","id":1,"method":"certificates.repair","params":`+test.params+`}`)
		if want := test.want + 3*time.Minute; strings.Contains(answer, "error") || left > want || left < want-time.Minute {
			t.Errorf("%s: %s left, want %s: %s", test.params, left, want, answer)
		}
	}
}

// So does that of a request that is answered in the session.
func TestAnObservationHasTheTimeOfItsRow(t *testing.T) {
	var left time.Duration
	h := agent.Handlers{Methods: []agent.Handler{agent.Answer(protocol.Observe, func(ctx context.Context, _ protocol.ObserveRequest) (facts.Node, error) {
		if end, ok := ctx.Deadline(); ok {
			left = time.Until(end)
		}
		return facts.Node{}, nil
	})}}
	if answer := ask(t, h, `{"jsonrpc":"2.0","id":1,"method":"observe"}`); strings.Contains(answer, "error") || left <= 0 || left > 30*time.Second {
		t.Errorf("%s left: %s", left, answer)
	}
}

// A handler for what the table of methods does not have is a mistake, and a session with it does not begin.
func TestAMethodThatTheTableHasNot(t *testing.T) {
	var out bytes.Buffer
	h := agent.Handlers{Methods: []agent.Handler{{Method: "format.disk"}}}
	err := agent.Serve(context.Background(), strings.NewReader(""), &out, nonce, h)
	if err == nil || err.Error() != `the table of methods has no "format.disk"` || out.Len() > 0 {
		t.Errorf("error %v, output %q", err, out.String())
	}
}

// ask sends one request and returns the answer.
func ask(t *testing.T, h agent.Handlers, request string) string {
	t.Helper()
	in, peer := io.Pipe()
	answers, out := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- agent.Serve(context.Background(), in, out, nonce, h) }()
	go io.WriteString(peer, frames(t, request))
	if _, err := io.ReadFull(answers, make([]byte, len(ready))); err != nil {
		t.Fatal(err)
	}
	answer, err := protocol.NewChannel(answers, nil, nil).Recv()
	if err != nil {
		t.Fatal(err)
	}
	peer.Close()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

func TestServeEndsWithItsContext(t *testing.T) {
	in, peer := io.Pipe()
	defer peer.Close()
	ctx, cancel := context.WithCancelCause(context.Background())
	stop := errors.New("told to stop")
	cancel(stop)
	if err := agent.Serve(ctx, in, io.Discard, nonce, observing()); !errors.Is(err, stop) {
		t.Errorf("error %v, want %v", err, stop)
	}
}

func TestABadNonceOpensNothing(t *testing.T) {
	var out bytes.Buffer
	if err := agent.Serve(context.Background(), strings.NewReader(""), &out, "x; rm", observing()); err == nil || out.Len() > 0 {
		t.Errorf("error %v, output %q", err, out.String())
	}
	if err := agent.ServeTunnel(context.Background(), strings.NewReader(""), &out, "", "etcd", agent.Handlers{}); err == nil || out.Len() > 0 {
		t.Errorf("error %v, output %q", err, out.String())
	}
}

func TestATunnelThatCannotOpenSaysWhy(t *testing.T) {
	for _, test := range []struct {
		name string
		h    agent.Handlers
		want string
	}{
		{"no tunnels", agent.Handlers{}, "tunnel to etcd: this helper offers no tunnels"},
		{"nobody listens", agent.Handlers{Tunnel: func(context.Context, string) (net.Conn, error) { return nil, errors.New("refused") }}, "tunnel to etcd: refused"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			err := agent.ServeTunnel(context.Background(), strings.NewReader(""), &out, nonce, "etcd", test.h)
			if err == nil || err.Error() != test.want {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if want := "\nupkeep-session " + nonce + " fail " + test.want + "\n"; out.String() != want {
				t.Errorf("output %q, want %q", out.String(), want)
			}
		})
	}
}

// A service that still answers after the input ended is heard to its end.
func TestATunnelIsHeardToItsEnd(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		question, _ := io.ReadAll(conn)
		_, _ = conn.Write(bytes.ToUpper(question))
	}()
	h := agent.Handlers{Tunnel: func(ctx context.Context, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", listener.Addr().String())
	}}
	var out bytes.Buffer
	if err := agent.ServeTunnel(context.Background(), strings.NewReader("hello"), &out, nonce, "etcd", h); err != nil {
		t.Fatal(err)
	}
	if want := ready + "HELLO"; out.String() != want {
		t.Errorf("output %q, want %q", out.String(), want)
	}
}

// Whatever arrives, the session ends without a panic and answers in frames.
func FuzzServe(f *testing.F) {
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"observe","params":{"question":{}}}`,
		`[{"jsonrpc":"2.0","id":1,"method":"hello"},{"jsonrpc":"2.0","id":1,"method":"hello"}]`,
		`[]`, `{}`, `null`, `1`, `{"jsonrpc":"2.0","method":"observe"}`, `{"jsonrpc":"2.0","id":{},"method":7}`,
		`{"jsonrpc":"2.0","id":1,"result":{}}`, `{"jsonrpc":"2.0","id":1,"method":"rpc.serverInfo"}`, `{"jsonrpc":"2.0","id":1,"method":"observe","params":[[]]}`,
	} {
		f.Add(frames(f, seed))
		f.Add(frames(f, seed, seed) + "\x00")
	}
	f.Fuzz(func(t *testing.T, in string) {
		_, err := serve(t, in, observing())
		if err != nil && !errors.Is(err, protocol.ErrFrame) {
			t.Fatalf("error %v", err)
		}
	})
}
