package backup_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.uber.org/zap"

	"upkeep/providers"
	"upkeep/providers/backup"
	"upkeep/providers/backup/bundle"
	"upkeep/providers/facts"
	"upkeep/providers/node/agent/cold"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/store"
)

// startOn starts an etcd on a data directory.
func startOn(t *testing.T, directory string) *embed.Etcd {
	t.Helper()
	sockets, err := os.MkdirTemp("", "etcd") // short: the path of a socket is limited
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(sockets) })
	socket := func(name string) []url.URL { return []url.URL{{Scheme: "unix", Path: filepath.Join(sockets, name)}} }
	c := embed.NewConfig()
	c.Name, c.Dir, c.InitialCluster = "cp1", directory, "cp1=http://localhost:1"
	c.AdvertisePeerUrls = []url.URL{{Scheme: "http", Host: "localhost:1"}}
	c.ListenPeerUrls, c.ListenClientUrls, c.AdvertiseClientUrls = socket("p:0"), socket("c:0"), socket("c:0")
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	c.UnsafeNoFsync, c.TickMs, c.ElectionMs = true, 10, 100
	server, err := embed.StartEtcd(c)
	if err != nil {
		t.Fatal(err)
	}
	<-server.Server.ReadyNotify()
	return server
}

// darkSite is a cluster whose one member, on cp1, was stopped after it had written something; cp2 has no data.
func darkSite(t *testing.T) *site {
	t.Helper()
	s := newSiteWithoutMember(t, backup.LevelRestore)
	server := startOn(t, filepath.Join(s.roots["cp1"], "var/lib/etcd"))
	client := v3client.New(server.Server)
	for i := range 50 {
		if _, err := client.Put(t.Context(), fmt.Sprintf("/registry/c%d", i), "written just before"); err != nil {
			t.Fatal(err)
		}
	}
	client.Close()
	server.Close()
	s.dial = func(_ context.Context, node string) (net.Conn, error) {
		return nil, errors.New(node + ": connection refused")
	}
	open := func(node string) *disk.Disk {
		d, err := disk.Open(s.roots[node])
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	s.changed = func(w *facts.World) {
		for name := range s.roots {
			d := open(name)
			w.Nodes[name].EtcdData = cold.Look(d)
			d.Close()
		}
	}
	s.cold = func(_ context.Context, node string) (io.ReadCloser, error) {
		if node == s.broken {
			return nil, errors.New("ssh: no answer in 10s")
		}
		d := open(node)
		defer d.Close()
		var out bytes.Buffer
		if err := cold.Write(&out, d); err != nil {
			return nil, err
		}
		in := bufio.NewReader(&out)
		_, err := in.ReadString('\n')
		return io.NopCloser(in), err
	}
	return s
}

// cold returns the one step that is due, which copies.
func (s *site) coldStep() providers.Step {
	s.t.Helper()
	steps := s.due()
	if len(steps) != 1 || steps[0].Operation != backup.OperationCold {
		s.t.Fatalf("due: %+v", steps)
	}
	return steps[0]
}

// recoverCold restores the bundle in the store into a directory.
func (s *site) recoverCold(change func(*bundle.Label, *[]byte)) (backup.Recovered, string, error) {
	s.t.Helper()
	label, err := bundle.ReadLabel(s.t.Context(), s.store, s.bundle())
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := s.store.Get(s.t.Context(), bundle.Name(label.ID))
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		s.t.Fatal(err)
	}
	if change != nil {
		change(&label, &data)
	}
	ids, err := bundle.ParseIdentities([]byte(s.key.String()))
	if err != nil {
		s.t.Fatal(err)
	}
	to := filepath.Join(s.t.TempDir(), "restored")
	out, err := backup.Recover(s.t.Context(), backup.Recovery{Stored: bytes.NewReader(data), Label: label, Identities: ids, Directory: to})
	return out, to, err
}

// bundle returns the id of the one bundle in the store.
func (s *site) bundle() string {
	for _, name := range s.names() {
		if id, label, ok := bundle.ParseName(name); ok && label {
			return id
		}
	}
	s.t.Fatalf("no bundle: %q", s.names())
	return ""
}

// The data of a stopped member goes into a bundle and comes out of it, and an etcd starts from it with everything that was
// written; no proof is remembered, and it is not due again.
func TestCold(t *testing.T) {
	s := darkSite(t)
	if err := s.run(s.coldStep()); err != nil {
		t.Fatal(err)
	}
	if len(s.proofs()) > 0 {
		t.Errorf("proofs: %+v", s.proofs())
	}
	if steps := s.due(); len(steps) > 0 {
		t.Errorf("due again: %+v", steps)
	}
	label, err := bundle.ReadLabel(t.Context(), s.store, s.bundle())
	if err != nil {
		t.Fatal(err)
	}
	if !label.Cold || !strings.Contains(label.Unproved, "connection refused") || label.ClusterID == "" || !strings.Contains(label.ID, label.ClusterID) {
		t.Errorf("label: %+v", label)
	}
	if !slices.Contains(label.Gaps, bundle.Gap{What: "data of the member on cp2", Why: "no data directory of a member is there"}) {
		t.Errorf("gaps: %+v", label.Gaps)
	}
	if _, there := label.Part(backup.NodePart("cp2")); !there {
		t.Errorf("no keys of cp2: %+v", label.Parts)
	}

	out, to, err := s.recoverCold(nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Cold) != 1 || !out.Cold[0].Newest || out.Cold[0].Node != "cp1" || out.Cold[0].From != "/var/lib/etcd" || out.Snapshot != "" || len(out.Nodes) != 2 {
		t.Fatalf("%+v", out)
	}
	if out.Cold[0].DataDirectory != filepath.Join(to, "etcd", "cp1") {
		t.Errorf("%+v", out.Cold[0])
	}
	server := startOn(t, out.Cold[0].DataDirectory)
	defer server.Close()
	client := v3client.New(server.Server)
	defer client.Close()
	got, err := client.Get(t.Context(), "/registry/c49")
	if err != nil || len(got.Kvs) != 1 || string(got.Kvs[0].Value) != "written just before" {
		t.Errorf("%+v, %v", got, err)
	}
}

// What is wrong with a node is a gap; where nothing at all can be had nothing is stored.
func TestColdInTrouble(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*site)
		want   string
	}{
		"the node does not answer": {func(s *site) { s.broken = "cp1" }, "not one member could be copied: cp2: no data directory of a member is there; cp1: ssh: no answer in 10s"},
		"it breaks off": {func(s *site) {
			whole := s.cold
			s.cold = func(ctx context.Context, node string) (io.ReadCloser, error) {
				r, err := whole(ctx, node)
				return io.NopCloser(io.LimitReader(r, 70_000)), err
			}
		}, "its copy is incomplete"},
		"a byte is another": {func(s *site) {
			whole := s.cold
			s.cold = func(ctx context.Context, node string) (io.ReadCloser, error) {
				r, err := whole(ctx, node)
				data, _ := io.ReadAll(r)
				data[5000] ^= 1
				return io.NopCloser(bytes.NewReader(data)), err
			}
		}, "member/snap/db is not what the node read"},
		"the store is full": {func(s *site) { s.store = failing{Store: s.store, full: true} }, store.ErrFull.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			s := darkSite(t)
			step := s.coldStep()
			test.change(s)
			if err := s.run(step); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
			if names := s.names(); len(names) > 0 {
				t.Errorf("left: %q", names)
			}
		})
	}
}

// A member whose copy broke off leaves the others' in the bundle, and nothing of its own in a recovery.
func TestColdOfOneThatBreaksOff(t *testing.T) {
	s := darkSite(t)
	if err := os.CopyFS(filepath.Join(s.roots["cp2"], "var/lib/etcd"), os.DirFS(filepath.Join(s.roots["cp1"], "var/lib/etcd"))); err != nil {
		t.Fatal(err)
	}
	whole := s.cold
	s.cold = func(ctx context.Context, node string) (io.ReadCloser, error) {
		r, err := whole(ctx, node)
		if node == "cp1" && err == nil {
			return io.NopCloser(io.LimitReader(r, 70_000)), nil
		}
		return r, err
	}
	if err := s.run(s.coldStep()); err != nil {
		t.Fatal(err)
	}
	label, err := bundle.ReadLabel(t.Context(), s.store, s.bundle())
	if err != nil || !slices.ContainsFunc(label.Gaps, func(g bundle.Gap) bool { return g.What == "data of the member on cp1" }) {
		t.Errorf("%+v, %v", label.Gaps, err)
	}
	out, to, err := s.recoverCold(nil)
	if err != nil || len(out.Cold) != 1 || out.Cold[0].Node != "cp2" {
		t.Fatalf("%+v, %v", out, err)
	}
	if _, err := os.Stat(filepath.Join(to, "etcd", "cp1")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something of cp1 was written: %v", err)
	}
}

// A member that was started between plan and apply is not copied while it runs.
func TestColdOfARunningMember(t *testing.T) {
	s := darkSite(t)
	step := s.coldStep()
	server := startOn(t, filepath.Join(s.roots["cp1"], "var/lib/etcd"))
	defer server.Close()
	if err := s.run(step); err == nil || !strings.Contains(err.Error(), "no member is stopped: cp1: etcd runs there") {
		t.Error(err)
	}
	s.changed = nil // as if it had been started after that look
	if _, err := s.cold(t.Context(), "cp1"); !errors.Is(err, cold.ErrRunning) {
		t.Error(err)
	}
}

func TestColdIsCheckedAndDamageIsFound(t *testing.T) {
	s := darkSite(t)
	if err := s.run(s.coldStep()); err != nil {
		t.Fatal(err)
	}
	check := func(change func(*[]byte)) error {
		label, err := bundle.ReadLabel(t.Context(), s.store, s.bundle())
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.store.Get(t.Context(), bundle.Name(label.ID))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		data, _ := io.ReadAll(r)
		if change != nil {
			change(&data)
		}
		ids, err := bundle.ParseIdentities([]byte(s.key.String()))
		if err != nil {
			t.Fatal(err)
		}
		_, err = backup.Check(t.Context(), bytes.NewReader(data), label, ids, "")
		return err
	}
	if err := check(nil); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*[]byte){
		"a byte flipped": func(b *[]byte) { (*b)[len(*b)/2] ^= 1 }, "cut off": func(b *[]byte) { *b = (*b)[:len(*b)-4096] },
	} {
		if err := check(change); err == nil {
			t.Errorf("%s, and it is fine", name)
		}
	}
	if _, _, err := s.recoverCold(func(_ *bundle.Label, b *[]byte) { (*b)[len(*b)/2] ^= 1 }); err == nil {
		t.Error("a damaged bundle was restored")
	}
}
