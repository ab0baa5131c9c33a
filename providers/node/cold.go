package node

import (
	"context"
	"io"
	"net"
	"time"

	"upkeep/providers/node/protocol"
)

// coldStall is how long a node may send nothing of a copy: it reads from a disk and does nothing else.
const coldStall = time.Minute

// Cold streams the data directory of a node's member of etcd, which must not run: a tar archive whose last entry is a
// protocol.ColdReport. The caller closes it. Errors are of type *Error.
func (c *Client) Cold(ctx context.Context, t Target) (io.ReadCloser, error) {
	conn, err := c.Tunnel(ctx, t, protocol.ServiceCold)
	if err != nil {
		return nil, err
	}
	if err := introduce(ctx, conn, []byte("\n")); err != nil {
		conn.Close()
		return nil, asError(t, err)
	}
	return &coldStream{conn, context.AfterFunc(ctx, func() { conn.Close() })}, nil
}

// coldStream is such an archive on its way.
type coldStream struct {
	conn net.Conn
	stop func() bool
}

func (s *coldStream) Read(b []byte) (int, error) {
	if err := s.conn.SetReadDeadline(time.Now().Add(coldStall)); err != nil {
		return 0, err
	}
	return s.conn.Read(b)
}

func (s *coldStream) Close() error {
	s.stop()
	return s.conn.Close()
}
