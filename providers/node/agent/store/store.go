// Package store is the directory on a node in which everything that outlives a request is kept, and who may be let near
// it: root alone. What is in it is the business of the packages that put it there.
package store

import (
	"errors"
	"fmt"
	"path"
	"time"

	"upkeep/providers/node/agent/disk"
)

// Dir is that directory.
const Dir = "/var/lib/upkeep"

// Open makes Dir where it is not there, and checks that nobody but root could have put anything into it.
func Open(d *disk.Disk) (*disk.Dir, error) {
	parent, err := d.Dir(path.Dir(Dir))
	if err != nil {
		return nil, err
	}
	if err := parent.Trust(); err != nil {
		return nil, err
	}
	base, err := parent.Mkdir(path.Base(Dir), 0o700)
	if err != nil {
		return nil, err
	}
	if err := base.Trust(); err != nil {
		return nil, err
	}
	return base, nil
}

// Look opens Dir, or a directory below it, without making it. An error wraps fs.ErrNotExist where it is not there.
func Look(d *disk.Disk, below ...string) (*disk.Dir, error) {
	dir, err := d.Dir(path.Join(append([]string{Dir}, below...)...))
	if err != nil {
		return nil, err
	}
	if err := dir.Trust(); err != nil {
		return nil, err
	}
	return dir, nil
}

// Private makes a directory that only its owner may even look into; one that is there must be such a one.
func Private(parent *disk.Dir, name string) (*disk.Dir, error) {
	dir, err := parent.Mkdir(name, 0o700)
	if err != nil {
		return nil, err
	}
	if err := dir.Trust(); err != nil {
		return nil, err
	}
	mode, err := dir.Mode()
	if err != nil {
		return nil, err
	}
	if mode.Perm() != 0o700 {
		return nil, fmt.Errorf("%s has mode %04o, not 0700, and it holds private keys: `chmod 0700 %s`, and find out who opened it",
			dir.Path(), mode.Perm(), dir.Path())
	}
	return dir, nil
}

// lockPoll is how often a lock that another process holds is tried again.
const lockPoll = 20 * time.Millisecond

// Wait takes a lock file of a directory, waiting for another process to give it back, at most for so long. The error then
// wraps disk.ErrLocked.
func Wait(dir *disk.Dir, name string, limit time.Duration) (unlock func(), err error) {
	for deadline := time.Now().Add(limit); ; time.Sleep(lockPoll) {
		unlock, err = dir.Lock(name)
		if !errors.Is(err, disk.ErrLocked) || time.Now().After(deadline) {
			return unlock, err
		}
	}
}
