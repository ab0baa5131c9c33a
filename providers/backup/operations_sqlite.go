package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"upkeep/providers/backup/bundle"
	"upkeep/providers/etcd"
	"upkeep/providers/etcd/drill"
	"upkeep/providers/node/protocol"
	"upkeep/providers/sqlitefile"
)

// databaseCanaries are keys that every cluster of k3s has: a copy without them is none of a cluster.
var databaseCanaries = []string{"/registry/namespaces/kube-system", "/registry/namespaces/default"}

// copyDatabase streams the database of a k3s server into the bundle, and for a drill into a file beside it, and proves it.
func (t taker) copyDatabase(ctx context.Context, w *bundle.Writer, m *bundle.Manifest) (err error) {
	part, err := w.Part(DatabasePart)
	if err != nil {
		return err
	}
	check := sqlitefile.NewChecker()
	into, file := io.MultiWriter(part, check), ""
	if t.directory != "" {
		file = filepath.Join(t.directory, "state.db")
		f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer f.Close()
		into = io.MultiWriter(part, check, f)
	}
	stream, err := t.SQLite(ctx, t.from.node)
	if err != nil {
		return err
	}
	answer, err := protocol.ReceiveSQLite(ctx, stream, into)
	if err = errors.Join(err, stream.Close()); err != nil {
		return fmt.Errorf("database of k3s on %s: %w", t.from.node, err)
	}
	if err := part.Close(); err != nil {
		return err
	}
	if err := check.Finish(); err != nil {
		return fmt.Errorf("database of k3s on %s: %w", t.from.node, err)
	}
	t.progress.Say("database of %s from %s (%s of it from its log), SHA-256 as the node read it", bytes(answer.Size), t.from.node, count(answer.Frames, "page"))
	m.Datastore, m.Member, m.ClusterID = DatastoreSQLite, t.from.node, t.from.database.ClusterID
	if file == "" {
		return nil
	}
	contents, err := openDatabase(ctx, t.drill, file)
	if err != nil {
		return err
	}
	m.Revision, m.Keys, m.Hash, m.HashRevision = contents.Revision, contents.Keys, contents.Hash, contents.Revision
	t.progress.Say("opened it: every page and index is intact, revision %d, %d keys, hash %08x", contents.Revision, contents.Keys, contents.Hash)
	return os.Remove(file)
}

// openDatabase has the child open a database and read all of it, and wants a cluster in it.
func openDatabase(ctx context.Context, o drill.Options, file string) (etcd.Contents, error) {
	contents, err := drill.Database(ctx, o, file, etcd.Question{Canaries: databaseCanaries})
	if err != nil {
		return contents, err
	}
	for _, c := range contents.Canaries {
		if !c.Found {
			return contents, fmt.Errorf("the database lacks %s, which every cluster has", c.Key)
		}
	}
	return contents, nil
}

// rehearseDatabase opens a bundle's database and compares it with the bundle's manifest. A bundle that was proved by its
// hash alone says nothing of what is in it.
func rehearseDatabase(ctx context.Context, o drill.Options, file string, m bundle.Manifest) (etcd.Contents, error) {
	contents, err := openDatabase(ctx, o, file)
	if err != nil || m.Revision == 0 {
		return contents, err
	}
	saved := etcd.Contents{
		Revision: m.Revision, Keys: m.Keys, Hash: m.Hash, CompactRevision: contents.CompactRevision,
		Prefix: contents.Prefix, PrefixKeys: contents.PrefixKeys,
	}
	return contents, differ(etcd.Differences(saved, contents))
}

// checked copies a snapshot or a database and checks what it says of itself.
func checked(into io.Writer, part *bundle.PartReader) error {
	if part.Name() == DatabasePart {
		check := sqlitefile.NewChecker()
		if _, err := io.Copy(io.MultiWriter(into, check), part); err != nil {
			return err
		}
		return check.Finish()
	}
	check := etcd.NewChecker()
	if _, err := io.Copy(io.MultiWriter(into, check), part); err != nil {
		return err
	}
	_, err := check.Finish()
	return err
}

// started says what a drill of a bundle did.
func started(m bundle.Manifest) string {
	if m.Datastore == DatastoreSQLite {
		return "SQLite opened it, every page and index is intact,"
	}
	return "etcd started from it"
}
