// Package bounded reads files that a configuration, a flag or another person names.
//
// It is no parser, and decides nothing about what a file says. It promises that nothing hangs on a pipe or a device
// where a file is expected. A file beyond its limit is refused before it is read: it takes neither memory nor time.
package bounded

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Limits of files that people write by hand, or that hold keys.
const (
	// Keys is more than any file of keys or certificates has.
	Keys = 1 << 20
	// Text is more than any text that a person keeps.
	Text = 16 << 20
	// Records is more than upkeep itself ever writes into one file.
	Records = 1 << 30
)

// ErrIrregular is the error of what is no regular file, and ErrTooLarge that of what is beyond its limit.
var (
	ErrIrregular = errors.New("it is not a regular file")
	ErrTooLarge  = errors.New("the file is too large")
)

// File reads a regular file of at most limit bytes.
func File(path string, limit int64) ([]byte, error) { return read(path, limit, false) }

// Given is File for what a person names on the command line: a pipe is read, too, as shells make it for `<(command)`.
func Given(path string, limit int64) ([]byte, error) { return read(path, limit, true) }

// Open is Given for what is read piece by piece: the reader refuses to go beyond limit bytes.
func Open(path string, limit int64) (io.ReadCloser, error) {
	file, _, err := open(path, limit, true)
	if err != nil {
		return nil, err
	}
	return &reader{file, path, limit, limit}, nil
}

type reader struct {
	file        *os.File
	path        string
	limit, left int64
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.file.Read(p)
	if r.left -= int64(n); r.left < 0 {
		return 0, fmt.Errorf("%s: %w", r.path, tooLarge(r.limit))
	}
	return n, err
}

func (r *reader) Close() error { return r.file.Close() }

// Check says why File would refuse a file, without reading it: for files that a library reads.
func Check(path string, limit int64) error {
	file, _, err := open(path, limit, false)
	if err != nil {
		return err
	}
	return file.Close()
}

func read(path string, limit int64, pipes bool) ([]byte, error) {
	file, size, err := open(path, limit, pipes)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // opened for reading: nothing is lost
	data, err := All(file, size, limit)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return data, nil
}

// open opens a file and looks at what was opened. A pipe that nobody writes to is opened without waiting.
func open(path string, limit int64, pipes bool) (file *os.File, size int64, err error) {
	before, err := os.Stat(path)
	var at *fs.PathError
	switch {
	case errors.As(err, &at):
		return nil, 0, &fs.PathError{Op: "open", Path: at.Path, Err: at.Err} // as os.Open says it
	case err != nil:
		return nil, 0, err
	case before.Mode().IsRegular():
	case before.IsDir():
		return nil, 0, fmt.Errorf("%s: %w, it is a directory", path, ErrIrregular)
	case !pipes || before.Mode().Type() != fs.ModeNamedPipe:
		return nil, 0, fmt.Errorf("%s: %w", path, ErrIrregular)
	}
	flags := os.O_RDONLY
	if before.Mode().IsRegular() {
		flags |= syscall.O_NONBLOCK // if a pipe has taken its place meanwhile
	}
	if file, err = os.OpenFile(path, flags, 0); err != nil {
		return nil, 0, err
	}
	after, err := file.Stat()
	switch {
	case err != nil:
	case after.Mode().Type() != before.Mode().Type():
		err = fmt.Errorf("%s: it changed while it was opened", path)
	case after.Size() > limit:
		err = fmt.Errorf("%s: %w", path, tooLarge(limit))
	}
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	return file, after.Size(), nil
}

// TooLargeError says how much would have been read.
type TooLargeError struct{ Limit int64 }

func (e TooLargeError) Error() string {
	if e.Limit >= 1<<20 && e.Limit%(1<<20) == 0 {
		return fmt.Sprintf("%v: it is larger than %d MiB, the limit", ErrTooLarge, e.Limit>>20)
	}
	return fmt.Sprintf("%v: it has more than %d bytes, the limit", ErrTooLarge, e.Limit)
}

func (TooLargeError) Unwrap() error { return ErrTooLarge }

func tooLarge(limit int64) error { return TooLargeError{limit} }

// All reads to the end, and refuses more than limit bytes. size is what is expected, where that is known. What is
// beyond the limit costs no more memory than the limit: io.ReadAll would copy what it has again and again.
func All(r io.Reader, size, limit int64) ([]byte, error) {
	in := io.LimitReader(r, limit+1)
	if size > 0 && size <= limit {
		var out bytes.Buffer
		out.Grow(int(size) + bytes.MinRead)
		_, err := out.ReadFrom(in)
		if err == nil && int64(out.Len()) > limit {
			err = tooLarge(limit)
		}
		if err != nil {
			return nil, err
		}
		return out.Bytes(), nil
	}
	var parts [][]byte
	var total int64
	for length := 64 << 10; ; length = min(2*length, 8<<20) {
		part := make([]byte, length)
		n, err := io.ReadFull(in, part)
		parts, total = append(parts, part[:n]), total+int64(n)
		switch {
		case total > limit:
			return nil, tooLarge(limit)
		case err == io.EOF, err == io.ErrUnexpectedEOF:
			return bytes.Join(parts, nil), nil
		case err != nil:
			return nil, err
		}
	}
}
