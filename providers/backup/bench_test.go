//go:build backupfigures

package backup_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"upkeep/providers/backup"
	"upkeep/providers/backup/bundle"
)

// BenchmarkBackup takes verified backups of a real member with a database of 1 GiB beside `etcdctl snapshot save` of the same
// one, one after the other. It needs ETCD_BIN, a directory with etcd and etcdctl, and some 6 GiB of disk below TMPDIR:
//
//	make bench-backup ETCD_BIN=/usr/local/bin
//
// A verified backup hashes, encrypts and stores what etcdctl only stores, reads it back, and asks the member for its hash.
// MB/s is that of the database. peak-MiB is how much more memory this process had resident than before, at most.
func BenchmarkBackup(b *testing.B) {
	bin := os.Getenv("ETCD_BIN")
	if bin == "" {
		b.Fatal("ETCD_BIN names no directory with etcd and etcdctl")
	}
	member := startProgram(b, filepath.Join(bin, "etcd"))
	size := fill(b, member)
	b.Logf("the database has %d MiB", size>>20)
	const rounds = 3
	for round := range rounds { // in turn, so that whatever else the machine does weighs on all of them alike
		b.Run(fmt.Sprintf("round%d/etcdctl", round+1), func(b *testing.B) {
			for b.Loop() {
				file := filepath.Join(b.TempDir(), "snapshot.db")
				if out, err := exec.Command(filepath.Join(bin, "etcdctl"), "--endpoints="+member, "snapshot", "save", file).CombinedOutput(); err != nil {
					b.Fatalf("%v\n%s", err, out)
				}
				b.StopTimer()
				os.Remove(file)
				b.StartTimer()
			}
			perSecond(b, size)
		})
		for _, level := range []string{backup.LevelHash, backup.LevelRestore} {
			b.Run(fmt.Sprintf("round%d/take/%s", round+1, level), func(b *testing.B) { take(b, level, member, size) })
		}
	}
	s := siteOf(b, backup.LevelHash, member)
	if err := s.run(s.due()[0]); err != nil {
		b.Fatal(err)
	}
	found, _, err := bundle.Find(context.Background(), s.store)
	if err != nil || len(found) != 1 {
		b.Fatal(found, err)
	}
	label := found[0].Label
	ids, err := bundle.ParseIdentities([]byte(s.key.String()))
	if err != nil {
		b.Fatal(err)
	}
	// What each rung of the ladder costs on a stored bundle.
	for _, rung := range []string{"stored bytes", "parts and checksum", "restore drill"} {
		b.Run("verify/"+strings.ReplaceAll(rung, " ", "-"), func(b *testing.B) {
			before := watchMemory(b)
			for b.Loop() {
				stored, err := s.store.Get(context.Background(), bundle.Name(label.ID))
				if err != nil {
					b.Fatal(err)
				}
				file := ""
				switch rung {
				case "stored bytes":
					err = bundle.VerifyStored(stored, label.StoredSize, label.StoredSHA256)
				case "restore drill":
					file = filepath.Join(b.TempDir(), "snapshot.db")
					fallthrough
				default:
					_, err = backup.Check(context.Background(), stored, label, ids, file)
				}
				stored.Close()
				if err == nil && file != "" {
					options, _ := s.tools().Drill()
					_, err = backup.Rehearse(context.Background(), options, file, label.Manifest)
				}
				if err != nil {
					b.Fatal(err)
				}
				os.Remove(file)
			}
			perSecond(b, size)
			b.ReportMetric(float64(peak(b)-before)/(1<<20), "peak-MiB")
		})
	}
}

// take takes verified backups.
func take(b *testing.B, level, member string, size int64) {
	before := watchMemory(b)
	for b.Loop() {
		b.StopTimer()
		s := siteOf(b, level, member)
		step := s.due()[0]
		b.StartTimer()
		if err := s.run(step); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		s.removeBundles()
		b.StartTimer()
	}
	perSecond(b, size)
	b.ReportMetric(float64(peak(b)-before)/(1<<20), "peak-MiB")
}

func perSecond(b *testing.B, size int64) {
	b.ReportMetric(float64(size)*float64(b.N)/b.Elapsed().Seconds()/1e6, "MB/s")
}

// siteOf is a site whose member is a program of its own.
func siteOf(b *testing.B, level, member string) *site {
	s := newSiteWithoutMember(b, level)
	s.dial = func(ctx context.Context, node string) (net.Conn, error) {
		if node != "cp1" {
			return nil, fmt.Errorf("%s: connection refused", node)
		}
		var d net.Dialer
		return d.DialContext(ctx, "tcp", member)
	}
	return s
}

func (s *site) removeBundles() {
	found, _, err := bundle.Find(context.Background(), s.store)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range found {
		if err := bundle.Remove(context.Background(), s.store, f.ID); err != nil {
			s.t.Fatal(err)
		}
	}
}

// startProgram starts etcd on loopback and returns its client address.
func startProgram(b *testing.B, program string) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	command := exec.Command(program, "--name=cp1", "--data-dir="+b.TempDir(), "--listen-client-urls=http://"+address, "--advertise-client-urls=http://"+address,
		"--listen-peer-urls=http://127.0.0.1:0", "--initial-advertise-peer-urls=http://127.0.0.1:1", "--initial-cluster=cp1=http://127.0.0.1:1",
		"--unsafe-no-fsync", "--quota-backend-bytes=8589934592", "--log-level=fatal")
	command.Stderr = os.Stderr
	command.Env = []string{} // etcd reads variables that begin with ETCD_
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	return address
}

// fill writes until the database has 1 GiB, in values as large as a large object, and returns its size.
func fill(b *testing.B, member string) int64 {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{member}, DialTimeout: 10 * time.Second, Logger: zap.NewNop()})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	const writers = 16
	for round := 0; ; round++ {
		var all sync.WaitGroup
		for w := range writers {
			all.Go(func() {
				value := make([]byte, 16<<10)
				for i := range 128 {
					_, _ = rand.Read(value)
					if _, err := client.Put(context.Background(), fmt.Sprintf("/registry/secrets/default/s%d-%d-%d", round, w, i), string(value)); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
		status, err := client.Status(context.Background(), member)
		if err != nil || b.Failed() {
			b.Fatal(err)
		}
		if status.DbSize >= 1<<30 {
			return status.DbSize
		}
	}
}

// watchMemory begins anew to measure how much memory this process has resident at most, and returns what it has now.
func watchMemory(b *testing.B) int64 {
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o600); err != nil { // proc(5)
		b.Fatal(err)
	}
	return peak(b)
}

func peak(b *testing.B) int64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) == 3 && fields[0] == "VmHWM:" {
			n, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			return n << 10
		}
	}
	b.Fatal("the kernel does not say how much memory this process has")
	return 0
}
