package node

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/creachadair/jrpc2"

	"upkeep/providers/facts"
	"upkeep/providers/node/protocol"
)

// Whatever a helper answers, a call ends, and without a panic.
func FuzzAnswer(f *testing.F) {
	frames := func(texts ...string) []byte {
		var b bytes.Buffer
		c := protocol.NewChannel(nil, &b, nil)
		for _, text := range texts {
			if err := c.Send([]byte(text)); err != nil {
				f.Fatal(err)
			}
		}
		return b.Bytes()
	}
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":1,"result":{"name":"cp1"}}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32098,"message":"no"}}`,
		`{"jsonrpc":"2.0","id":1,"result":{},"error":{}}`, `{"jsonrpc":"2.0","id":1}`, `[{"id":1},{"id":1}]`, `[]`, `{}`, `null`, `1`,
		`{"jsonrpc":"2.0","method":"progress","params":{"line":"x"}}`, `{"jsonrpc":"2.0","method":"other"}`,
		`{"jsonrpc":"2.0","id":1,"method":"callback","params":{}}`, `{"jsonrpc":"2.0","id":1,"error":null}`, `{"jsonrpc":"2.0","id":1,"result":null}`,
	} {
		f.Add(frames(seed))
		f.Add(frames(`{"jsonrpc":"2.0","method":"progress","params":{"line":"x"}}`, seed, seed))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		channel := &listening{Channel: protocol.NewChannel(bytes.NewReader(stream), io.Discard, nil), progress: func(string) {}, ended: make(chan struct{})}
		rpc := jrpc2.NewClient(channel, nil)
		var n facts.Node
		_ = rpc.CallResult(context.Background(), protocol.MethodObserve, nil, &n) // an error or an answer: both are an end
		_ = rpc.Close()
	})
}
