package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	agekeys "filippo.io/age"
	"github.com/rogpeppe/go-internal/testscript"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.uber.org/zap"

	"upkeep/fixtures/fakecluster"
	"upkeep/providers/backup/bundle"
)

// bundlesIn returns the ids of the bundles in a directory, oldest first: their names end in their times.
func bundlesIn(ts *testscript.TestScript, directory string) (ids []string) {
	paths, err := filepath.Glob(filepath.Join(ts.MkAbs(directory), "*"+bundle.Extension))
	ts.Check(err)
	if len(paths) == 0 {
		ts.Fatalf("%s has no bundle", directory)
	}
	for _, path := range paths {
		ids = append(ids, strings.TrimSuffix(filepath.Base(path), bundle.Extension))
	}
	return ids
}

func bundles(ts *testscript.TestScript, _ bool, args []string) {
	ids := bundlesIn(ts, args[0])
	ts.Setenv("OLDEST", ids[0])
	ts.Setenv("NEWEST", ids[len(ids)-1])
}

// damageBundle flips a byte in the middle of the newest bundle of a directory: damage-bundle DIRECTORY.
func damageBundle(ts *testscript.TestScript, _ bool, args []string) {
	ids := bundlesIn(ts, args[0])
	path := filepath.Join(ts.MkAbs(args[0]), bundle.Name(ids[len(ids)-1]))
	data, err := os.ReadFile(path)
	ts.Check(err)
	data[len(data)/2] ^= 1
	ts.Check(os.WriteFile(path, data, 0o600))
}

func identity(ts *testscript.TestScript, _ bool, args []string) {
	key, err := agekeys.GenerateX25519Identity()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(key.String()+"\n"), 0o600))
	ts.Setenv("RECIPIENT", key.Recipient().String())
}

// realEtcd starts an etcd, writes until it has the revision and the keys that the simulated members claim, and keeps its
// snapshot for them.
func realEtcd(ts *testscript.TestScript, _ bool, _ []string) {
	fake := clusterOf(ts)
	world, err := fake.World()
	ts.Check(err)
	directory, err := os.MkdirTemp("", "etcd")
	ts.Check(err)
	defer os.RemoveAll(directory)
	server, stop := startEtcd(ts, directory)
	defer stop()
	client := v3client.New(server.Server)
	defer client.Close()
	revision := world.Etcd.Members[0].HashRevision
	for i := range revision - 1 { // an empty etcd is at revision 1
		_, err := client.Put(context.Background(), fmt.Sprintf("/registry/configmaps/default/c%03d", i%fakecluster.Keys), fmt.Sprint("written at ", i))
		ts.Check(err)
	}
	snapshot, err := client.Snapshot(context.Background())
	ts.Check(err)
	defer snapshot.Close()
	file, err := os.Create(fake.SnapshotFile())
	ts.Check(err)
	_, err = io.Copy(file, snapshot)
	ts.Check(err)
	ts.Check(file.Close())
}

// startEtcd starts an etcd on a data directory.
func startEtcd(ts *testscript.TestScript, directory string) (server *embed.Etcd, stop func()) {
	sockets, err := os.MkdirTemp("", "etcd") // short: the path of a socket is limited
	ts.Check(err)
	socket := func(name string) []url.URL { return []url.URL{{Scheme: "unix", Path: filepath.Join(sockets, name)}} }
	config := embed.NewConfig()
	config.Name, config.Dir, config.InitialCluster = "cp1", directory, "cp1=http://localhost:1"
	config.AdvertisePeerUrls = []url.URL{{Scheme: "http", Host: "localhost:1"}}
	config.ListenPeerUrls, config.ListenClientUrls, config.AdvertiseClientUrls = socket("p:0"), socket("c:0"), socket("c:0")
	config.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	config.UnsafeNoFsync = true
	config.TickMs, config.ElectionMs = 10, 100
	server, err = embed.StartEtcd(config)
	ts.Check(err)
	<-server.Server.ReadyNotify()
	return server, func() { server.Close(); os.RemoveAll(sockets) }
}

// stoppedEtcd leaves the data directory of an etcd that was stopped on each node that is named, and lets no member answer:
// stopped-etcd NODE...
func stoppedEtcd(ts *testscript.TestScript, _ bool, args []string) {
	fake := clusterOf(ts)
	directory, err := os.MkdirTemp("", "etcd")
	ts.Check(err)
	defer os.RemoveAll(directory)
	_, stop := startEtcd(ts, directory)
	stop()
	for _, node := range args {
		at := filepath.Join(fake.Root(node), "var/lib/etcd")
		ts.Check(os.MkdirAll(at, 0o700))
		ts.Check(os.CopyFS(at, os.DirFS(directory)))
	}
	world, err := fake.World()
	ts.Check(err)
	for _, node := range world.NodeNames() {
		ts.Check(fake.Order(node, fakecluster.Fail, "etcd"))
	}
}
