package etcdtunnel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	"upkeep/providers/node/agent/disk"
)

// readLife is how long a certificate is valid that is minted for one read.
const readLife = 10 * time.Minute

// Value is one key of etcd.
type Value struct {
	Data     []byte
	Revision int64 // of its last change
}

// Read asks the node's own member for one key, without a round through raft: a member whose peers do not talk to it
// has no quorum, and its own word is then all there is. The client certificate is minted in memory for this one
// request, under etcd's own authority, and nobody else ever has it; only where that authority's key is elsewhere, one
// on the disk is used.
func Read(ctx context.Context, d *disk.Disk, now time.Time, key string) (Value, error) {
	at, err := find(d)
	if err != nil {
		return Value{}, err
	}
	client, err := at.mint(d, now, readLife)
	if err != nil {
		if client, err = at.client(d, now); err != nil {
			return Value{}, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := at.dialWith(ctx, d, client)
	if err != nil {
		return Value{}, err
	}
	defer conn.Close()
	return ask(ctx, conn, key)
}

// rangeMethod reads keys (etcd v3.6, api/etcdserverpb/rpc.proto). The messages are made and read by hand: this program
// links no etcd.
const rangeMethod = "/etcdserverpb.KV/Range"

// valueLimit bounds an answer; etcd itself takes values of 1.5 MiB.
const valueLimit = 4 << 20

func ask(ctx context.Context, conn net.Conn, key string) (Value, error) {
	once := make(chan net.Conn, 1)
	once <- conn
	client, err := grpc.NewClient("passthrough:///etcd", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(raw{}), grpc.MaxCallRecvMsgSize(valueLimit)),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			select {
			case c := <-once:
				return c, nil
			default:
				return nil, errors.New("the connection broke")
			}
		}))
	if err != nil {
		return Value{}, err
	}
	defer client.Close()
	question := message(rangeRequest(key))
	var answer message
	if err := client.Invoke(ctx, rangeMethod, &question, &answer); err != nil {
		return Value{}, fmt.Errorf("reading %s: %w", key, err)
	}
	value, err := readRange(answer, key)
	if err != nil {
		return Value{}, fmt.Errorf("reading %s: %w", key, err)
	}
	return value, nil
}

// rangeRequest is etcdserverpb.RangeRequest: key = 1, serializable = 7.
func rangeRequest(key string) []byte {
	b := protowire.AppendTag(nil, 1, protowire.BytesType)
	b = protowire.AppendString(b, key)
	b = protowire.AppendTag(b, 7, protowire.VarintType)
	return protowire.AppendVarint(b, 1)
}

// readRange reads etcdserverpb.RangeResponse: kvs = 2, each a mvccpb.KeyValue with key = 1, mod_revision = 3, value =
// 5.
func readRange(b []byte, key string) (Value, error) {
	for len(b) > 0 {
		field, content, rest, err := next(b)
		if err != nil {
			return Value{}, err
		}
		if b = rest; field != 2 {
			continue
		}
		var v Value
		found := ""
		for kv := content.bytes; len(kv) > 0; {
			field, content, rest, err := next(kv)
			if err != nil {
				return Value{}, err
			}
			switch kv = rest; field {
			case 1:
				found = string(content.bytes)
			case 3:
				v.Revision = int64(content.number)
			case 5:
				v.Data = append([]byte(nil), content.bytes...)
			}
		}
		if found == key {
			return v, nil
		}
	}
	return Value{}, errors.New("no such key")
}

type content struct {
	bytes  []byte
	number uint64
}

// next reads one field of a message.
func next(b []byte) (protowire.Number, content, []byte, error) {
	field, kind, n := protowire.ConsumeTag(b)
	if n < 0 {
		return 0, content{}, nil, errors.New("the answer is no message of etcd")
	}
	b = b[n:]
	var c content
	switch kind {
	case protowire.BytesType:
		c.bytes, n = protowire.ConsumeBytes(b)
	case protowire.VarintType:
		c.number, n = protowire.ConsumeVarint(b)
	default:
		n = protowire.ConsumeFieldValue(field, kind, b)
	}
	if n < 0 {
		return 0, content{}, nil, errors.New("the answer is no message of etcd")
	}
	return field, c, b[n:], nil
}

// message is the bytes of a message, and raw the codec that leaves them alone.
type message []byte

type raw struct{}

var _ encoding.CodecV2 = raw{}

// Marshal implements encoding.CodecV2.
func (raw) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*message))}, nil
}

// Unmarshal implements encoding.CodecV2.
func (raw) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*message) = data.Materialize()
	return nil
}

// Name implements encoding.CodecV2.
func (raw) Name() string { return "proto" }
