package backup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"upkeep/providers/etcd/drill"
)

// What begins the names of work directories, and the file in each whose lock says that somebody works there.
const (
	workDirectoryPrefix = "upkeep-bundle-"
	workDirectoryLock   = "lock"
)

// Work directory makes a directory for what a drill needs in the clear: only its owner can enter, and the caller removes it
// afterwards. What the drill itself makes belongs into it. One that a process left behind which was killed is removed by
// Sweep.
func WorkDirectory(o drill.Options) (directory string, remove func() error, err error) {
	if err := Sweep(o.Directory); err != nil {
		return "", nil, err
	}
	directory, err = os.MkdirTemp(o.Directory, workDirectoryPrefix) // 0700
	if err != nil {
		return "", nil, err
	}
	lock := flock.New(filepath.Join(directory, workDirectoryLock))
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

// lockGrace is how long a work directory may be without a lock: it is made first and locked then.
const lockGrace = time.Minute

// Sweep removes the work directories of processes that are gone, below a directory; empty is the system's directory for temporary
// files. It costs one look at that directory. The lock in a work directory tells whether somebody works there; one that is
// another user's, or that others may enter, is left alone.
func Sweep(parent string) error {
	if parent == "" {
		parent = os.TempDir()
	}
	left, err := filepath.Glob(filepath.Join(parent, workDirectoryPrefix+"*"))
	if err != nil {
		return err
	}
	for _, directory := range left {
		info, err := os.Lstat(directory)
		if err != nil || !private(info) {
			continue // gone, or none of ours
		}
		path := filepath.Join(directory, workDirectoryLock)
		if lock, err := os.Lstat(path); err != nil && time.Since(info.ModTime()) < lockGrace || err == nil && !lock.Mode().IsRegular() {
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

// private reports whether a directory is this user's, and nobody else's to enter.
func private(info os.FileInfo) bool {
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.IsDir() && info.Mode().Perm() == 0o700 && int(owner.Uid) == os.Getuid()
}
