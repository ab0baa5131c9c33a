package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	agekeys "filippo.io/age"
	"github.com/rogpeppe/go-internal/testscript"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.uber.org/zap"

	"upkeep/fixtures/fakecluster"
	"upkeep/providers/backup/bundle"
	"upkeep/providers/facts"
	"upkeep/providers/store"
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

// publicKey keeps the public key that the last command printed: public-key VARIABLE.
func publicKey(ts *testscript.TestScript, _ bool, args []string) {
	fields := strings.Fields(ts.ReadFile("stdout"))
	for _, field := range fields {
		if strings.HasPrefix(field, "ed25519:") {
			ts.Setenv(args[0], field)
			return
		}
	}
	ts.Fatalf("no public key was printed")
}

// either runs a command whose exit code another script is about: either COMMAND...
func either(ts *testscript.TestScript, _ bool, args []string) {
	_ = ts.Exec(args[0], args[1:]...)
}

// forgery is a bundle that somebody puts into a store who can write there, and has no key of the state.
type forgery struct {
	id      string        // empty: one of its own
	age     time.Duration // before 14:00
	address string
	cluster string
	plain   bool
	copied  bool // the signature of the newest bundle stands on it
}

// forge puts a bundle into a store that nobody of this state wrote: forge DIRECTORY KIND.
func forge(ts *testscript.TestScript, _ bool, args []string) {
	directory := ts.MkAbs(args[0])
	ids := bundlesIn(ts, args[0])
	newest := ids[len(ids)-1]
	s, err := store.File(directory)
	ts.Check(err)
	label, err := bundle.ReadLabel(context.Background(), s, newest)
	ts.Check(err)
	f := map[string]forgery{
		"substituted": {id: newest}, "forged": {age: -time.Minute}, "copied": {age: -time.Minute, copied: true},
		"foreign": {age: -time.Minute, cluster: "cafe"}, "block": {age: -time.Minute, address: "etcd_backup.other"},
		"future": {age: -2 * 365 * 24 * time.Hour}, "plain": {age: -time.Minute, plain: true},
	}[args[1]]
	if f.id == "" {
		f.id = strings.TrimSuffix(newest, newest[len(newest)-8:]) + "f0" + fmt.Sprintf("%06x", len(args[1]))
	} else {
		ts.Check(bundle.Remove(context.Background(), s, newest))
	}
	options := bundle.Options{}
	if !f.plain {
		options.To, err = bundle.ParseRecipients([]string{ts.Getenv("RECIPIENT")})
		ts.Check(err)
	}
	if f.copied {
		options.Sign = func([]byte) facts.Signature { return label.Signature }
	}
	_, err = bundle.Save(context.Background(), s, f.id, options, func(w *bundle.Writer) (bundle.Manifest, error) {
		m := label.Manifest
		m.ID, m.TakenAt, m.Parts = f.id, label.TakenAt.Add(-f.age), nil
		if f.cluster != "" {
			m.ClusterID = f.cluster
		}
		if f.address != "" {
			m.Address = f.address
		}
		part, err := w.Part("etcd/snapshot.db")
		if err != nil {
			return m, err
		}
		if _, err := io.WriteString(part, "a database with the forger's admin in it"); err != nil {
			return m, err
		}
		return m, part.Close()
	})
	ts.Check(err)
	ts.Setenv("FORGED", f.id)
}

// damageBundle flips a byte in the middle of the newest bundle of a directory, or in the header of its encryption:
// damage-bundle DIRECTORY [header].
func damageBundle(ts *testscript.TestScript, _ bool, args []string) {
	ids := bundlesIn(ts, args[0])
	path := filepath.Join(ts.MkAbs(args[0]), bundle.Name(ids[len(ids)-1]))
	data, err := os.ReadFile(path)
	ts.Check(err)
	at := len(data) / 2
	if len(args) > 1 {
		at = 60 // inside the stanza of the first recipient
	}
	data[at] ^= 1
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
