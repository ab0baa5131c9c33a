package backup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"upkeep/providers/etcd/drill"
)

// What begins the names of workshops, and the file in each whose lock says that somebody works there.
const (
	workshopPrefix = "upkeep-bundle-"
	workshopLock   = "lock"
)

// workshop is a directory for what a drill needs in the clear: only its owner can enter, and it is removed afterwards. One
// that a process left behind which was killed is removed by the next that needs one.
func workshop(o drill.Options) (directory string, remove func() error, err error) {
	if err := sweep(o.Directory); err != nil {
		return "", nil, err
	}
	directory, err = os.MkdirTemp(o.Directory, workshopPrefix) // 0700
	if err != nil {
		return "", nil, err
	}
	lock := flock.New(filepath.Join(directory, workshopLock))
	remove = func() error {
		err := errors.Join(os.RemoveAll(directory), lock.Close())
		if err != nil {
			return fmt.Errorf("a snapshot, with the cluster's secrets, is left behind: remove it with `rm -r %s`: %w", directory, err)
		}
		return nil
	}
	if held, err := lock.TryLock(); err != nil || !held {
		return "", nil, errors.Join(fmt.Errorf("lock %s: %w", directory, err), remove())
	}
	return directory, remove, nil
}

// youth is how long a workshop may be without a lock: it is made first and locked then.
const youth = time.Minute

// sweep removes the workshops of processes that are gone.
func sweep(parent string) error {
	if parent == "" {
		parent = os.TempDir()
	}
	left, err := filepath.Glob(filepath.Join(parent, workshopPrefix+"*"))
	if err != nil {
		return err
	}
	for _, directory := range left {
		info, err := os.Lstat(directory)
		if err != nil || !info.IsDir() {
			continue // gone, or none of ours
		}
		path := filepath.Join(directory, workshopLock)
		if _, err := os.Lstat(path); err != nil && time.Since(info.ModTime()) < youth {
			continue
		}
		lock := flock.New(path)
		held, err := lock.TryLock()
		if err != nil || !held {
			continue // somebody works there, or it is another user's
		}
		if err := errors.Join(os.RemoveAll(directory), lock.Close()); err != nil {
			return fmt.Errorf("a run that was killed left a snapshot, with the cluster's secrets: remove it with `rm -r %s`: %w", directory, err)
		}
	}
	return nil
}
