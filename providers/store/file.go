package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"upkeep/providers/layout"
)

// file is a directory of this machine.
type file struct{ directory string }

// File returns the store in a directory of this machine; the path is absolute. The directory is made, 0700, by the
// first Put, but not the one above it. It must belong to this user and be writable by nobody else; objects are 0600.
func File(directory string) (Store, error) {
	if !filepath.IsAbs(directory) || filepath.Clean(directory) != directory {
		return nil, fmt.Errorf("the store's directory %q is not a clean absolute path", directory)
	}
	return &file{directory: directory}, nil
}

func (f *file) String() string { return f.directory }

// open opens the directory. Everything below is done through the handle, so that exchanging the directory meanwhile
// leads nowhere else, and no link in it is followed out of it.
func (f *file) open() (*os.Root, error) {
	before, err := os.Lstat(f.directory)
	if err != nil {
		return nil, f.explain(err)
	}
	if !before.IsDir() {
		return nil, fmt.Errorf("store %s: %w: it is not a directory (links are not followed)", f, ErrRefused)
	}
	if err := f.ours(); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(f.directory)
	if err != nil {
		return nil, f.explain(err)
	}
	after, err := root.Stat(".")
	if err == nil && !os.SameFile(before, after) {
		err = errors.New("it changed while it was opened")
	}
	if err == nil {
		err = f.private(after)
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}

// ours refuses a directory that lies in one of the system's by a link above it. The configuration refuses the others.
func (f *file) ours() error {
	above, err := filepath.EvalSymlinks(filepath.Dir(f.directory))
	if err != nil {
		return f.explain(err)
	}
	if system, ok := layout.SystemDirectory(filepath.Join(above, filepath.Base(f.directory))); ok {
		return fmt.Errorf("store %s: %w: a link leads into %s, which the system, Kubernetes or etcd has to itself; "+
			"name another directory", f, ErrRefused, system)
	}
	return nil
}

// private refuses a directory that others could write to, or read. Backups hold every key of the cluster.
func (f *file) private(info fs.FileInfo) error {
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && int(owner.Uid) != os.Geteuid() {
		return fmt.Errorf("store %s: %w: it belongs to user %d, not to the user that upkeep runs as (%d); chown it, or choose another directory",
			f, ErrRefused, owner.Uid, os.Geteuid())
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return fmt.Errorf("store %s: %w: its mode is %04o, so that others can write to it; run: chmod 0700 %s", f, ErrRefused, mode, f)
	}
	return nil
}

func (f *file) List(ctx context.Context) ([]Object, error) {
	root, err := f.open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	dir, err := root.Open(".")
	if err != nil {
		return nil, f.explain(err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, f.explain(err)
	}
	var objects []Object
	for _, name := range names {
		info, err := root.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, f.explain(err)
		}
		if !info.Mode().IsRegular() || CheckName(name) != nil && !partialName.MatchString(name) {
			continue // not something that Put made
		}
		objects = append(objects, Object{Name: name, Size: info.Size(), Modified: info.ModTime().UTC(), Partial: strings.HasSuffix(name, partial)})
	}
	sortByName(objects)
	return objects, ctx.Err()
}

// partialName is the name of a file that is not complete: NAME.16 random digits.part.
var partialName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*\.[0-9a-f]{16}\.part$`)

func temporary(name string) string {
	random := make([]byte, 8)
	_, _ = rand.Read(random) // never fails (crypto/rand, Go 1.24)
	return name + "." + hex.EncodeToString(random) + partial
}

func (f *file) Put(ctx context.Context, name string, r io.Reader) (err error) {
	d, err := f.create(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	from := &source{r: &interruptible{ctx, r}}
	if _, err := io.CopyBuffer(d, from, make([]byte, copySize)); err != nil {
		return errors.Join(d.wrong(from.explain(err)), d.flushed.settle())
	}
	return d.Commit()
}

func (f *file) Create(ctx context.Context, name string) (Draft, error) {
	d, err := f.create(ctx, name)
	if err != nil {
		return nil, err
	}
	return d, nil
}

func (f *file) create(ctx context.Context, name string) (*draft, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	if err := f.ours(); err != nil {
		return nil, err
	}
	if err := os.Mkdir(f.directory, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, f.explain(err)
	}
	root, err := f.open()
	if err != nil {
		return nil, err
	}
	d := &draft{f: f, ctx: ctx, root: root, name: name, temporary: temporary(name)}
	if _, err = root.Lstat(name); err == nil {
		err = fmt.Errorf("store %s: %s: %w", f, name, ErrExists)
	} else if d.out, err = root.OpenFile(d.temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		err = f.explain(err)
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	d.flushed.out = d.out
	return d, nil
}

// publish gives a file its final name, unless that is taken.
func publish(root *os.Root, temp, name string) error {
	switch err := root.Link(temp, name); {
	case err == nil:
		return root.Remove(temp)
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s: %w", name, ErrExists)
	}
	// A file system without hard links: who else writes here meanwhile is kept away by the state's lock alone.
	if _, err := root.Lstat(name); err == nil {
		return fmt.Errorf("%s: %w", name, ErrExists)
	}
	return root.Rename(temp, name)
}

// sync makes names durable.
func (f *file) sync(root *os.Root) error {
	dir, err := root.Open(".")
	if err != nil {
		return f.explain(err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return f.explain(err)
	}
	return nil
}

func (f *file) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	root, err := f.open()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Lstat(name)
	if err != nil {
		return nil, f.explain(err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("store %s: %w: %s is not a regular file", f, ErrRefused, name)
	}
	in, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO put there since would hang
	if err != nil {
		return nil, f.explain(err)
	}
	return &reading{interruptible{ctx, in}, in}, nil
}

func (f *file) Remove(_ context.Context, name string) error {
	if err := CheckName(name); err != nil && !partialName.MatchString(name) {
		return err
	}
	root, err := f.open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.Remove(name); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return f.explain(err)
	}
	return f.sync(root)
}

// explain names the store, and what to do about the commonest trouble.
func (f *file) explain(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return fmt.Errorf("store %s: %w: %w", f, ErrFull, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("store %s: %w: %w", f, ErrRefused, err)
	default:
		return fmt.Errorf("store %s: %w", f, err)
	}
}

// interruptible ends with its context.
type interruptible struct {
	ctx context.Context
	r   io.Reader
}

func (i *interruptible) Read(b []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, context.Cause(i.ctx)
	}
	return i.r.Read(b)
}

// reading is what Get returns.
type reading struct {
	interruptible
	io.Closer
}
