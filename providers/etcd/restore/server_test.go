package restore_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.uber.org/zap"

	"upkeep/providers/etcd"
	"upkeep/providers/etcd/drill"
	"upkeep/providers/etcd/restore"
)

// TestMain is the child where a test started it as one, and a parent of one where a test is about its death.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "parent":
		_, err := drill.Drill(context.Background(), drill.Options{Program: os.Args[1], Directory: os.Args[2]}, os.Args[3], etcd.Question{}, 0)
		fmt.Println(err)
		return
	case "upkeep-etcd":
		if err := restore.Serve(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child returns options that run this program as the child.
func child(t testing.TB) drill.Options {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	directory := t.TempDir()
	if err := os.Symlink(self, filepath.Join(directory, "upkeep-etcd")); err != nil {
		t.Fatal(err)
	}
	program, err := drill.Program(directory)
	if err != nil {
		t.Fatal(err)
	}
	return drill.Options{Program: program, Directory: t.TempDir()}
}

// member is a real etcd of one member, on a unix socket.
type member struct {
	t      testing.TB
	client *clientv3.Client
	dial   etcd.Dialer
	server *embed.Etcd
}

// startMember starts a member with an empty data directory, or with the one given.
func startMember(t testing.TB, data string) member {
	t.Helper()
	sockets, err := os.MkdirTemp("", "etcd") // short: the path of a socket is limited
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(sockets) })
	if data == "" {
		data = t.TempDir()
	}
	socket := func(name string) []url.URL { return []url.URL{{Scheme: "unix", Path: filepath.Join(sockets, name)}} }
	config := embed.NewConfig()
	config.Name, config.Dir = "cp1", data
	config.InitialCluster = "cp1=http://localhost:1"
	config.AdvertisePeerUrls = []url.URL{{Scheme: "http", Host: "localhost:1"}}
	config.ListenPeerUrls, config.ListenClientUrls, config.AdvertiseClientUrls = socket("p:0"), socket("c:0"), socket("c:0")
	config.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	config.UnsafeNoFsync = true
	config.TickMs, config.ElectionMs = 10, 100
	config.QuotaBackendBytes = 8 << 30
	server, err := embed.StartEtcd(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	<-server.Server.ReadyNotify()
	client := v3client.New(server.Server)
	t.Cleanup(func() { client.Close() })
	return member{t: t, client: client, server: server, dial: func(ctx context.Context, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", filepath.Join(sockets, "c:0"))
	}}
}

func (m member) put(key, value string) {
	m.t.Helper()
	if _, err := m.client.Put(context.Background(), key, value); err != nil {
		m.t.Fatal(err)
	}
}

// fill writes what a small cluster holds: objects, some changed, some deleted.
func (m member) fill(objects int) {
	m.t.Helper()
	for i := range objects {
		m.put(fmt.Sprintf("/registry/configmaps/default/c%04d", i), fmt.Sprintf("value %d of some length, to fill pages", i))
	}
	for i := 0; i < objects; i += 3 {
		m.put(fmt.Sprintf("/registry/configmaps/default/c%04d", i), "changed")
	}
	for i := 0; i < objects; i += 5 {
		if _, err := m.client.Delete(context.Background(), fmt.Sprintf("/registry/configmaps/default/c%04d", i)); err != nil {
			m.t.Fatal(err)
		}
	}
	m.put("/registry/namespaces/kube-system", "canary")
	m.put("elsewhere", "not Kubernetes")
}

// save takes a snapshot into a file.
func (m member) save() (string, etcd.Snapshot) {
	m.t.Helper()
	file := filepath.Join(m.t.TempDir(), "snapshot.db")
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		m.t.Fatal(err)
	}
	defer f.Close()
	taken, err := etcd.TakeSnapshot(context.Background(), "cp1", m.dial, f)
	if err != nil {
		m.t.Fatal(err)
	}
	return file, taken
}

// damage writes a changed copy of a file.
func damage(t testing.TB, file string, change func([]byte) []byte) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "damaged.db")
	if err := os.WriteFile(copied, change(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return copied
}
