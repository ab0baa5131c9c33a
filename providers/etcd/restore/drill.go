package restore

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"upkeep/providers/etcd"
	"upkeep/providers/etcd/drill"
)

// The server's sockets, in its directory. A unix socket's path is limited to about 100 bytes, and a directory for
// temporary files may be deep: the process goes there and names them alone.
const (
	clientSocket = "client.sock:0"
	peerSocket   = "peer.sock:0"
)

// run restores a snapshot into the request's directory, serves it, and asks it. The process changes into the directory.
func run(ctx context.Context, request drill.DrillRequest) (*etcd.Contents, error) {
	if err := os.Chdir(request.Directory); err != nil {
		return nil, err
	}
	const data = "data"
	// Nobody ever connects to this peer URL, and nothing listens on it.
	const nobody = "http://localhost:1"
	// The log of a copy that is only read stays short; etcd sets aside 64 MB for it, and in a /tmp that is memory.
	wal.SegmentSizeBytes = 1 << 20
	if err := restore(request.File, snapshot.RestoreConfig{
		Name: "drill", OutputDataDir: data, PeerURLs: []string{nobody}, InitialCluster: "drill=" + nobody, InitialClusterToken: "drill",
	}); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if request.Question.Revision == 0 {
		// Read before the server starts: leases that run out while it serves make new revisions.
		var err error
		if request.Question.Revision, err = newest(databaseOf(data)); err != nil {
			return nil, err
		}
	}
	server, err := start(ctx, data, nobody)
	if err != nil {
		return nil, err
	}
	defer server.Close()
	dial := func(ctx context.Context, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", clientSocket)
	}
	contents, err := etcd.Read(ctx, "the restored copy", dial, request.Question)
	if err != nil {
		return nil, cause(ctx, err)
	}
	if request.CompactRevision > contents.CompactRevision && request.CompactRevision <= contents.Revision {
		client := v3client.New(server.Server)
		defer client.Close()
		if _, err := client.Compact(ctx, request.CompactRevision, clientv3.WithCompactPhysical()); err != nil {
			return nil, cause(ctx, fmt.Errorf("compacting the restored copy to revision %d: %w", request.CompactRevision, err))
		}
		if contents, err = etcd.Read(ctx, "the restored copy", dial, request.Question); err != nil {
			return nil, cause(ctx, err)
		}
	}
	return &contents, nil
}

// start serves a data directory on the sockets and waits until it answers.
func start(ctx context.Context, data, advertised string) (*embed.Etcd, error) {
	config := embed.NewConfig()
	config.Name = "drill"
	config.Dir = data
	config.InitialCluster, config.InitialClusterToken = "drill="+advertised, "drill"
	config.AdvertisePeerUrls = urls(advertised)
	config.AdvertiseClientUrls = urls("unix://" + clientSocket)
	config.ListenClientUrls = urls("unix://" + clientSocket)
	config.ListenPeerUrls = urls("unix://" + peerSocket)
	config.ZapLoggerBuilder = embed.NewZapLoggerBuilder(logger())
	config.QuotaBackendBytes = -1 // no quota: the copy is read, and a full one must start as well
	config.UnsafeNoFsync = true   // it lives for seconds
	// There is nobody to stand against in its election, so that it need not wait long to call one.
	config.TickMs, config.ElectionMs = 10, 100
	server, err := embed.StartEtcd(config)
	if err != nil {
		return nil, damaged("etcd does not start from it: %w", err)
	}
	select {
	case <-server.Server.ReadyNotify():
		// A snapshot of an etcd with authentication brings its users along. The copy is reached through a socket that only
		// this user can enter, and is asked by nobody else.
		if users := server.Server.AuthStore(); users.IsAuthEnabled() {
			users.AuthDisable()
		}
		return server, nil
	case err := <-server.Err():
		server.Close()
		return nil, damaged("etcd stopped when it started from it: %w", err)
	case <-ctx.Done():
		server.Close()
		return nil, context.Cause(ctx)
	}
}

// newest returns the newest revision in a database.
func newest(file string) (int64, error) {
	db, err := bolt.Open(filepath.Clean(file), 0o400, &bolt.Options{ReadOnly: true})
	if err != nil {
		return 0, damaged("it does not open: %w", err)
	}
	defer db.Close()
	var revision int64
	err = db.View(func(tx *bolt.Tx) error {
		keys := tx.Bucket([]byte("key"))
		if keys == nil {
			return damaged("it is a database, but not etcd's: it has no bucket %q", "key")
		}
		last, _ := keys.Cursor().Last()
		revision, err = revisionOf(last)
		return err
	})
	return revision, err
}

// cause is why ctx ended, where it did; err otherwise.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func urls(raw string) []url.URL {
	u, err := url.Parse(raw)
	if err != nil {
		panic(err) // ours, and constant
	}
	return []url.URL{*u}
}

// logger writes what etcd says before it gives up to standard error, where the parent reads it; the rest is no news.
func logger() *zap.Logger {
	encoder := zapcore.NewConsoleEncoder(zapcore.EncoderConfig{LevelKey: "level", EncodeLevel: zapcore.CapitalLevelEncoder, MessageKey: "message", ConsoleSeparator: " "})
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(os.Stderr), zapcore.DPanicLevel))
}
