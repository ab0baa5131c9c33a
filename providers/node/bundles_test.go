package node_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"upkeep/providers/node"
	"upkeep/providers/node/protocol"
	"upkeep/providers/store"
)

// bundlesRoot names the directory that stands for "/" of the helper.
const bundlesRoot = "NODE_TEST_BUNDLES_ROOT"

// bundleStore is a store on a node of the site; its files are in the directory that is returned.
func bundleStore(t *testing.T, s *site, target node.Target) (store.Store, string) {
	t.Helper()
	root := s.path("root")
	directory := filepath.Join(root, "var/backups")
	if err := os.MkdirAll(directory, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, "var/lib"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv(bundlesRoot, root)
	client := s.client()
	on, err := store.Node(store.NodeOptions{Node: target.Name, Directory: "/var/backups/upkeep", Dial: func(ctx context.Context) (net.Conn, error) {
		return client.Tunnel(ctx, target, protocol.ServiceBundles)
	}})
	if err != nil {
		t.Fatal(err)
	}
	return on, filepath.Join(directory, "upkeep")
}

// Bundles go through the session as a helper in a process of its own serves it.
func TestBundles(t *testing.T) {
	for _, target := range []node.Target{local("cp0"), remote("cp1")} {
		t.Run(target.Name, func(t *testing.T) {
			on, _ := bundleStore(t, newSite(t), target)
			data := bytes.Repeat([]byte("0123456789"), 300_000)
			if err := on.Put(t.Context(), "a.upkeep-bundle", bytes.NewReader(data)); err != nil {
				t.Fatal(err)
			}
			r, err := on.Get(t.Context(), "a.upkeep-bundle")
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			r.Close()
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes came back, %v", len(got), err)
			}
			if err := on.Put(t.Context(), "a.upkeep-bundle", bytes.NewReader(nil)); !errors.Is(err, store.ErrExists) {
				t.Errorf("a second put: %v", err)
			}
			objects, err := on.List(t.Context())
			if err != nil || len(objects) != 1 || objects[0].Size != int64(len(data)) {
				t.Errorf("list: %v, %v", objects, err)
			}
			if err := on.Remove(t.Context(), "a.upkeep-bundle"); err != nil {
				t.Error(err)
			}
			if objects, err := on.List(t.Context()); err != nil || len(objects) > 0 {
				t.Errorf("list after the removal: %v, %v", objects, err)
			}
		})
	}
}

// When upkeep gives up in the middle, nothing is there that looks complete, and what may be left of it can be removed.
func TestBundlesCancelled(t *testing.T) {
	on, directory := bundleStore(t, newSite(t), remote("cp1"))
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- on.Put(ctx, "a.upkeep-bundle", r) }()
	if _, err := w.Write(make([]byte, 3<<20)); err != nil {
		t.Fatal(err)
	}
	if files, err := os.ReadDir(directory); err != nil || len(files) != 1 {
		t.Fatalf("while it is written: %v, %v", files, err)
	}
	cancel()
	w.Close()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	// The helper removes it; where the machine is so slow that the session was killed first, it is partial.
	objects, err := on.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		if !o.Partial {
			t.Errorf("%s is there", o.Name)
		}
		if err := on.Remove(t.Context(), o.Name); err != nil {
			t.Error(err)
		}
	}
	if files, err := os.ReadDir(directory); err != nil || len(files) > 0 {
		t.Errorf("%v are left, %v", files, err)
	}
}
