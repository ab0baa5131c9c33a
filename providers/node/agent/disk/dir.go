package disk

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
)

// Dir is one open directory. It belongs to its Disk, which closes it.
type Dir struct {
	disk   *Disk
	path   string
	root   *os.Root
	info   fs.FileInfo
	parent *Dir
}

// Path returns the directory's path below the disk's root.
func (d *Dir) Path() string { return d.path }

func (d *Dir) descend(name string) (*Dir, error) {
	p := path.Join(d.path, name)
	before, err := d.root.Lstat(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, bare(err))
	}
	if before.Mode()&fs.ModeSymlink != 0 {
		return nil, fmt.Errorf("%s %w", p, ErrLink)
	}
	if !before.IsDir() {
		return nil, fmt.Errorf("%s is not a directory", p)
	}
	root, err := d.root.OpenRoot(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, bare(err))
	}
	// OpenRoot follows links inside the root, so that what was opened must be what was looked at.
	after, err := root.Stat(".")
	if err != nil || !os.SameFile(before, after) {
		root.Close()
		return nil, fmt.Errorf("%s changed while it was opened", p)
	}
	return &Dir{disk: d.disk, path: p, root: root, info: after, parent: d}, nil
}

func (d *Dir) current(parent *Dir, name string) bool {
	info, err := parent.root.Lstat(name)
	return err == nil && d.parent == parent && os.SameFile(info, d.info)
}

// Stat returns what is known of a regular file in this directory.
func (d *Dir) Stat(name string) (Info, error) {
	info, err := d.lstat(name)
	if err != nil {
		return Info{}, err
	}
	return describe(info), nil
}

func (d *Dir) lstat(name string) (fs.FileInfo, error) {
	p := path.Join(d.path, name)
	info, err := d.root.Lstat(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, bare(err))
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return nil, fmt.Errorf("%s %w", p, ErrLink)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", p)
	}
	return info, nil
}

// Open opens a regular file in this directory for reading; the caller closes it.
func (d *Dir) Open(name string) (*os.File, Info, error) {
	before, err := d.lstat(name)
	if err != nil {
		return nil, Info{}, err
	}
	p := path.Join(d.path, name)
	// O_NONBLOCK: somebody may put a FIFO there between looking and opening, and an open for reading would hang.
	f, err := d.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, describe(before), fmt.Errorf("%s: %w", p, bare(err))
	}
	after, err := f.Stat()
	if err != nil || !os.SameFile(before, after) {
		f.Close()
		return nil, describe(before), fmt.Errorf("%s changed while it was opened", p)
	}
	return f, describe(after), nil
}

// Read returns the contents of a regular file in this directory, at most limit bytes.
func (d *Dir) Read(name string, limit int64) ([]byte, Info, error) {
	f, info, err := d.Open(name)
	if err != nil {
		return nil, info, err
	}
	defer f.Close()
	data, err := readLimited(f, limit)
	if err != nil {
		return nil, info, fmt.Errorf("%s: %w", path.Join(d.path, name), bare(err))
	}
	return data, info, nil
}

// Link returns the target of the symbolic link name, as written.
func (d *Dir) Link(name string) (string, bool) {
	target, err := d.root.Readlink(name)
	return target, err == nil
}

// LinkInfo is Link with what is known of the link itself.
func (d *Dir) LinkInfo(name string) (target string, info Info, ok bool) {
	found, err := d.root.Lstat(name)
	if err != nil || found.Mode()&fs.ModeSymlink == 0 {
		return "", Info{}, false
	}
	target, ok = d.Link(name)
	return target, describe(found), ok
}

// Entry is one name of a directory.
type Entry struct {
	Name string
	Info Info
}

// List returns what is in the directory, sorted by name; links and special files are in it, to be judged by the caller.
func (d *Dir) List() ([]Entry, error) {
	f, err := d.root.Open(".")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.path, bare(err))
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.path, bare(err))
	}
	slices.Sort(names)
	entries := make([]Entry, 0, len(names))
	for _, name := range names {
		info, err := d.root.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed at the same time
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path.Join(d.path, name), bare(err))
		}
		entries = append(entries, Entry{Name: name, Info: describe(info)})
	}
	return entries, nil
}

// Mkdir makes a directory with exactly this mode below d and makes its name durable. One that is there already is taken
// unchanged; it must be a directory.
func (d *Dir) Mkdir(name string, mode fs.FileMode) (*Dir, error) {
	p := path.Join(d.path, name)
	err := d.root.Mkdir(name, mode)
	switch {
	case err == nil:
		if err := d.root.Chmod(name, mode); err != nil { // whatever the umask is
			return nil, fmt.Errorf("%s: %w", p, bare(err))
		}
		if err := d.Sync(); err != nil {
			return nil, err
		}
	case !errors.Is(err, fs.ErrExist):
		return nil, fmt.Errorf("%s: %w", p, bare(err))
	}
	return d.disk.Dir(p)
}

// Sync makes the names in this directory durable.
func (d *Dir) Sync() error {
	f, err := d.root.Open(".")
	if err != nil {
		return fmt.Errorf("%s: %w", d.path, bare(err))
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", d.path, bare(err))
	}
	return nil
}

// Remove removes a file of this directory; one that is not there is fine.
func (d *Dir) Remove(name string) error {
	if err := d.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", path.Join(d.path, name), bare(err))
	}
	return nil
}

// RemoveAll removes name and everything below it, following no link.
func (d *Dir) RemoveAll(name string) error {
	if err := d.root.RemoveAll(name); err != nil {
		return fmt.Errorf("%s: %w", path.Join(d.path, name), bare(err))
	}
	return d.Sync()
}

// Temporary returns a name in this directory that nobody can guess, and that Leftover recognises.
func Temporary(name string) string {
	random := make([]byte, 8)
	_, _ = rand.Read(random) // never fails, see crypto/rand
	return "." + name + temporaryMark + hex.EncodeToString(random)
}

const temporaryMark = ".upkeep-"

// Leftover reports whether name was made by Temporary for target: what an interrupted write leaves behind.
func Leftover(name, target string) bool {
	return Unfinished(name) && strings.HasPrefix(name, "."+target+temporaryMark) && len(name) == len(target)+len(temporaryMark)+17
}

// Unfinished reports whether name was made by Temporary for whatever target.
func Unfinished(name string) bool {
	i := strings.LastIndex(name, temporaryMark)
	if i < 1 || name[0] != '.' {
		return false
	}
	rest := name[i+len(temporaryMark):]
	_, err := hex.DecodeString(rest)
	return len(rest) == 16 && err == nil
}

// ParseTemporary takes a name that Temporary made apart: what it was made for, and the sixteen digits. TemporaryName puts
// them together again.
func ParseTemporary(name string) (target, digits string, ok bool) {
	if !Unfinished(name) {
		return "", "", false
	}
	i := strings.LastIndex(name, temporaryMark)
	return name[1:i], name[i+len(temporaryMark):], true
}

// TemporaryName returns the name that ParseTemporary took apart.
func TemporaryName(target, digits string) string { return "." + target + temporaryMark + digits }

func describe(info fs.FileInfo) Info {
	i := Info{Mode: info.Mode(), Modified: info.ModTime().UTC(), Size: info.Size()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		i.UID, i.GID = int(st.Uid), int(st.Gid)
	}
	return i
}

// bare strips the operation and path that os puts around an error, since ours carry the path already.
func bare(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// Sub opens the directory name below d.
func (d *Dir) Sub(name string) (*Dir, error) { return d.disk.Dir(path.Join(d.path, name)) }

// Mode returns the directory's present mode.
func (d *Dir) Mode() (fs.FileMode, error) {
	info, err := d.root.Stat(".")
	if err != nil {
		return 0, fmt.Errorf("%s: %w", d.path, bare(err))
	}
	return info.Mode(), nil
}
