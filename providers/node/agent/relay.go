package agent

import (
	"errors"
	"io"
	"sync"
)

const (
	// recordSize is what one read of a TLS connection brings at most (RFC 8446, 5.1).
	recordSize = 16 << 10
	// relaySize is how much is written at once, at most.
	relaySize = 256 << 10
)

// relay copies as io.Copy does, and reads on while it writes. A read of a TLS connection brings 16 KiB, and to pass on a large
// stream in pieces as small costs more than to decrypt it; so one write passes on all that came during the one before it.
func relay(out io.Writer, in io.Reader) error {
	r := &relayed{data: make([]byte, 0, relaySize)}
	r.changed.L = &r.mu
	go r.fill(in)
	writing := make([]byte, 0, relaySize)
	for {
		var err error
		if writing, err = r.take(writing); len(writing) == 0 {
			return err
		}
		if _, err := out.Write(writing); err != nil {
			r.end(err)
			return err
		}
	}
}

// relayed is what was read and is not written yet.
type relayed struct {
	mu      sync.Mutex
	changed sync.Cond
	data    []byte
	ended   error // why nothing more comes
}

// fill reads until the end.
func (r *relayed) fill(in io.Reader) {
	record := make([]byte, recordSize)
	for {
		n, err := in.Read(record)
		if !r.add(record[:n]) {
			return
		}
		if err != nil {
			r.end(err)
			return
		}
	}
}

// add waits for room; it reports false when nobody wants more.
func (r *relayed) add(record []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.ended == nil && len(r.data)+len(record) > relaySize {
		r.changed.Wait()
	}
	r.data = append(r.data, record...)
	r.changed.Signal()
	return r.ended == nil
}

// take waits for data and exchanges it for an empty buffer; at the end there is none, and the error is nil for io.EOF.
func (r *relayed) take(empty []byte) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.ended == nil && len(r.data) == 0 {
		r.changed.Wait()
	}
	data := r.data
	r.data = empty[:0]
	r.changed.Signal()
	if errors.Is(r.ended, io.EOF) {
		return data, nil
	}
	return data, r.ended
}

func (r *relayed) end(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = err
	r.changed.Signal()
}
