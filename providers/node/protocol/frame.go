package protocol

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// FrameLimit is the most bytes one frame may carry. A node's facts are some hundred kilobytes; a peer that announces
// more than this is broken or hostile.
const FrameLimit = 16 << 20

// frameHeader is a length: four bytes, big-endian.
const frameHeader = 4

// ErrFrame is wrapped by every error about framing: a length that is out of bounds, or a frame that broke off.
var ErrFrame = errors.New("the stream is not in order")

// Channel carries frames over a pipe. It is a channel.Channel of creachadair/jrpc2: one goroutine may send while another
// receives. A frame is its length in four bytes, big-endian, and then that many bytes; an empty frame does not exist.
type Channel struct {
	r     io.Reader
	w     io.Writer
	close func() error

	once     sync.Once
	closeErr error
}

// NewChannel returns a channel over a reader and a writer. The close function is called once, by Close; it must make a
// blocked Recv return. It may be nil.
func NewChannel(r io.Reader, w io.Writer, close func() error) *Channel {
	return &Channel{r: r, w: w, close: close}
}

// Send writes one frame.
func (c *Channel) Send(payload []byte) error {
	if len(payload) == 0 || len(payload) > FrameLimit {
		return fmt.Errorf("%w: cannot send a frame of %d bytes (1 to %d are allowed)", ErrFrame, len(payload), FrameLimit)
	}
	frame := make([]byte, frameHeader, frameHeader+len(payload))
	binary.BigEndian.PutUint32(frame, uint32(len(payload)))
	_, err := c.w.Write(append(frame, payload...))
	return err
}

// Recv reads one frame. It returns io.EOF when the stream ended between frames, and an error that wraps ErrFrame when
// the peer lied about a length or broke off inside a frame. The memory it uses grows with the bytes that arrive, not
// with the length that was announced.
func (c *Channel) Recv() ([]byte, error) {
	var header [frameHeader]byte
	switch n, err := io.ReadFull(c.r, header[:]); {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("%w: it ended after %d bytes of a frame's length", ErrFrame, n)
	case err != nil:
		return nil, err
	}
	length := binary.BigEndian.Uint32(header[:])
	if length == 0 || length > FrameLimit {
		return nil, fmt.Errorf("%w: a frame of %d bytes was announced (1 to %d are allowed)", ErrFrame, length, FrameLimit)
	}
	var payload bytes.Buffer
	switch n, err := io.CopyN(&payload, c.r, int64(length)); {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%w: it ended after %d of the %d bytes of a frame", ErrFrame, n, length)
	case err != nil:
		return nil, err
	}
	return payload.Bytes(), nil
}

// Close calls the close function that NewChannel was given.
func (c *Channel) Close() error {
	c.once.Do(func() {
		if c.close != nil {
			c.closeErr = c.close()
		}
	})
	return c.closeErr
}
