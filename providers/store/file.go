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
)

// file is a directory of this machine.
type file struct{ directory string }

// File returns the store in a directory of this machine; the path is absolute. The directory is made, 0700, by the first
// Put, but not the one above it. It must belong to this user and be writable by nobody else; objects are 0600.
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
	if err := CheckName(name); err != nil {
		return err
	}
	if err := os.Mkdir(f.directory, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return f.explain(err)
	}
	root, err := f.open()
	if err != nil {
		return err
	}
	defer root.Close()
	if _, err := root.Lstat(name); err == nil {
		return fmt.Errorf("store %s: %s: %w", f, name, ErrExists)
	}
	temp := temporary(name)
	out, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return f.explain(err)
	}
	defer func() {
		out.Close()
		if err != nil {
			_ = root.Remove(temp) // what cannot be removed either is listed as partial
		}
	}()
	from := &source{r: &interruptible{ctx, r}}
	to := &steady{out: out}
	if _, err := io.CopyBuffer(to, from, make([]byte, copySize)); err != nil {
		return f.explain(fmt.Errorf("write %s: %w", name, errors.Join(from.explain(err), to.settle())))
	}
	if err := to.finish(); err != nil {
		return f.explain(fmt.Errorf("write %s: %w", name, err))
	}
	if err := out.Close(); err != nil {
		return f.explain(err)
	}
	if err := publish(root, temp, name); err != nil {
		return f.explain(err)
	}
	return f.sync(root)
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

// copySize is how much is read and written at once, in bytes.
const copySize = 256 << 10

// steadyAfter is how much is written before the disk is asked to have it, in bytes.
const steadyAfter = 64 << 20

// steady writes a file that reaches the disk while it is written, so that what is left to wait for at the end is little. It
// hides the file's ReadFrom, so that errors of the two sides of a copy stay apart.
type steady struct {
	out     *os.File
	pending int        // bytes written since the disk was asked last
	asked   chan error // of the flush that goes on; nil where none does
}

func (s *steady) Write(p []byte) (int, error) {
	n, err := s.out.Write(p)
	s.pending += n
	if err != nil || s.pending < steadyAfter {
		return n, err
	}
	if err := s.settle(); err != nil {
		return n, err
	}
	s.pending, s.asked = 0, make(chan error, 1)
	go func(asked chan<- error) { asked <- s.out.Sync() }(s.asked)
	return n, nil
}

// settle waits for the flush that goes on, if any.
func (s *steady) settle() error {
	if s.asked == nil {
		return nil
	}
	err := <-s.asked
	s.asked = nil
	return err
}

// finish returns when all that was written is on the disk, or why it is not.
func (s *steady) finish() error {
	if err := s.settle(); err != nil {
		return err
	}
	return s.out.Sync()
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
