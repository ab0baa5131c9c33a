package etcdtunnel

import (
	"context"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
)

// rangeAnswer is what etcd answers: a header, a pair, a count.
func rangeAnswer(key, value string, revision uint64) []byte {
	kv := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), key)
	kv = protowire.AppendVarint(protowire.AppendTag(kv, 2, protowire.VarintType), 3)
	kv = protowire.AppendVarint(protowire.AppendTag(kv, 3, protowire.VarintType), revision)
	kv = protowire.AppendBytes(protowire.AppendTag(kv, 5, protowire.BytesType), []byte(value))
	b := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 9))
	b = protowire.AppendBytes(protowire.AppendTag(b, 2, protowire.BytesType), kv)
	return protowire.AppendVarint(protowire.AppendTag(b, 4, protowire.VarintType), 1)
}

// TestReadAsksOneKeyOfOneMember: what goes over the connection is a serializable range of exactly one key.
func TestReadAsksOneKeyOfOneMember(t *testing.T) {
	near, far := net.Pipe()
	var asked []byte
	server := grpc.NewServer(grpc.ForceServerCodecV2(raw{}), grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		if method, _ := grpc.MethodFromServerStream(stream); method != rangeMethod {
			t.Errorf("asked %s", method)
		}
		var question message
		if err := stream.RecvMsg(&question); err != nil {
			return err
		}
		asked = question
		answer := message(rangeAnswer("/registry/x", "value", 41))
		return stream.SendMsg(&answer)
	}))
	go func() { _ = server.Serve(&one{connection: far, done: make(chan struct{})}) }()
	defer server.Stop()
	got, err := ask(context.Background(), near, "/registry/x")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(Value{Data: []byte("value"), Revision: 41}, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]byte("\x0a\x0b/registry/x\x38\x01"), asked); d != "" {
		t.Errorf("the question: %s", d)
	}
}

// one is a listener that accepts one connection.
type one struct {
	connection net.Conn
	done       chan struct{}
}

func (l *one) Accept() (net.Conn, error) {
	if c := l.connection; c != nil {
		l.connection = nil
		return c, nil
	}
	<-l.done
	return nil, net.ErrClosed
}

func (l *one) Close() error {
	select {
	case <-l.done:
	default:
		close(l.done)
	}
	return nil
}

func (l *one) Addr() net.Addr { return &net.UnixAddr{} }

func TestReadRangeRefuses(t *testing.T) {
	for name, answer := range map[string][]byte{
		"nothing":          nil,
		"another key":      rangeAnswer("/registry/secret", "value", 1),
		"a cut message":    rangeAnswer("/registry/x", "value", 1)[:20],
		"no protobuf":      []byte("HTTP/1.1 200 OK"),
		"a length of 2^60": {0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f},
	} {
		if got, err := readRange(answer, "/registry/x"); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func FuzzReadRange(f *testing.F) {
	f.Add(rangeAnswer("/registry/x", "value", 41))
	f.Add([]byte{0x12, 0x00})
	f.Fuzz(func(t *testing.T, answer []byte) {
		v, err := readRange(answer, "/registry/x")
		if err == nil && len(v.Data) > len(answer) {
			t.Errorf("%d bytes out of %d", len(v.Data), len(answer))
		}
	})
}
