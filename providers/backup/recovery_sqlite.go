package backup

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"upkeep/providers/backup/bundle"
)

// databaseFile is the database in the directory of a recovery.
const databaseFile = "k3s/state.db"

// recoverDatabase checks the database that was unpacked: k3s starts from it as it is.
func (r Recovery) recoverDatabase(ctx context.Context, directory string, m bundle.Manifest) error {
	if len(r.Members) > 0 {
		return errors.New("the bundle is of a k3s server with SQLite, which has no members: leave -member out")
	}
	if _, err := rehearseDatabase(ctx, r.Drill, filepath.Join(directory, databaseFile), m); err != nil {
		return err
	}
	r.say("opened the database: every page and index is intact")
	return os.Remove(filepath.Join(directory, "etcd")) // it is empty: there are no members
}
