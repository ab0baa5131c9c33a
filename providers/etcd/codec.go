package etcd

import (
	"fmt"
	"sync"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

// codec is gRPC's for protobuf, with buffers of its own for what arrives. A part of a snapshot is a little longer than
// 32 KiB, and gRPC's own pool has no buffer between that and 1 MiB, which it zeroes for each part (grpc v1.83,
// encoding/proto).
type codec struct {
	encoding.CodecV2
	buffers *buffers
}

func newCodec() codec { return codec{encoding.GetCodecV2("proto"), &buffers{}} }

// Unmarshal reads a message.
func (c codec) Unmarshal(data mem.BufferSlice, into any) error {
	message, ok := into.(proto.Message)
	if !ok {
		return fmt.Errorf("%T is no message of protobuf", into)
	}
	text := data.MaterializeToBuffer(c.buffers)
	defer text.Free()
	return proto.Unmarshal(text.ReadOnlyData(), message)
}

// bufferSize holds a part's message.
const bufferSize = 34 << 10

// buffers is a pool of buffers that are not zeroed.
type buffers struct{ pool sync.Pool }

// Get returns a buffer of this length.
func (b *buffers) Get(length int) *[]byte {
	if length <= bufferSize {
		if kept, ok := b.pool.Get().(*[]byte); ok {
			*kept = (*kept)[:length]
			return kept
		}
	}
	made := make([]byte, length, max(length, bufferSize))
	return &made
}

// Put takes a buffer back.
func (b *buffers) Put(buffer *[]byte) {
	if cap(*buffer) == bufferSize {
		b.pool.Put(buffer)
	}
}
