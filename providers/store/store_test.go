package store_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"upkeep/providers/node/agent/bundles"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/fence"
	"upkeep/providers/store"
	"upkeep/providers/store/storetest"
)

// directory is a store in a directory of this machine.
type directory struct{ path string }

func newDirectory(t *testing.T) storetest.Harness {
	return directory{filepath.Join(t.TempDir(), "bundles")}
}

func (d directory) Open(t *testing.T) store.Store {
	t.Helper()
	s, err := store.File(d.path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (d directory) Interrupt(t *testing.T, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(d.path, name+".0123456789abcdef.part"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFile(t *testing.T) { storetest.Test(t, newDirectory) }

// onNode is a store on a node whose helper runs in this process.
type onNode struct{ root string }

func newOnNode(t *testing.T) storetest.Harness {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	n := onNode{root}
	// Nobody but this user may write anywhere above the directory, as on a node nobody but root may.
	if err := os.MkdirAll(filepath.Join(root, "var/backups"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, "var/lib"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{root, root + "/var", root + "/var/backups", root + "/var/lib"} {
		if err := os.Chmod(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

const onNodeDirectory = "/var/backups/upkeep"

func (n onNode) dial(context.Context) (net.Conn, error) {
	d, err := disk.Open(n.root)
	if err != nil {
		return nil, err
	}
	return bundles.Dial(d, &fence.Fence{Disk: d, Clock: fence.SystemClock(time.Now)}), nil
}

func (n onNode) with(t *testing.T, change func(*store.NodeOptions)) store.Store {
	t.Helper()
	o := store.NodeOptions{Node: "cp1", Directory: onNodeDirectory, Dial: n.dial}
	change(&o)
	s, err := store.Node(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (n onNode) Open(t *testing.T) store.Store {
	t.Helper()
	return n.with(t, func(*store.NodeOptions) {})
}

func (n onNode) Interrupt(t *testing.T, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(n.root, onNodeDirectory, disk.TemporaryName(name, "0123456789abcdef")), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestNode(t *testing.T) { storetest.Test(t, newOnNode) }
