// Package bundles keeps backup bundles in a directory of the node: it lists, stores, reads and removes them, in one raw
// session for each (protocol.ServiceBundles).
//
// It knows no format: content arrives encrypted and is bytes. It touches nothing but regular files whose names are those
// of bundles, in a directory that is root's alone (0700, and no directory above it writable by others), and follows no
// link. A file appears under its name when it is complete and durable, and never replaces another.
package bundles

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"syscall"

	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/fence"
	"upkeep/providers/node/protocol"
	"upkeep/providers/strictjson"
)

// Service is the name by which the session is asked for.
const Service = protocol.ServiceBundles

// Dial begins a session that is served here, and closes the disk after it. Closing the connection waits until what was
// begun is finished or undone.
func Dial(d *disk.Disk, f *fence.Fence) net.Conn {
	near, far := net.Pipe()
	s := &session{Conn: near, ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		defer d.Close()
		defer far.Close()
		Serve(far, d, f)
	}()
	return s
}

type session struct {
	net.Conn
	ended chan struct{}
}

func (s *session) Close() error {
	err := s.Conn.Close()
	<-s.ended
	return err
}

// Serve serves one session; it returns when the peer has closed it. What goes wrong is in the answer.
func Serve(conn io.ReadWriter, d *disk.Disk, f *fence.Fence) {
	c := protocol.NewChannel(conn, conn, nil)
	frame, err := c.Recv()
	if err != nil {
		return
	}
	answer, err := perform(c, frame, d, f)
	if errors.Is(err, errGone) {
		return
	}
	if err != nil {
		answer = protocol.BundlesAnswer{Error: err.Error(), Kind: kind(err)}
	}
	// Nobody to tell is no error: what was done is done.
	_ = protocol.SendBundlesAnswer(c, answer)
	// An upload that failed is read on until upkeep has heard of it, or both sides would wait for each other.
	for {
		if _, err := c.Recv(); err != nil {
			return
		}
	}
}

var (
	// errRefused is wrapped by refusals of what was asked.
	errRefused = errors.New("refused")
	// errGone: the peer went away.
	errGone = errors.New("the connection was lost")
)

func perform(c *protocol.Channel, frame []byte, d *disk.Disk, f *fence.Fence) (protocol.BundlesAnswer, error) {
	var q protocol.BundlesRequest
	if err := strictjson.DecodeKnown(frame, &q); err != nil {
		return protocol.BundlesAnswer{}, fmt.Errorf("%w: the request is not understood: %v", errRefused, err)
	}
	switch q.Operation {
	case protocol.BundlesList:
		return list(d, q)
	case protocol.BundlesGet:
		return get(c, d, q)
	case protocol.BundlesPut, protocol.BundlesRemove:
		if err := f.Admit(q.Run); err != nil {
			return protocol.BundlesAnswer{}, err
		}
		if q.Operation == protocol.BundlesPut {
			return put(c, d, q)
		}
		return remove(d, q)
	default:
		return protocol.BundlesAnswer{}, fmt.Errorf("%w: this helper knows no operation %.40q on bundles", errRefused, q.Operation)
	}
}

func kind(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return protocol.BundlesFull
	case errors.Is(err, fs.ErrExist):
		return protocol.BundlesTaken
	case errors.Is(err, errRefused), errors.Is(err, fence.ErrRefused), errors.Is(err, disk.ErrLink), errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return protocol.BundlesRefused
	case errors.Is(err, fs.ErrNotExist):
		return protocol.BundlesMissing
	default:
		return ""
	}
}
