// Package durable replaces files so that a crash at any instant leaves the old content or the new, never a mixture.
//
// It is four steps: write a temporary file next to the target, fsync it, rename it over the target, fsync the directory.
// Without the last one, the rename itself may be lost with the power although the caller was told that it happened.
// It does not lock: two writers of one file must agree by other means.
package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"

	"github.com/google/renameio/v2"
)

// Tracer is told of each boundary of a durable action just after it was crossed ("written", "renamed"). Tests stop the
// process there; everybody else leaves it nil.
type Tracer func(boundary string)

// At calls t, if there is one.
func (t Tracer) At(boundary string) {
	if t != nil {
		t(boundary)
	}
}

// Under returns a tracer that tells t of the same boundaries with a prefix to their names.
func (t Tracer) Under(prefix string) Tracer {
	if t == nil {
		return nil
	}
	return func(boundary string) { t(prefix + boundary) }
}

// Replace gives path the content data and the mode, whatever the umask. The directory must exist. When it returns nil,
// content and name are on stable storage.
func Replace(path string, data []byte, mode os.FileMode, trace Tracer) error {
	dir := filepath.Dir(path)
	file, err := renameio.NewPendingFile(path, renameio.WithTempDir(dir), renameio.WithStaticPermissions(mode))
	if err != nil {
		return fmt.Errorf("create a temporary file for %s: %w", path, err)
	}
	defer file.Cleanup()
	trace.At("created")
	if _, err := file.Write(data); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	trace.At("written")
	if err := file.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("replace %s: %w", path, err)
	}
	trace.At("renamed")
	if err := SyncDirectory(dir); err != nil {
		return err
	}
	trace.At("synced")
	return nil
}

// Remove deletes path and makes that durable. A path that is not there is no error.
func Remove(path string) error {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	return SyncDirectory(filepath.Dir(path))
}

// MakeDirectory creates a directory (0700) with those above it, where it is not there, and makes its name durable. The
// directory is upkeep's own and may hold secrets: Git leaves it alone.
func MakeDirectory(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return KeepOutOfGit(dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create directory %s: %w", dir, err)
	}
	if err := KeepOutOfGit(dir); err != nil {
		return err
	}
	return SyncDirectory(filepath.Dir(dir))
}

// KeepOutOfGit writes a .gitignore into a directory by which Git leaves out all that is in it (gitignore(5)). One that is
// there stays unchanged, and a directory that nobody may write to has none: that keeps nothing from going on.
func KeepOutOfGit(dir string) error {
	file, err := os.OpenFile(filepath.Join(dir, ".gitignore"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.ENOSPC) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("keep %s out of Git: %w", dir, err)
	}
	_, _ = file.WriteString("*\n") // on a full disk, what is to be kept says so itself
	return file.Close()
}

// SyncDirectory makes the names in a directory durable: created, renamed and removed files.
func SyncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open directory %s to sync it: %w", dir, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync directory %s: %w", dir, err)
	}
	return nil
}

var leftover = regexp.MustCompile(`^[0-9]+$`)

// RemoveLeftovers deletes the temporary files that killed processes left next to path. The caller must hold the lock
// that writers of path hold, or it deletes a file that another process is about to rename.
func RemoveLeftovers(path string) error {
	prefix := "." + filepath.Base(path)
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		if len(name) > len(prefix) && name[:len(prefix)] == prefix && leftover.MatchString(name[len(prefix):]) && entry.Type().IsRegular() {
			if err := os.Remove(filepath.Join(filepath.Dir(path), name)); err != nil && !os.IsNotExist(err) {
				return err
			}
		}
	}
	return nil
}
