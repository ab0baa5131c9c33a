package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"syscall"
)

// ErrLocked is wrapped by the error about a lock that another process holds.
var ErrLocked = errors.New("is held by another process")

// own opens a file that this program alone writes, or makes it with mode 0600. What is there must be a regular file that
// no other name leads to: a link, a FIFO or a second name would make a write end up somewhere else.
func (d *Dir) own(name string, flags int) (*os.File, error) {
	p := path.Join(d.path, name)
	f, err := d.root.OpenFile(name, flags|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		return f, nil
	}
	if !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s: %w", p, bare(err))
	}
	before, err := d.lstat(name)
	if err != nil {
		return nil, err
	}
	if st, ok := before.Sys().(*syscall.Stat_t); ok && st.Nlink != 1 {
		return nil, fmt.Errorf("%s has %d names, and only this one is ours", p, st.Nlink)
	}
	// O_NONBLOCK: an open must not hang on a FIFO that was put there since.
	f, err = d.root.OpenFile(name, flags|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, bare(err))
	}
	after, err := f.Stat()
	if err != nil || !os.SameFile(before, after) {
		f.Close()
		return nil, fmt.Errorf("%s changed while it was opened", p)
	}
	return f, nil
}

// Append adds data to the end of a file of this directory, which is made where it is not there, and makes it durable if
// asked to. It returns the file's size afterwards.
func (d *Dir) Append(name string, data []byte, durable bool) (int64, error) {
	f, err := d.own(name, os.O_WRONLY|os.O_APPEND)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	p := path.Join(d.path, name)
	if _, err := f.Write(data); err != nil {
		return 0, fmt.Errorf("%s: %w", p, bare(err))
	}
	if durable {
		if err := f.Sync(); err != nil {
			return 0, fmt.Errorf("sync %s: %w", p, bare(err))
		}
	}
	info, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", p, bare(err))
	}
	return info.Size(), nil
}

// Rename gives a file of this directory another name in it, replacing what has that name, durably.
func (d *Dir) Rename(from, to string) error {
	if err := d.root.Rename(from, to); err != nil {
		return fmt.Errorf("rename %s: %w", path.Join(d.path, from), bare(err))
	}
	return d.Sync()
}

// Lock takes the lock file name in this directory, without waiting: an error that wraps ErrLocked means that another
// process has it. The lock ends with the returned function or with the process, whatever comes first.
func (d *Dir) Lock(name string) (unlock func(), err error) {
	p := path.Join(d.path, name)
	f, err := d.own(name, os.O_RDWR)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s %w", p, ErrLocked)
		}
		return nil, fmt.Errorf("lock %s: %w", p, err)
	}
	return func() {
		// Closing would not do: a process being started holds a copy of the descriptor until it runs its program.
		_ = unlockFile(f)
		f.Close()
	}, nil
}

// Tail returns the bytes of a file of this directory from an offset on, at most limit of them. A file that is not there
// has none.
func (d *Dir) Tail(name string, offset, limit int64) ([]byte, error) {
	before, err := d.lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil || before.Size() <= offset {
		return nil, err
	}
	p := path.Join(d.path, name)
	f, err := d.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, bare(err))
	}
	defer f.Close()
	after, err := f.Stat()
	if err != nil || !os.SameFile(before, after) {
		return nil, fmt.Errorf("%s changed while it was opened", p)
	}
	data := make([]byte, min(limit, after.Size()-offset))
	n, err := f.ReadAt(data, offset)
	if n == 0 && err != nil {
		return nil, fmt.Errorf("%s: %w", p, bare(err))
	}
	return data[:n], nil
}
