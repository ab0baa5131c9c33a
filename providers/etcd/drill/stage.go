package drill

import (
	"fmt"
	"os"
	"path/filepath"
)

// stage is a data directory in the making: a directory inside the one that it will be, so that the last step is a
// rename on one file system, also where the data directory is a mount point.
type stage struct {
	path   string // the stage itself
	target string
	made   bool // the target did not exist before
	done   bool
}

const stagePattern = ".upkeep-restoring-"

// prepare makes the target, where it does not exist, and the stage in it.
func prepare(target string) (*stage, error) {
	s := &stage{target: target}
	entries, err := os.ReadDir(target)
	switch {
	case os.IsNotExist(err):
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return nil, err
		}
		if err := os.Mkdir(target, 0o700); err != nil {
			return nil, err
		}
		s.made = true
	case err != nil:
		return nil, fmt.Errorf("data directory: %w", err)
	case len(entries) > 0:
		return nil, fmt.Errorf("data directory %s is not empty: it holds %s. upkeep never overwrites one; stop its etcd and move it aside with `mv %s %s.old`", target, entries[0].Name(), target, target)
	}
	if s.path, err = os.MkdirTemp(target, stagePattern); err != nil {
		s.abandon()
		return nil, err
	}
	return s, nil
}

// settle moves what was made into its place.
func (s *stage) settle() error {
	if err := os.Chmod(s.target, 0o700); err != nil {
		return err
	}
	if err := syncTree(s.path); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(s.path, "member"), filepath.Join(s.target, "member")); err != nil {
		return err
	}
	s.done = true
	if err := os.RemoveAll(s.path); err != nil {
		return err
	}
	return syncOne(s.target)
}

// abandon removes what was made, unless it has settled.
func (s *stage) abandon() {
	if s.done {
		return
	}
	if s.path != "" {
		os.RemoveAll(s.path)
	}
	if s.made {
		os.Remove(s.target) // only when empty
	}
}

// syncTree makes a directory and all that is in it durable.
func syncTree(root string) error {
	return filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return syncOne(path)
	})
}

func syncOne(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
