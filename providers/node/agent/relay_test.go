package agent

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
)

// What a relay reads it writes, in order and to the end, however it comes; and it says why it ended.
func TestRelay(t *testing.T) {
	data := make([]byte, 3*relaySize+7)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data)
	broken := errors.New("the connection broke")
	for name, test := range map[string]struct {
		in   io.Reader
		want []byte
		err  error
	}{
		"at once":       {bytes.NewReader(data), data, nil},
		"byte by byte":  {iotest.OneByteReader(bytes.NewReader(data[:relaySize+1])), data[:relaySize+1], nil},
		"with its end":  {iotest.DataErrReader(bytes.NewReader(data)), data, nil},
		"nothing":       {bytes.NewReader(nil), nil, nil},
		"it breaks off": {io.MultiReader(bytes.NewReader(data), iotest.ErrReader(broken)), data, broken},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := relay(&out, test.in); !errors.Is(err, test.err) || !bytes.Equal(out.Bytes(), test.want) {
				t.Errorf("%d bytes of %d, %v", out.Len(), len(test.want), err)
			}
		})
	}
}

// full is a writer that takes nothing.
type full struct{ err error }

func (f full) Write([]byte) (int, error) { return 0, f.err }

// A relay whose writer is gone ends, and stops reading.
func TestRelayWithoutAWriter(t *testing.T) {
	gone := errors.New("gone")
	in, more := io.Pipe()
	stopped := make(chan error)
	go func() {
		var err error
		for err == nil {
			_, err = more.Write(make([]byte, recordSize))
		}
		stopped <- err
	}()
	if err := relay(full{gone}, in); !errors.Is(err, gone) {
		t.Error(err)
	}
	in.Close() // as ServeTunnel closes its connection
	if err := <-stopped; !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}
