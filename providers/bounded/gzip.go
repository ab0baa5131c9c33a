package bounded

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// ErrFollows is the error of compressed data behind which something stands: a second stream, or anything else.
var ErrFollows = errors.New("something follows the compressed data")

// Gzip reads data that one gzip stream holds, all of it (RFC 1952). Readers differ in whether they go on with a second
// stream and in what they make of bytes that are none, so both are refused, and so is more than limit bytes of content:
// one byte of a deflate stream stands for up to 1,032.
type Gzip struct {
	rest  *bytes.Reader // of which gzip reads no byte too many
	in    *gzip.Reader
	left  int64
	limit int64
}

// NewGzip begins to read data.
func NewGzip(data []byte, limit int64) (*Gzip, error) {
	rest := bytes.NewReader(data)
	in, err := gzip.NewReader(rest)
	if err != nil {
		return nil, err
	}
	in.Multistream(false)
	return &Gzip{rest: rest, in: in, left: limit, limit: limit}, nil
}

// Read returns io.EOF only where the stream and the data end together.
func (g *Gzip) Read(p []byte) (int, error) {
	n, err := g.in.Read(p)
	if g.left -= int64(n); g.left < 0 {
		return 0, fmt.Errorf("%w: unpacked, it has more than %d bytes", ErrTooLarge, g.limit)
	}
	if errors.Is(err, io.EOF) && g.rest.Len() > 0 {
		return n, ErrFollows
	}
	return n, err
}

// Gunzip returns what one gzip stream of at most limit bytes holds.
func Gunzip(data []byte, limit int64) ([]byte, error) {
	in, err := NewGzip(data, limit)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(in)
}

// ErrAfterEnd is the error of an archive behind whose end something stands.
var ErrAfterEnd = errors.New("something follows the end of the archive")

// Ended reads what follows the end of a tar archive: zeros, as programs fill up the last record (pax, "tar Interchange
// Format"), and nothing else. archive/tar reads no further than the end itself.
func Ended(r io.Reader) error {
	block := make([]byte, 32<<10)
	for {
		n, err := r.Read(block)
		if len(bytes.Trim(block[:n], "\x00")) > 0 {
			return ErrAfterEnd
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}
