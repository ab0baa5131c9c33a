package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"path"
	"time"

	"upkeep/providers/node/protocol"
)

// NodeOptions say which directory of which node.
type NodeOptions struct {
	// Node is the node's name, for messages.
	Node string
	// Directory is a clean absolute path. The helper makes its last component, and wants it to be root's alone.
	Directory string
	// Dial opens a session of the service protocol.ServiceBundles on the node.
	Dial func(context.Context) (net.Conn, error)
	// Run is the run that what is stored and removed belongs to; the zero Run is none.
	Run protocol.Run
	// Patience bounds the time for which the node may be silent; 60 s.
	Patience time.Duration
}

// sealing is how long a node may take to make what it has written durable.
const sealing = 10 * time.Minute

type node struct{ o NodeOptions }

// Node returns the store in a directory of a node. It does not connect yet.
func Node(o NodeOptions) (Store, error) {
	if !path.IsAbs(o.Directory) || path.Clean(o.Directory) != o.Directory || o.Directory == "/" {
		return nil, fmt.Errorf("the store's directory %q is not a clean absolute path", o.Directory)
	}
	if o.Patience <= 0 {
		o.Patience = time.Minute
	}
	return &node{o}, nil
}

func (n *node) String() string { return n.o.Node + ":" + n.o.Directory }

// session is one request and what answers it.
type session struct {
	*protocol.Channel
	conn     net.Conn
	patience time.Duration
	ctx      context.Context
	stop     func() bool
	n        *node
}

// begin opens a session and sends a request.
func (n *node) begin(ctx context.Context, operation, name string) (*session, error) {
	conn, err := n.o.Dial(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("store %s: %w: %w", n, ErrUnreachable, err)
	}
	s := &session{Channel: protocol.NewChannel(conn, conn, nil), conn: conn, patience: n.o.Patience, ctx: ctx, n: n}
	s.stop = context.AfterFunc(ctx, func() { conn.Close() })
	request := protocol.BundlesRequest{Operation: operation, Directory: n.o.Directory, Name: name}
	if operation == protocol.BundlesPut || operation == protocol.BundlesRemove {
		request.Run = n.o.Run
	}
	text, err := json.Marshal(request)
	if err == nil {
		s.wait(s.patience)
		err = s.Send(text)
	}
	if err != nil {
		s.end()
		return nil, s.lost(err)
	}
	return s, nil
}

func (s *session) end() {
	s.stop()
	s.conn.Close()
}

// wait bounds what is read and written next.
func (s *session) wait(d time.Duration) { _ = s.conn.SetDeadline(time.Now().Add(d)) }

// lost explains an error of the connection.
func (s *session) lost(err error) error {
	if s.ctx.Err() != nil {
		return context.Cause(s.ctx)
	}
	return fmt.Errorf("store %s: %w: the connection broke off: %w", s.n, ErrUnreachable, err)
}

// answer receives the answer.
func (s *session) answer(d time.Duration) (protocol.BundlesAnswer, error) {
	s.wait(d)
	_, a, err := protocol.RecvBundles(s.Channel)
	if err == nil && a == nil {
		err = fmt.Errorf("%w: content stands where an answer should", protocol.ErrFrame)
	}
	if err != nil {
		return protocol.BundlesAnswer{}, s.lost(err)
	}
	return *a, s.n.explain(*a)
}

// explain turns an answer with an error into one.
func (n *node) explain(a protocol.BundlesAnswer) error {
	if a.Error == "" {
		return nil
	}
	kind := map[string]error{protocol.BundlesMissing: ErrNotExist, protocol.BundlesTaken: ErrExists, protocol.BundlesFull: ErrFull, protocol.BundlesRefused: ErrRefused}[a.Kind]
	text := plainText(a.Error)
	if kind == nil {
		return fmt.Errorf("store %s: %s", n, text)
	}
	return &answered{text: fmt.Sprintf("store %s: %v: %s", n, kind, text), kind: kind}
}

// answered is what the node said, under a name that callers know.
type answered struct {
	text string
	kind error
}

func (e *answered) Error() string { return e.text }
func (e *answered) Unwrap() error { return e.kind }

func (n *node) List(ctx context.Context) ([]Object, error) {
	s, err := n.begin(ctx, protocol.BundlesList, "")
	if err != nil {
		return nil, err
	}
	defer s.end()
	a, err := s.answer(n.o.Patience)
	if err != nil {
		return nil, err
	}
	var objects []Object
	for _, o := range a.Objects {
		_, _, incomplete := protocol.ParsePartialBundleName(o.Name)
		if incomplete != o.Partial || !incomplete && !protocol.IsBundleName(o.Name) {
			continue // not something that we could ask for
		}
		objects = append(objects, Object{Name: o.Name, Size: o.Size, Modified: o.Modified.UTC(), Partial: o.Partial})
	}
	sortByName(objects)
	return objects, nil
}

func (n *node) Put(ctx context.Context, name string, r io.Reader) error {
	if err := CheckName(name); err != nil {
		return err
	}
	s, err := n.begin(ctx, protocol.BundlesPut, name)
	if err != nil {
		return err
	}
	defer s.end()
	if _, err := s.answer(n.o.Patience); err != nil {
		return err
	}
	// The node answers before the end only when it cannot go on.
	type result struct {
		answer *protocol.BundlesAnswer
		err    error
	}
	early, stop := make(chan result, 1), make(chan struct{})
	_ = s.conn.SetReadDeadline(time.Time{}) // nothing is to be heard for as long as it goes well
	go func() {
		_, a, err := protocol.RecvBundles(s.Channel)
		early <- result{a, err}
		close(stop)
	}()
	from := &source{r: &interruptible{ctx, r}}
	sendErr := s.send(from, stop)
	if from.failed != nil {
		s.end() // without the end frame: the node throws away what it has
		<-early
		return fmt.Errorf("store %s: write %s: %w", n, name, from.failed)
	}
	limit := sealing
	if sendErr != nil {
		limit = n.o.Patience
	}
	_ = s.conn.SetReadDeadline(time.Now().Add(limit))
	got := <-early
	switch {
	case got.err == nil && got.answer != nil && got.answer.Error != "":
		return n.explain(*got.answer)
	case sendErr != nil:
		return s.lost(sendErr)
	case got.err != nil:
		return s.lost(got.err)
	case got.answer == nil, got.answer.Size != from.size:
		return fmt.Errorf("store %s: %s: the node did not store what it was sent", n, name)
	}
	return nil
}

// errStopped: the node said something before it had everything.
var errStopped = errors.New("the node did not wait for the end")

// send sends what a source has, and the end, unless it is stopped.
func (s *session) send(from *source, stop <-chan struct{}) error {
	buffer := make([]byte, protocol.BundlesPiece)
	for {
		select {
		case <-stop:
			return errStopped
		default:
		}
		n, err := from.Read(buffer)
		_ = s.conn.SetWriteDeadline(time.Now().Add(s.patience))
		if n > 0 {
			if err := protocol.SendBundlesData(s.Channel, buffer[:n]); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF:
			return protocol.SendBundlesEnd(s.Channel)
		case err != nil:
			return err
		}
	}
}

func (n *node) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	s, err := n.begin(ctx, protocol.BundlesGet, name)
	if err != nil {
		return nil, err
	}
	return &download{s: s}, nil
}

// download reads an object from a session.
type download struct {
	s    *session
	rest []byte
	size int64
	err  error
}

func (d *download) Read(data []byte) (int, error) {
	for len(d.rest) == 0 && d.err == nil {
		d.s.wait(d.s.patience)
		piece, a, err := protocol.RecvBundles(d.s.Channel)
		switch {
		case err == io.EOF:
			d.err = d.s.lost(fmt.Errorf("%w: an end stands where an answer should", protocol.ErrFrame))
		case err != nil:
			d.err = d.s.lost(err)
		case a == nil:
			d.rest = piece
			d.size += int64(len(piece))
		case a.Error != "":
			d.err = d.s.n.explain(*a)
		case a.Size != d.size:
			d.err = fmt.Errorf("store %s: %d of %d bytes arrived", d.s.n, d.size, a.Size)
		default:
			d.err = io.EOF
		}
	}
	if len(d.rest) == 0 {
		return 0, d.err
	}
	n := copy(data, d.rest)
	d.rest = d.rest[n:]
	return n, nil
}

func (d *download) Close() error {
	d.s.end()
	if d.err == nil {
		d.err = errors.New("the object is closed")
		d.rest = nil
	}
	return nil
}

func (n *node) Remove(ctx context.Context, name string) error {
	if _, _, incomplete := protocol.ParsePartialBundleName(name); !incomplete {
		if err := CheckName(name); err != nil {
			return err
		}
	}
	s, err := n.begin(ctx, protocol.BundlesRemove, name)
	if err != nil {
		return err
	}
	defer s.end()
	_, err = s.answer(n.o.Patience)
	return err
}
