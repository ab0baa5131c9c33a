package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep/providers/node/protocol"
	"upkeep/providers/store"
)

// the node's directory, as the process that runs this test sees it.
func (n onNode) path(name string) string { return filepath.Join(n.root, onNodeDirectory, name) }

func TestNodeModes(t *testing.T) {
	n := newOnNode(t).(onNode)
	if err := n.Open(t).Put(t.Context(), "a.upkeep-bundle", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]os.FileMode{n.path(""): os.ModeDir | 0o700, n.path("a.upkeep-bundle"): 0o600} {
		if info, err := os.Stat(p); err != nil || info.Mode() != want {
			t.Errorf("%s has mode %v, %v; want %v", p, info.Mode(), err, want)
		}
	}
}

// What the node's helper does not do, whoever asks.
func TestNodeRefuses(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(n onNode) error
		want    error
		text    string
	}{
		{"a directory that others may read", func(n onNode) error { return errors.Join(os.Mkdir(n.path(""), 0o700), os.Chmod(n.path(""), 0o750)) },
			store.ErrRefused, "/var/backups/upkeep has mode 0750, and what is in it holds every key of the cluster; run: chmod 0700 /var/backups/upkeep"},
		{"a directory above that others may write to", func(n onNode) error {
			return errors.Join(os.Mkdir(n.path(""), 0o700), os.Chmod(filepath.Join(n.root, "var/backups"), 0o777))
		}, store.ErrRefused, "/var/backups has mode 0777: users other than its owner can write to it"},
		{"a link instead of the directory", func(n onNode) error { return os.Symlink("/tmp", n.path("")) }, store.ErrRefused, "/var/backups/upkeep is a symbolic link, which is not followed"},
		{"a link above", func(n onNode) error {
			return errors.Join(os.Remove(filepath.Join(n.root, "var/backups")), os.Symlink("lib", filepath.Join(n.root, "var/backups")))
		}, store.ErrRefused, "/var/backups is a symbolic link, which is not followed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := newOnNode(t).(onNode)
			if err := test.prepare(n); err != nil {
				t.Fatal(err)
			}
			s := n.Open(t)
			_, listErr := s.List(t.Context())
			_, getErr := get(t, s, "a.upkeep-bundle")
			for what, err := range map[string]error{"put": s.Put(t.Context(), "a.upkeep-bundle", strings.NewReader("x")), "list": listErr, "get": getErr, "remove": s.Remove(t.Context(), "a.upkeep-bundle")} {
				if !errors.Is(err, test.want) || !strings.HasPrefix(err.Error(), "store cp1:/var/backups/upkeep: ") || !strings.HasSuffix(err.Error(), test.text) {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
}

// Only files with the names of bundles exist for it, whatever lies in the directory.
func TestNodeTouchesOnlyBundles(t *testing.T) {
	n := newOnNode(t).(onNode)
	s := n.Open(t)
	if err := s.Put(t.Context(), "a.upkeep-bundle", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(n.path("secret"), []byte("x"), 0o600), os.Symlink("secret", n.path("link.upkeep-bundle")), os.Mkdir(n.path("dir.upkeep-bundle"), 0o700)); err != nil {
		t.Fatal(err)
	}
	objects, err := s.List(t.Context())
	if err != nil || len(objects) != 1 || objects[0].Name != "a.upkeep-bundle" {
		t.Errorf("list: %v, %v", objects, err)
	}
	for _, name := range []string{"secret", "link.upkeep-bundle", "dir.upkeep-bundle"} {
		if data, err := get(t, s, name); err == nil {
			t.Errorf("%s holds %q", name, data)
		}
		if err := s.Remove(t.Context(), name); err == nil {
			t.Errorf("%s was removed", name)
		}
		if err := s.Put(t.Context(), name, strings.NewReader("x")); err == nil {
			t.Errorf("%s was put", name)
		}
	}
	if data, err := os.ReadFile(n.path("secret")); err != nil || string(data) != "x" {
		t.Errorf("the other file is %q, %v", data, err)
	}
}

// A run that is late stores and removes nothing; it may still look.
func TestNodeRefusesAnOlderRun(t *testing.T) {
	n := newOnNode(t).(onNode)
	as := func(generation uint64) store.Store {
		return n.with(t, func(o *store.NodeOptions) {
			o.Run = protocol.Run{Lineage: "l", Generation: generation, Plan: "p", Step: "s"}
		})
	}
	if err := as(5).Put(t.Context(), "a.upkeep-bundle", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	late := as(4)
	if err := late.Put(t.Context(), "b.upkeep-bundle", strings.NewReader("x")); !errors.Is(err, store.ErrRefused) {
		t.Errorf("put: %v", err)
	}
	if err := late.Remove(t.Context(), "a.upkeep-bundle"); !errors.Is(err, store.ErrRefused) {
		t.Errorf("remove: %v", err)
	}
	if data, err := get(t, late, "a.upkeep-bundle"); err != nil || string(data) != "x" {
		t.Errorf("get: %q, %v", data, err)
	}
	if objects, err := late.List(t.Context()); err != nil || len(objects) != 1 {
		t.Errorf("list: %v, %v", objects, err)
	}
}

// A connection that is lost in the middle leaves nothing, and is said to be lost.
func TestNodeConnectionLost(t *testing.T) {
	n := newOnNode(t).(onNode)
	if err := n.Open(t).Put(t.Context(), "there.upkeep-bundle", bytes.NewReader(make([]byte, 5<<20))); err != nil {
		t.Fatal(err)
	}
	for _, after := range []int64{0, 10, 300, 3 << 20} {
		s := n.with(t, func(o *store.NodeOptions) {
			o.Dial = func(ctx context.Context) (net.Conn, error) {
				conn, err := n.dial(ctx)
				return &failingConn{Conn: conn, left: after}, err
			}
		})
		if err := s.Put(t.Context(), "a.upkeep-bundle", bytes.NewReader(make([]byte, 5<<20))); !errors.Is(err, store.ErrUnreachable) {
			t.Errorf("put, lost after %d bytes: %v", after, err)
		}
		if data, err := get(t, s, "there.upkeep-bundle"); !errors.Is(err, store.ErrUnreachable) {
			t.Errorf("get, lost after %d bytes: %d bytes, %v", after, len(data), err)
		}
	}
	objects, err := n.Open(t).List(t.Context())
	if err != nil || len(objects) != 1 {
		t.Errorf("left: %v, %v", objects, err)
	}
}

// failingConn breaks off after some bytes, whichever way they went.
type failingConn struct {
	net.Conn
	left int64
}

func (c *failingConn) Write(b []byte) (int, error) {
	if c.left -= int64(len(b)); c.left < 0 {
		c.Conn.Close()
		return 0, io.ErrClosedPipe
	}
	return c.Conn.Write(b)
}

func (c *failingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.left -= int64(n); c.left < 0 {
		c.Conn.Close()
		return 0, io.ErrClosedPipe
	}
	return n, err
}

// A node that is silent, talks nonsense or cannot be reached is an error after a bounded time.
func TestNodeThatMisbehaves(t *testing.T) {
	for name, behave := range map[string]func(net.Conn){
		"silent":   func(c net.Conn) { _, _ = io.Copy(io.Discard, c) },
		"nonsense": func(c net.Conn) { go io.Copy(io.Discard, c); fmt.Fprint(c, strings.Repeat("Last login: ", 100)) },
		"gone":     func(c net.Conn) { c.Close() },
		"an end":   func(c net.Conn) { go io.Copy(io.Discard, c); _, _ = c.Write([]byte{0, 0, 0, 1, 'e'}) },
		"content":  func(c net.Conn) { go io.Copy(io.Discard, c); _, _ = c.Write([]byte{0, 0, 0, 2, 'd', 'x'}); c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := store.Node(store.NodeOptions{Node: "cp1", Directory: "/var/backups/upkeep", Patience: 50 * time.Millisecond,
				Dial: func(context.Context) (net.Conn, error) {
					near, far := net.Pipe()
					t.Cleanup(func() { far.Close() })
					go behave(far)
					return near, nil
				}})
			if err != nil {
				t.Fatal(err)
			}
			_, listErr := s.List(t.Context())
			_, getErr := get(t, s, "a.upkeep-bundle")
			for what, err := range map[string]error{"put": s.Put(t.Context(), "a.upkeep-bundle", strings.NewReader("x")), "list": listErr, "get": getErr, "remove": s.Remove(t.Context(), "a.upkeep-bundle")} {
				if !errors.Is(err, store.ErrUnreachable) {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
	mine := errors.New("cp1: ssh: no answer in 10s")
	s, err := store.Node(store.NodeOptions{Node: "cp1", Directory: "/var/backups/upkeep", Dial: func(context.Context) (net.Conn, error) { return nil, mine }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.List(t.Context()); !errors.Is(err, mine) || !errors.Is(err, store.ErrUnreachable) {
		t.Errorf("a node that cannot be reached: %v", err)
	}
}

// A node whose disk is full says so in the middle, and is not sent the rest.
func TestNodeDiskFull(t *testing.T) {
	s, err := store.Node(store.NodeOptions{Node: "cp1", Directory: "/var/backups/upkeep", Dial: func(context.Context) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			c := protocol.NewChannel(far, far, nil)
			if _, err := c.Recv(); err != nil { // the request
				return
			}
			_ = protocol.SendBundlesAnswer(c, protocol.BundlesAnswer{})
			_, _, _ = protocol.RecvBundles(c)
			_ = protocol.SendBundlesAnswer(c, protocol.BundlesAnswer{Error: "no space left on device\x1b[31m", Kind: protocol.BundlesFull})
			_, _ = io.Copy(io.Discard, far)
		}()
		return near, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	endless := &counting{}
	err = s.Put(t.Context(), "a.upkeep-bundle", endless)
	if want := "store cp1:/var/backups/upkeep: the store is full: no space left on device [31m"; !errors.Is(err, store.ErrFull) || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// counting is a source without an end.
type counting struct{ n int }

func (c *counting) Read(b []byte) (int, error) {
	c.n += len(b)
	return len(b), nil
}
