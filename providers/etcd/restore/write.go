package restore

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"go.etcd.io/etcd/etcdutl/v3/snapshot"

	"upkeep/providers/etcd"
	"upkeep/providers/etcd/drill"
)

// write restores a member's data directory and reads back what is in it. The directory is the parent's stage.
func write(ctx context.Context, r drill.Restoration) (*drill.Inspection, error) {
	var cluster, own []string
	for _, p := range r.Cluster {
		for _, u := range p.PeerURLs {
			cluster = append(cluster, p.Name+"="+u)
		}
		if p.Name == r.Name {
			own = p.PeerURLs
		}
	}
	if err := restore(r.File, snapshot.RestoreConfig{
		Name: r.Name, OutputDataDir: r.DataDirectory, PeerURLs: own, InitialCluster: strings.Join(cluster, ","), InitialClusterToken: r.Token,
		RevisionBump: r.Bump, MarkCompacted: r.MarkCompacted,
	}); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return Inspect(ctx, databaseOf(r.DataDirectory), etcd.KubernetesPrefix)
}

// restore is etcd's own restore; it compares the checksum again while it copies.
func restore(file string, config snapshot.RestoreConfig) error {
	config.SnapshotPath = file
	if err := snapshot.NewV3(logger()).Restore(config); err != nil {
		return err
	}
	// etcd makes its directories 0700 and its files 0600 or 0644, by version; nobody but etcd reads them.
	return filepath.WalkDir(config.OutputDataDir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return os.Chmod(path, 0o600)
	})
}

// databaseOf returns the database in a data directory.
func databaseOf(directory string) string { return filepath.Join(directory, "member", "snap", "db") }
