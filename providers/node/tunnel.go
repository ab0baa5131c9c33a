package node

import (
	"net"
	"time"
)

// closeGrace is how long the other end of a closed tunnel may take to end by itself.
const closeGrace = 250 * time.Millisecond

// tunnel is a session that carries raw bytes.
type tunnel struct {
	p             *process
	leave         func()
	local, remote address
}

func (t *tunnel) Read(b []byte) (int, error)  { return t.p.reader.Read(b) }
func (t *tunnel) Write(b []byte) (int, error) { return t.p.in.Write(b) }

// CloseWrite tells the service that nothing more comes; what it still answers can be read.
func (t *tunnel) CloseWrite() error { return t.p.in.Close() }

// Close ends the session. What was written just before is given a moment to arrive.
func (t *tunnel) Close() error {
	t.p.out.Close()
	t.p.in.Close()
	if !t.p.wait(closeGrace) {
		t.p.kill()
	}
	t.p.end()
	t.leave()
	return nil
}

func (t *tunnel) LocalAddr() net.Addr  { return t.local }
func (t *tunnel) RemoteAddr() net.Addr { return t.remote }

func (t *tunnel) SetDeadline(d time.Time) error {
	if err := t.SetReadDeadline(d); err != nil {
		return err
	}
	return t.SetWriteDeadline(d)
}
func (t *tunnel) SetReadDeadline(d time.Time) error  { return t.p.out.SetReadDeadline(d) }
func (t *tunnel) SetWriteDeadline(d time.Time) error { return t.p.in.SetWriteDeadline(d) }

// address names an end of a tunnel.
type address string

func (a address) Network() string { return "upkeep" }
func (a address) String() string  { return string(a) }
