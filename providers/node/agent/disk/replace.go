package disk

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
)

// Replacement is what Replace writes.
type Replacement struct {
	Data []byte
	Mode fs.FileMode
	// UID and GID own the new file. They are set only where they differ from what the process makes anyway, so that a
	// process without privileges can replace its own files.
	UID, GID int
}

// Replace replaces the file name in this directory, or makes it: a new file beside it is written and made durable, then
// renamed over it, then the directory is made durable. Before each of these, at is called with the step's name ("create",
// "write", "sync", "rename", "syncdir"); it may be nil. After a crash the old or the new file is there, whole, and perhaps
// a file that Leftover recognises.
func (d *Dir) Replace(name string, r Replacement, at func(step string)) error {
	return d.Write(name, r.Mode, r.UID, r.GID, at, func(w io.Writer) error {
		_, err := w.Write(r.Data)
		return err
	})
}

// Write is Replace for contents that are produced by a function.
func (d *Dir) Write(name string, mode fs.FileMode, uid, gid int, at func(step string), fill func(io.Writer) error) (err error) {
	if at == nil {
		at = func(string) {}
	}
	p := path.Join(d.path, name)
	temp := Temporary(name)
	at("create")
	f, err := d.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write beside %s: %w", p, bare(err))
	}
	defer func() {
		if err != nil {
			f.Close()
			_ = d.root.Remove(temp)
		}
	}()
	at("write")
	if err := fill(f); err != nil {
		return fmt.Errorf("write beside %s: %w", p, bare(err))
	}
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("write beside %s: %w", p, bare(err))
	}
	if made := describe(info); made.UID != uid || made.GID != gid {
		if err := f.Chown(uid, gid); err != nil {
			return fmt.Errorf("give %s its owner %d:%d: %w", p, uid, gid, bare(err))
		}
	}
	if err := f.Chmod(mode.Perm()); err != nil {
		return fmt.Errorf("give %s its mode: %w", p, bare(err))
	}
	at("sync")
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", p, bare(err))
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write beside %s: %w", p, bare(err))
	}
	at("rename")
	if err := d.root.Rename(temp, name); err != nil {
		return fmt.Errorf("rename over %s: %w", p, bare(err))
	}
	at("syncdir")
	return d.Sync()
}

// Lock takes the lock file name in this directory, without waiting. The lock ends with the returned function or with the
// process, whatever comes first.
func (d *Dir) Lock(name string) (unlock func(), err error) {
	p := path.Join(d.path, name)
	f, err := d.root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, bare(err))
	}
	if err := lockFile(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s is held by another process: %w", p, err)
	}
	return func() { f.Close() }, nil
}
