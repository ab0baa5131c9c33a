package sqlite

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Locks of the open file description (fcntl(2), F_OFD_SETLK): they stand against the locks that SQLite takes
// (F_SETLK), belong to one opening of the file, and end with it, whatever else this process does with the file.

// lockShared takes a shared lock on bytes of a file, at once or not at all.
func lockShared(f *os.File, start, length int64) (held bool, err error) {
	return lock(f, unix.F_RDLCK, start, length)
}

func unlock(f *os.File, start, length int64) error {
	_, err := lock(f, unix.F_UNLCK, start, length)
	return err
}

func lock(f *os.File, kind int16, start, length int64) (held bool, err error) {
	err = control(f, unix.F_OFD_SETLK, &unix.Flock_t{Type: kind, Start: start, Len: length})
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return false, nil
	}
	return err == nil, err
}

// locked reports whether somebody else has a lock, of any kind, on bytes of a file.
func locked(f *os.File, start, length int64) (bool, error) {
	l := unix.Flock_t{Type: unix.F_WRLCK, Start: start, Len: length}
	err := control(f, unix.F_OFD_GETLK, &l)
	return l.Type != unix.F_UNLCK, err
}

func control(f *os.File, command int, l *unix.Flock_t) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	if err := raw.Control(func(fd uintptr) { result = unix.FcntlFlock(fd, command, l) }); err != nil {
		return err
	}
	return result
}
