//go:build backupfigures

package backup_test

import (
	"bufio"
	"cmp"
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
	"syscall"
	"testing"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"upkeep/fixtures/pki"
	"upkeep/providers/backup"
	"upkeep/providers/backup/bundle"
	"upkeep/providers/node"
)

// BenchmarkBackup takes verified backups of a real member beside `etcdctl snapshot save` of the same one, in turn. The member
// takes TLS alone; upkeep speaks to it through a helper, as it does on a node. It needs ETCD_BIN, a directory with etcd and
// etcdctl; MIB is how large the database is (1024), and some six times that much disk is needed below TMPDIR:
//
//	make bench-backup ETCD_BIN=/usr/local/bin
//
// A verified backup hashes, encrypts and stores what etcdctl only stores, and asks the member for its hash. MB/s is that of the
// database. cpu-s is the processor time of all that asks, helper and etcdctl included; member-cpu-s is etcd's own. peak-MiB is
// how much more memory this process had resident than before, at most.
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
			used := member.processorTime(b)
			for b.Loop() {
				file := filepath.Join(b.TempDir(), "snapshot.db")
				save := exec.Command(filepath.Join(bin, "etcdctl"), "--endpoints=https://"+member.address, "--cacert="+member.pki("ca.crt"),
					"--cert="+member.pki("healthcheck-client.crt"), "--key="+member.pki("healthcheck-client.key"), "snapshot", "save", file)
				if out, err := save.CombinedOutput(); err != nil {
					b.Fatalf("%v\n%s", err, out)
				}
				b.StopTimer()
				os.Remove(file)
				b.StartTimer()
			}
			member.figures(b, size, used)
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
func take(b *testing.B, level string, member program, size int64) {
	before := watchMemory(b)
	used := member.processorTime(b)
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
	member.figures(b, size, used)
	b.ReportMetric(float64(peak(b)-before)/(1<<20), "peak-MiB")
}

func perSecond(b *testing.B, size int64) {
	b.ReportMetric(float64(size)*float64(b.N)/b.Elapsed().Seconds()/1e6, "MB/s")
}

// siteOf is a site whose member is a program of its own, which is spoken to through a helper.
func siteOf(b *testing.B, level string, member program) *site {
	s := newSiteWithoutMember(b, level)
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	helpers := b.TempDir()
	if err := os.Symlink(self, filepath.Join(helpers, helperProgram)); err != nil {
		b.Fatal(err)
	}
	b.Setenv(helperRoot, member.root)
	client := node.New(node.Options{Helpers: helpers})
	s.dial = func(ctx context.Context, name string) (net.Conn, error) {
		if name != "cp1" {
			return nil, fmt.Errorf("%s: connection refused", name)
		}
		return client.Tunnel(ctx, node.Target{Name: name, Host: "127.0.0.1", Transport: node.TransportLocal}, "etcd")
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

// program is an etcd of its own, and the files of the node that it is on.
type program struct {
	address, root string
	pid           int
}

func (p program) pki(name string) string {
	return filepath.Join(p.root, "etc/kubernetes/pki/etcd", name)
}

// startProgram starts etcd on loopback, as kubeadm has it.
func startProgram(b *testing.B, etcd string) program {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	p := program{address: listener.Addr().String(), root: b.TempDir()}
	listener.Close()
	if _, err := pki.NewKubeadmTree(p.root, pki.Options{Address: "127.0.0.1", EtcdPort: listener.Addr().(*net.TCPAddr).Port, RSA: true}); err != nil {
		b.Fatal(err)
	}
	command := exec.Command(etcd, "--name=cp1", "--data-dir="+b.TempDir(), "--listen-client-urls=https://"+p.address, "--advertise-client-urls=https://"+p.address,
		"--trusted-ca-file="+p.pki("ca.crt"), "--cert-file="+p.pki("server.crt"), "--key-file="+p.pki("server.key"), "--client-cert-auth",
		"--listen-peer-urls=http://127.0.0.1:0", "--initial-advertise-peer-urls=http://127.0.0.1:1", "--initial-cluster=cp1=http://127.0.0.1:1",
		"--unsafe-no-fsync", "--quota-backend-bytes=8589934592", "--log-level=fatal")
	command.Stderr = os.Stderr
	command.Env = []string{} // etcd reads variables that begin with ETCD_
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	p.pid = command.Process.Pid
	b.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	return p
}

// spent is processor time in seconds: that of this process and what it waited for, and the member's.
type spent struct{ asking, member float64 }

func (p program) processorTime(b *testing.B) (out spent) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var usage syscall.Rusage
		if err := syscall.Getrusage(who, &usage); err != nil {
			b.Fatal(err)
		}
		out.asking += time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(text)) // proc(5): utime and stime are the 14th and 15th, in ticks of 10 ms
	for _, field := range fields[13:15] {
		ticks, err := strconv.ParseFloat(field, 64)
		if err != nil {
			b.Fatal(err)
		}
		out.member += ticks / 100
	}
	return out
}

// figures reports what a run took since before.
func (p program) figures(b *testing.B, size int64, before spent) {
	now := p.processorTime(b)
	perSecond(b, size)
	b.ReportMetric((now.asking-before.asking)/float64(b.N), "cpu-s")
	b.ReportMetric((now.member-before.member)/float64(b.N), "member-cpu-s")
}

// fill writes until the database is as large as it should be, in values as large as a large object, and returns its size.
func fill(b *testing.B, member program) int64 {
	mib, err := strconv.ParseInt(cmp.Or(os.Getenv("MIB"), "1024"), 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	files := transport.TLSInfo{TrustedCAFile: member.pki("ca.crt"), CertFile: member.pki("healthcheck-client.crt"), KeyFile: member.pki("healthcheck-client.key")}
	trust, err := files.ClientConfig()
	if err != nil {
		b.Fatal(err)
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{"https://" + member.address}, TLS: trust, DialTimeout: 10 * time.Second, Logger: zap.NewNop()})
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
		status, err := client.Status(context.Background(), member.address)
		if err != nil || b.Failed() {
			b.Fatal(err)
		}
		if status.DbSize >= mib<<20 {
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
