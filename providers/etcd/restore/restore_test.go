package restore_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	clientv3 "go.etcd.io/etcd/client/v3"

	"upkeep/providers/etcd"
	"upkeep/providers/etcd/drill"
)

func TestASnapshotIsProvedUnderWriteLoad(t *testing.T) {
	m := startMember(t, "")
	m.fill(300)
	if _, err := m.client.Compact(context.Background(), 120); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ctx.Err() == nil; i++ {
			_, _ = m.client.Put(ctx, fmt.Sprintf("/registry/leases/l%d", i%50), strings.Repeat("x", i%2000))
		}
	}()
	file, taken := m.save()
	options := child(t)
	verified, err := drill.Verify(context.Background(), options, file, "")
	if err != nil {
		t.Fatal(err)
	}
	question := etcd.Question{Revision: verified.Revision, Canaries: []string{"/registry/namespaces/kube-system", "/not there"}}
	live, err := etcd.Read(context.Background(), "cp1", m.dial, question)
	stop()
	<-stopped
	if err != nil {
		t.Fatal(err)
	}
	restored, err := drill.Drill(context.Background(), options, file, question, live.CompactRevision)
	if err != nil {
		t.Fatal(err)
	}

	if verified.Sums != taken.Sums {
		t.Errorf("the file's sums are %+v, the stream's were %+v", verified.Sums, taken.Sums)
	}
	if verified.Revision < taken.RevisionAtStart || verified.Keys != live.Keys || verified.PrefixKeys != live.PrefixKeys || verified.CompactRevision != 120 {
		t.Errorf("inspection %+v, live %+v at start %d", verified.Inspection, live, taken.RevisionAtStart)
	}
	if diff := cmp.Diff(live, restored); diff != "" {
		t.Errorf("restored (-live +restored):\n%s", diff)
	}
	if live.Hash == 0 || live.Keys < 200 || live.PrefixKeys != live.Keys-1 || !live.Canaries[0].Found || live.Canaries[1].Found {
		t.Errorf("the live contents prove nothing: %+v", live)
	}
	left, err := os.ReadDir(options.Directory)
	if err != nil || len(left) > 0 {
		t.Errorf("the drill left %v, %v", left, err)
	}
}

func TestADrillFollowsACompaction(t *testing.T) {
	m := startMember(t, "")
	m.fill(100)
	file, _ := m.save()
	options := child(t)
	verified, err := drill.Verify(context.Background(), options, file, "")
	if err != nil {
		t.Fatal(err)
	}
	// The cluster goes on: it writes, and compacts to a revision that the snapshot still holds whole.
	m.put("/registry/later", "1")
	if _, err := m.client.Compact(context.Background(), 80, clientv3.WithCompactPhysical()); err != nil {
		t.Fatal(err)
	}
	question := etcd.Question{Revision: verified.Revision}
	live, err := etcd.Read(context.Background(), "cp1", m.dial, question)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := drill.Drill(context.Background(), options, file, question, 0)
	if err != nil {
		t.Fatal(err)
	}
	compacted, err := drill.Drill(context.Background(), options, file, question, live.CompactRevision)
	if err != nil {
		t.Fatal(err)
	}
	if etcd.Comparable(live, plain) || plain.Hash == live.Hash {
		t.Errorf("without the compaction the hashes must not compare: live %+v, restored %+v", live, plain)
	}
	if differences := etcd.Differences(live, plain); len(differences) > 0 {
		t.Errorf("what can be compared differs: %s", differences)
	}
	if diff := cmp.Diff(live, compacted); diff != "" {
		t.Errorf("compacted copy (-live +restored):\n%s", diff)
	}

	if _, err := m.client.Compact(context.Background(), verified.Revision+1); err != nil {
		t.Fatal(err)
	}
	if _, err := etcd.Read(context.Background(), "cp1", m.dial, question); !errors.Is(err, etcd.ErrCompacted) {
		t.Errorf("reading a compacted revision: %v", err)
	}
}

// A drill of the wrong snapshot differs in each number that it should.
func TestDifferencesAreSeen(t *testing.T) {
	m := startMember(t, "")
	m.fill(50)
	file, _ := m.save()
	m.put("/registry/namespaces/kube-system", "changed since")
	m.put("/registry/more", "1")
	question := etcd.Question{Canaries: []string{"/registry/namespaces/kube-system"}}
	live, err := etcd.Read(context.Background(), "cp1", m.dial, question)
	if err != nil {
		t.Fatal(err)
	}
	restored, err := drill.Drill(context.Background(), child(t), file, question, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		fmt.Sprintf("revision: saved %d, restored %d", live.Revision, live.Revision-2),
		fmt.Sprintf("keys: saved %d, restored %d", live.Keys, live.Keys-1),
		fmt.Sprintf("keys below /registry/: saved %d, restored %d", live.PrefixKeys, live.PrefixKeys-1),
		"/registry/namespaces/kube-system is not what was saved",
	}
	if diff := cmp.Diff(want, etcd.Differences(live, restored)); diff != "" {
		t.Errorf("differences (-want +got):\n%s", diff)
	}
}

func TestDamagedSnapshotsAreFound(t *testing.T) {
	m := startMember(t, "")
	m.fill(200)
	file, _ := m.save()
	options := child(t)
	// resum makes the checksum right again: what a member sends whose own file is broken.
	resum := func(b []byte) []byte {
		body := b[:len(b)-32]
		sum := sha256.Sum256(body)
		return append(body, sum[:]...)
	}
	page := func(b []byte, n int) []byte { return b[n*4096 : (n+1)*4096] }
	tests := []struct {
		name   string
		change func([]byte) []byte
		want   error
		says   string
	}{
		{"flipped byte", func(b []byte) []byte { b[len(b)/2] ^= 0x10; return b }, etcd.ErrWrongSum, "the checksum at its end says"},
		{"flipped byte of the checksum", func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, etcd.ErrWrongSum, "the checksum at its end says"},
		{"cut by 4 KiB", func(b []byte) []byte { return b[:len(b)-4096] }, nil, "the snapshot"},
		{"cut by a byte", func(b []byte) []byte { return b[:len(b)-1] }, etcd.ErrCutShort, "not a multiple of 512 bytes"},
		{"cut in half", func(b []byte) []byte { return b[:len(b)/2/512*512+32] }, etcd.ErrCutShort, "its first page says"},
		{"no checksum", func(b []byte) []byte { return b[:len(b)-32] }, etcd.ErrNoTrailer, "a complete database without a checksum"},
		{"zero checksum", func(b []byte) []byte { clear(b[len(b)-32:]); return b }, etcd.ErrZeroTrailer, "its end was never written"},
		{"empty", func([]byte) []byte { return nil }, etcd.ErrEmpty, "empty"},
		{"no database at all", func([]byte) []byte { return resum(make([]byte, 8192+32)) }, drill.ErrDamaged, "at byte 0: its first two pages are both damaged"},
		{"both first pages broken at the member", func(b []byte) []byte { clear(b[:8192]); return resum(b) }, drill.ErrDamaged, "at byte 0: its first two pages are both damaged"},
		{"a record overwritten at the member", func(b []byte) []byte {
			// The type of the field that holds the key; in every version of the page, of which only one counts.
			return resum(bytes.ReplaceAll(b, []byte("\x0a\x20/registry/namespaces/kube-system"), []byte("\x0f\x20/registry/namespaces/kube-system")))
		}, drill.ErrDamaged, "is no record of etcd"},
		{"pages overwritten at the member", func(b []byte) []byte {
			for n := 2; (n+1)*4096 < len(b); n++ { // every leaf: which ones are in use is not seen from here
				if p := page(b, n); p[8] == 2 && p[10] > 4 {
					copy(p[16:], strings.Repeat("\xff", 64))
				}
			}
			return resum(b)
		}, drill.ErrDamaged, "leave the page"},
		{"pages swapped at the member", func(b []byte) []byte {
			for n := 2; (n+2)*4096 < len(b); n += 2 { // all of them: which ones are in use is not seen from here
				first := bytes.Clone(page(b, n))
				copy(page(b, n), page(b, n+1))
				copy(page(b, n+1), first)
			}
			return resum(b)
		}, drill.ErrDamaged, "calls itself"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			damaged := damage(t, file, test.change)
			_, err := drill.Verify(context.Background(), options, damaged, "")
			t.Log(err)
			if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("Verify: %v; want %v, saying %q", err, test.want, test.says)
			}
			if _, err := drill.Drill(context.Background(), options, damaged, etcd.Question{}, 0); err == nil || strings.Contains(err.Error(), "ended without") {
				t.Error("the drill found nothing")
			}
		})
	}
}

// A value that changed on the member's own disk, below its checksums: only a peer's hash tells.
func TestSilentChangesAreSeenByTheHash(t *testing.T) {
	m := startMember(t, "")
	m.fill(50)
	file, _ := m.save()
	live, err := etcd.Read(context.Background(), "cp1", m.dial, etcd.Question{})
	if err != nil {
		t.Fatal(err)
	}
	changed := damage(t, file, func(b []byte) []byte {
		b = bytes.ReplaceAll(b[:len(b)-32], []byte("not Kubernetes"), []byte("not kubernetes"))
		sum := sha256.Sum256(b)
		return append(b, sum[:]...)
	})
	if _, err := drill.Verify(context.Background(), child(t), changed, ""); err != nil {
		t.Fatalf("the change is below what Verify looks at, but: %v", err)
	}
	restored, err := drill.Drill(context.Background(), child(t), changed, etcd.Question{Revision: live.Revision}, live.CompactRevision)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{fmt.Sprintf("hash: saved %d, restored %d", live.Hash, restored.Hash)}
	if diff := cmp.Diff(want, etcd.Differences(live, restored)); diff != "" {
		t.Errorf("differences (-want +got):\n%s", diff)
	}
}

func TestAMemberThatStopsMidStream(t *testing.T) {
	m := startMember(t, "")
	for i := range 40 {
		m.put(fmt.Sprintf("/registry/big%d", i), strings.Repeat("x", 1<<20))
	}
	// What a client sees of a member that is killed: its connection ends.
	near, far := net.Pipe()
	killed := func(ctx context.Context, node string) (net.Conn, error) {
		up, err := m.dial(ctx, node)
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { up.Close() })
		go io.Copy(up, far)
		go io.Copy(far, up)
		return near, nil
	}
	w := &stopper{after: 4 << 20, stop: func() { far.Close() }}
	_, err := etcd.TakeSnapshot(context.Background(), "cp1", killed, w)
	if err == nil || !strings.Contains(err.Error(), "cp1: the snapshot broke off after ") {
		t.Errorf("a member stopped in mid-stream: %v", err)
	}
}

func TestASnapshotIsCancelled(t *testing.T) {
	m := startMember(t, "")
	for i := range 40 {
		m.put(fmt.Sprintf("/registry/big%d", i), strings.Repeat("x", 1<<20))
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("enough")
	w := &stopper{after: 4 << 20, stop: func() { cancel(why) }}
	if _, err := etcd.TakeSnapshot(ctx, "cp1", m.dial, w); !errors.Is(err, why) {
		t.Errorf("cancelled snapshot: %v", err)
	}
}

func TestAFullStoreEndsTheSnapshot(t *testing.T) {
	m := startMember(t, "")
	for i := range 10 {
		m.put(fmt.Sprintf("/registry/big%d", i), strings.Repeat("x", 1<<20))
	}
	if _, err := etcd.TakeSnapshot(context.Background(), "cp1", m.dial, full{}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a snapshot into a full store: %v", err)
	}
}

// full has no room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// stopper calls stop once, in the middle of what is written to it.
type stopper struct {
	n, after int
	stop     func()
}

func (s *stopper) Write(p []byte) (int, error) {
	if s.n += len(p); s.stop != nil && s.n > s.after {
		s.stop()
		s.stop = nil
	}
	return len(p), nil
}

func TestRestore(t *testing.T) {
	m := startMember(t, "")
	m.fill(60)
	file, _ := m.save()
	before, err := etcd.Read(context.Background(), "cp1", m.dial, etcd.Question{})
	if err != nil {
		t.Fatal(err)
	}
	one := []drill.Peer{{Name: "cp1", PeerURLs: []string{"http://localhost:1"}}}
	for _, test := range []struct {
		name     string
		bump     uint64
		existing bool // the data directory exists and is empty
	}{{"as it was", 0, false}, {"into an empty directory", 0, true}, {"bumped", drill.SuggestedBump, false}} {
		t.Run(test.name, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "deep", "etcd")
			if test.existing {
				data = t.TempDir()
			}
			got, err := drill.Restore(context.Background(), child(t), drill.Restoration{
				File: file, DataDirectory: data, Name: "cp1", Cluster: one, Token: "new", Bump: test.bump, MarkCompacted: test.bump > 0,
			})
			if err != nil {
				t.Fatal(err)
			}
			if got.Revision != before.Revision+int64(test.bump) || got.Keys != before.Keys {
				t.Errorf("restored %+v from %+v", got, before)
			}
			assertPrivate(t, data)
			restored := startMember(t, data)
			response, err := restored.client.Get(context.Background(), "/registry/namespaces/kube-system")
			if err != nil || len(response.Kvs) != 1 || string(response.Kvs[0].Value) != "canary" || response.Header.Revision != got.Revision {
				t.Errorf("the restored member says %v, %v", response, err)
			}
			if test.bump > 0 {
				watch := <-restored.client.Watch(context.Background(), "/registry/", clientv3.WithPrefix(), clientv3.WithRev(before.Revision+1))
				if watch.CompactRevision != got.Revision {
					t.Errorf("a watch from before the disaster goes on: %+v", watch)
				}
			}
		})
	}
}

// assertPrivate checks that only the owner can read a tree, and that nothing of the making is left in it.
func assertPrivate(t *testing.T, root string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 || strings.Contains(path, "restoring") {
			t.Errorf("%s: %s", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestRestoreNeverOverwrites(t *testing.T) {
	m := startMember(t, "")
	m.fill(10)
	file, _ := m.save()
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, "member"), []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	one := []drill.Peer{{Name: "cp1", PeerURLs: []string{"http://localhost:1"}}}
	good := drill.Restoration{File: file, DataDirectory: data, Name: "cp1", Cluster: one, Token: "new"}
	_, err := drill.Restore(context.Background(), child(t), good)
	if err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("a data directory in use: %v", err)
	}
	if content, err := os.ReadFile(filepath.Join(data, "member")); string(content) != "precious" {
		t.Errorf("it was touched: %q, %v", content, err)
	}
	// A restoration that fails leaves nothing.
	fresh := filepath.Join(t.TempDir(), "etcd")
	bad := good
	bad.DataDirectory, bad.File = fresh, damage(t, file, func(b []byte) []byte { b[9000] ^= 1; return b })
	if _, err := drill.Restore(context.Background(), child(t), bad); !errors.Is(err, etcd.ErrWrongSum) {
		t.Errorf("restoring a damaged snapshot: %v", err)
	}
	if _, err := os.Stat(fresh); !os.IsNotExist(err) {
		t.Errorf("a failed restoration left %s: %v", fresh, err)
	}
}
