package backup_test

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"upkeep/providers/etcd"
)

// slow holds the connection that carries a snapshot in the middle, until it is let go.
type slow struct {
	dial    etcd.Dialer
	held    chan struct{} // closed when the snapshot is held
	release chan struct{}

	mu       sync.Mutex
	opened   int
	snapshot int   // the number of the connection that carries the snapshot, once it is held
	closed   []int // the numbers of those that were closed
	changed  *sync.Cond
}

// slowAfter is more than anything but a snapshot sends.
const slowAfter = 256 << 10

func slowly(dial etcd.Dialer) *slow {
	s := &slow{dial: dial, held: make(chan struct{}), release: make(chan struct{})}
	s.changed = sync.NewCond(&s.mu)
	return s
}

func (s *slow) open(ctx context.Context, node string) (net.Conn, error) {
	c, err := s.dial(ctx, node)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened++
	return &slowConn{Conn: c, slow: s, number: s.opened}, nil
}

// asked waits until a connection that was opened after the snapshot's has done its work, and reports whether one has.
func (s *slow) asked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	late := false
	timer := time.AfterFunc(5*time.Minute, func() { s.mu.Lock(); late = true; s.mu.Unlock(); s.changed.Broadcast() })
	defer timer.Stop()
	for !late && !slices.ContainsFunc(s.closed, func(n int) bool { return n > s.snapshot }) {
		s.changed.Wait()
	}
	return !late
}

type slowConn struct {
	net.Conn
	slow   *slow
	number int
	read   int
}

func (c *slowConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	before := c.read
	c.read += n
	if before <= slowAfter && c.read > slowAfter {
		c.slow.mu.Lock()
		c.slow.snapshot = c.number
		c.slow.mu.Unlock()
		close(c.slow.held)
		<-c.slow.release
	}
	return n, err
}

func (c *slowConn) Close() error {
	c.slow.mu.Lock()
	c.slow.closed = append(c.slow.closed, c.number)
	c.slow.mu.Unlock()
	c.slow.changed.Broadcast()
	return c.Conn.Close()
}

// An API server compacts etcd every five minutes, and a snapshot may take longer: members are asked for their hashes while it
// streams, at a revision that they still keep.
func TestTakeWhileEtcdCompacts(t *testing.T) {
	for _, level := range []string{"hash", "restore"} {
		t.Run(level, func(t *testing.T) {
			s := newSite(t, level)
			for range 8 {
				s.put("/registry/configmaps/default/large", strings.Repeat("x", 256<<10))
			}
			step := s.due()[0]
			stream := slowly(s.dial)
			s.dial = stream.open
			ended := make(chan error, 1)
			go func() { ended <- s.run(step) }()
			select {
			case <-stream.held:
			case err := <-ended:
				t.Fatalf("the snapshot was not held: %v", err)
			}
			if !stream.asked() {
				t.Error("no member was asked while the snapshot streamed")
			}
			s.put("/registry/configmaps/default/c1", "after the snapshot")
			s.compact()
			close(stream.release)
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			proof := s.proofs()[0]
			if proof.Revision != 110 || proof.Keys != 102 {
				t.Errorf("proof %+v, want revision 110 and 102 keys", proof)
			}
		})
	}
}
