// Package disk reads and replaces files of a node without following a symbolic link, ever, and says which files and
// directories other users of the node could have tampered with.
//
// It knows paths, not their meaning: what a certificate or a manifest is is in other packages. Every path is
// absolute and is resolved below the root that Open was given ("/" on a node, a temporary directory in tests), one
// component at a time through os.Root; a component that is a link is an error that names it. Reads are limited in size;
// writes are write-temp, fsync, rename, fsync of the directory.
package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"time"
)

// ErrLink is wrapped by every error about a symbolic link found where a file or directory was expected.
var ErrLink = errors.New("is a symbolic link, which is not followed")

// ErrTooLarge is wrapped by Read's error for a file larger than the limit.
var ErrTooLarge = errors.New("is larger than the limit")

// Disk is the file system of one node. It may be used by several goroutines. Close it when done.
type Disk struct {
	path string
	root *os.Root

	mu    sync.Mutex
	dirs  map[string]*Dir // open directories by their clean path; the root itself is ""
	stale []*Dir          // directories whose name means another by now; somebody may still use them
}

// Info is what is known of a file besides its contents.
type Info struct {
	Mode     fs.FileMode
	UID, GID int
	Modified time.Time
	Size     int64
}

// Permissions returns the mode as operators write it: "0600".
func (i Info) Permissions() string { return fmt.Sprintf("%04o", i.Mode.Perm()) }

// Owner returns the numeric owner as "uid:gid".
func (i Info) Owner() string { return fmt.Sprintf("%d:%d", i.UID, i.GID) }

// Open opens the file system below root, which must be a directory.
func Open(root string) (*Disk, error) {
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, fmt.Errorf("open file system root: %w", err)
	}
	d := &Disk{path: root, root: r, dirs: map[string]*Dir{}}
	info, err := r.Stat(".")
	if err != nil {
		r.Close()
		return nil, fmt.Errorf("open file system root: %w", err)
	}
	d.dirs[""] = &Dir{disk: d, path: "/", root: r, info: info}
	return d, nil
}

// Close closes every directory that was opened through d.
func (d *Disk) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, dir := range d.dirs {
		if name != "" {
			dir.root.Close()
		}
	}
	for _, dir := range d.stale {
		dir.root.Close()
	}
	d.dirs, d.stale = map[string]*Dir{}, nil
	return d.root.Close()
}

// Files returns the file system for those who read what the kernel makes, such as /proc: its links name things that are no
// files. Unlike the other methods it follows links, within the root; nobody but the kernel may have made what is read.
func (d *Disk) Files() fs.FS { return d.root.FS() }

// Real returns the path by which another process would open p: p below the root that Open was given.
func (d *Disk) Real(p string) string { return path.Join(d.path, p) }

// Clean checks that p is an absolute path without "..", "." or empty components, and returns its components.
func Clean(p string) ([]string, error) {
	if !path.IsAbs(p) || path.Clean(p) != p || strings.ContainsRune(p, 0) {
		return nil, fmt.Errorf("%q is not a clean absolute path", p)
	}
	if p == "/" {
		return nil, nil
	}
	return strings.Split(p[1:], "/"), nil
}

// Dir opens the directory p. Each component must be a directory, not a link to one.
func (d *Disk) Dir(p string) (*Dir, error) {
	parts, err := Clean(p)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	key := ""
	at, ok := d.dirs[key]
	if !ok {
		return nil, fmt.Errorf("open %s: %w", p, fs.ErrClosed)
	}
	for _, part := range parts {
		key += "/" + part
		next, ok := d.dirs[key]
		// A cached handle is good only while the name still means the same directory: a renewal may remove and make
		// its own directories again.
		if ok && !next.current(at, part) {
			d.stale = append(d.stale, next)
			delete(d.dirs, key)
			ok = false
		}
		if !ok {
			if next, err = at.descend(part); err != nil {
				return nil, err
			}
			d.dirs[key] = next
		}
		at = next
	}
	return at, nil
}

// Stat returns what is known of the regular file p. A missing file's error is fs.ErrNotExist.
func (d *Disk) Stat(p string) (Info, error) {
	dir, name, err := d.split(p)
	if err != nil {
		return Info{}, err
	}
	return dir.Stat(name)
}

// Read returns the contents of the regular file p, which must not be larger than limit bytes.
func (d *Disk) Read(p string, limit int64) ([]byte, Info, error) {
	dir, name, err := d.split(p)
	if err != nil {
		return nil, Info{}, err
	}
	return dir.Read(name, limit)
}

// Exists reports whether there is anything at p, a link included.
func (d *Disk) Exists(p string) bool {
	dir, name, err := d.split(p)
	if err != nil {
		return false
	}
	_, err = dir.root.Lstat(name)
	return err == nil
}

func (d *Disk) split(p string) (*Dir, string, error) {
	parts, err := Clean(p)
	if err != nil {
		return nil, "", err
	}
	if len(parts) == 0 {
		return nil, "", fmt.Errorf("%s is not a file", p)
	}
	dir, err := d.Dir(path.Dir(p))
	return dir, parts[len(parts)-1], err
}

func readLimited(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%w of %d bytes", ErrTooLarge, limit)
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}
