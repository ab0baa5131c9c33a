package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
)

// Prepared is a new file that lies, complete and durable, next to the one it is to replace.
type Prepared struct {
	dir        *Dir
	temp, name string
}

// Prepare writes what shall replace the file name of this directory, or be made under that name, next to it, and makes it
// durable. Call Rename or Discard. Mode and owner are the new file's; the owner is set only where it differs from what
// the process makes anyway, so that a process without privileges can replace its own files.
func (d *Dir) Prepare(name string, mode fs.FileMode, uid, gid int, fill func(io.Writer) error) (_ *Prepared, err error) {
	p := path.Join(d.path, name)
	prepared := &Prepared{dir: d, temp: Temporary(name), name: name}
	f, err := d.root.OpenFile(prepared.temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("write next to %s: %w", p, bare(err))
	}
	defer func() {
		if err != nil {
			f.Close()
			prepared.Discard()
		}
	}()
	if err := fill(f); err != nil {
		return nil, fmt.Errorf("write next to %s: %w", p, bare(err))
	}
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("write next to %s: %w", p, bare(err))
	}
	if made := describe(info); made.UID != uid || made.GID != gid {
		if err := f.Chown(uid, gid); err != nil {
			return nil, fmt.Errorf("give %s its owner %d:%d: %w", p, uid, gid, bare(err))
		}
	}
	if err := f.Chmod(mode.Perm()); err != nil {
		return nil, fmt.Errorf("give %s its mode: %w", p, bare(err))
	}
	if err := f.Sync(); err != nil {
		return nil, fmt.Errorf("sync %s: %w", p, bare(err))
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("write next to %s: %w", p, bare(err))
	}
	return prepared, nil
}

// Rename puts the new file in its place. It is durable there after the directory's Sync.
func (p *Prepared) Rename() error {
	if err := p.dir.root.Rename(p.temp, p.name); err != nil {
		return fmt.Errorf("rename over %s: %w", path.Join(p.dir.path, p.name), bare(err))
	}
	return nil
}

// Publish puts the new file in its place unless there is something: the error then wraps fs.ErrExist. It is durable there
// after the directory's Sync.
func (p *Prepared) Publish() error {
	if err := p.dir.root.Link(p.temp, p.name); err != nil {
		var le *os.LinkError
		if errors.As(err, &le) {
			err = le.Err
		}
		return fmt.Errorf("%s: %w", path.Join(p.dir.path, p.name), bare(err))
	}
	p.Discard()
	return nil
}

// Discard removes the new file, if it was not renamed.
func (p *Prepared) Discard() { _ = p.dir.root.Remove(p.temp) }

// Write replaces the file name in this directory, or makes it: Prepare, Rename, Sync. After a crash the old or the new
// file is there, complete, and perhaps one that Leftover recognises.
func (d *Dir) Write(name string, mode fs.FileMode, fill func(io.Writer) error) error {
	prepared, err := d.Prepare(name, mode, os.Geteuid(), os.Getegid(), fill)
	if err != nil {
		return err
	}
	if err := prepared.Rename(); err != nil {
		prepared.Discard()
		return err
	}
	return d.Sync()
}

// WriteFile is Write for bytes at hand.
func (d *Dir) WriteFile(name string, mode fs.FileMode, data []byte) error {
	return d.Write(name, mode, Bytes(data))
}

// Bytes returns a function that writes data, for Prepare and Write.
func Bytes(data []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}
}

// Sweep removes what interrupted writes of the file name left in this directory. Nobody else may be writing it.
func (d *Dir) Sweep(name string) error {
	entries, err := d.List()
	if err != nil {
		return err
	}
	for _, e := range entries {
		if Leftover(e.Name, name) {
			if err := d.Remove(e.Name); err != nil {
				return err
			}
		}
	}
	return nil
}
