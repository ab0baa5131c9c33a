package restore_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"upkeep/providers/etcd"
	"upkeep/providers/etcd/drill"
)

// sized starts a member with a database of about so many MiB; UPKEEP_BENCH_MIB overrides it.
func sized(b *testing.B) member {
	size := 64
	if s := os.Getenv("UPKEEP_BENCH_MIB"); s != "" {
		var err error
		if size, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	m := startMember(b, "")
	value := make([]byte, 64<<10)
	if _, err := rand.Read(value); err != nil {
		b.Fatal(err)
	}
	for i := range size << 20 / len(value) {
		if _, err := m.client.Put(context.Background(), fmt.Sprintf("/registry/bench/%06d", i), string(value)); err != nil {
			b.Fatal(err)
		}
	}
	return m
}

// BenchmarkSnapshot compares a checked snapshot with the plain copy of the same stream that `etcdctl snapshot save`
// makes, from the same member in the same run.
func BenchmarkSnapshot(b *testing.B) {
	m := sized(b)
	endpoint := "unix://" + m.server.Config().ListenClientUrls[0].Path
	plain, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, Logger: zap.NewNop()})
	if err != nil {
		b.Fatal(err)
	}
	defer plain.Close()
	file := func() *os.File {
		f, err := os.Create(filepath.Join(b.TempDir(), "snapshot.db"))
		if err != nil {
			b.Fatal(err)
		}
		return f
	}
	b.Run("plain", func(b *testing.B) {
		for b.Loop() {
			r, err := plain.SnapshotWithVersion(context.Background())
			if err != nil {
				b.Fatal(err)
			}
			f := file()
			n, err := io.Copy(f, r.Snapshot)
			if err != nil {
				b.Fatal(err)
			}
			f.Close()
			b.SetBytes(n)
		}
	})
	b.Run("checked", func(b *testing.B) {
		for b.Loop() {
			f := file()
			taken, err := etcd.TakeSnapshot(context.Background(), "cp1", m.dial, f)
			if err != nil {
				b.Fatal(err)
			}
			f.Close()
			b.SetBytes(taken.Size)
		}
	})
}

// BenchmarkProof is what each rung costs.
func BenchmarkProof(b *testing.B) {
	m := sized(b)
	path := filepath.Join(b.TempDir(), "snapshot.db")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	taken, err := etcd.TakeSnapshot(context.Background(), "cp1", m.dial, f)
	if err != nil {
		b.Fatal(err)
	}
	f.Close()
	options := child(b)
	for _, rung := range []struct {
		name string
		run  func() error
	}{
		{"checksum", func() error { _, err := drill.CheckFile(context.Background(), path); return err }},
		{"verify", func() error { _, err := drill.Verify(context.Background(), options, path, ""); return err }},
		{"drill", func() error {
			_, err := drill.Drill(context.Background(), options, path, etcd.Question{}, 0)
			return err
		}},
	} {
		b.Run(rung.name, func(b *testing.B) {
			b.SetBytes(taken.Size)
			for b.Loop() {
				if err := rung.run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
