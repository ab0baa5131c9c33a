// Package store keeps files by name where backups are kept: in a directory of the machine that upkeep runs on, in a
// directory of a node, or in a bucket of an S3-compatible service.
//
// It knows nothing of what it keeps; content arrives encrypted or is not meant to be. It decides nothing: what is
// removed and when is its caller's business.
//
// It promises that an object appears under its name only when it is complete and, as far as the store can tell,
// durable; that an object that is there is never overwritten; that memory does not grow with an object's size; that
// what an interrupted Put left behind is listed as partial and can be removed; and that no error holds a credential.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// Store is one place. It may be used by several goroutines.
type Store interface {
	// List returns what is there, sorted by name. A store whose directory does not exist yet is empty.
	List(ctx context.Context) ([]Object, error)
	// Put stores everything that r has until io.EOF under a name. Any other error of r leaves nothing under the name, is
	// in the error's chain, and what had been written is removed. An error wraps ErrExists where the name is taken.
	Put(ctx context.Context, name string, r io.Reader) error
	// Get reads an object; the caller closes it. An error wraps ErrNotExist where there is none, and it may come from
	// Get or from the first Read.
	Get(ctx context.Context, name string) (io.ReadCloser, error)
	// Remove removes an object, or what List called partial. One that is not there is no error.
	Remove(ctx context.Context, name string) error
	// String names the store in messages: "/var/backups/upkeep", "cp1:/var/backups/upkeep", "s3://bucket/prefix".
	String() string
}

// Creator is a store that takes an object while it is being made: a directory of this machine.
type Creator interface {
	Store
	// Local reports whether a disk of this machine has the objects. False: they are behind a network, which may be slow, or
	// nobody can tell.
	Local() bool
	// Create begins an object; what is written to the draft is listed as partial. An error wraps ErrExists where the name
	// is taken.
	Create(ctx context.Context, name string) (Draft, error)
}

// Draft is an object that is being made. The caller closes it.
type Draft interface {
	io.Writer
	// Commit makes the object durable and gives it its name.
	Commit() error
	// Close throws away what has no name yet.
	io.Closer
}

// Object is one thing in a store.
type Object struct {
	Name     string
	Size     int64
	Modified time.Time
	// Partial marks what an interrupted Put left behind, or what one in progress is writing. Its name is not one that Put
	// takes; Remove takes it.
	Partial bool
}

// What errors wrap. All but the first two are for messages: the store did not do what it was asked for.
var (
	ErrNotExist    = fs.ErrNotExist
	ErrExists      = fs.ErrExist
	ErrFull        = errors.New("the store is full")
	ErrUnreachable = errors.New("the store cannot be reached")
	ErrRefused     = errors.New("the store refused")
)

// nameLimit leaves room for what a store adds to the name of a file that is not complete.
const nameLimit = 200

// CheckName refuses what is not the name of an object: letters, digits, ".", "_" and "-", not beginning with a ".", and
// not ending in ".part", which marks what is not complete.
func CheckName(name string) error {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r)
	}
	switch {
	case name == "" || len(name) > nameLimit, name[0] == '.' || name[0] == '-', strings.HasSuffix(name, partial),
		strings.IndexFunc(name, func(r rune) bool { return !plain(r) }) >= 0:
		return fmt.Errorf("%q is not the name of an object", name)
	}
	return nil
}

// partial ends the name of what is not complete.
const partial = ".part"

func sortByName(objects []Object) {
	slices.SortFunc(objects, func(a, b Object) int { return strings.Compare(a.Name, b.Name) })
}

// source reads what Put is given. It keeps the error that is not io.EOF, and hides it from the one who copies: some
// take io.ErrUnexpectedEOF for an end.
type source struct {
	r      io.Reader
	failed error
	size   int64
}

var errSource = errors.New("could not read the data to store")

func (s *source) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	s.size += int64(n)
	if err != nil && err != io.EOF {
		s.failed = err
		err = errSource
	}
	return n, err
}

// explain returns the source's error where there is one, else err.
func (s *source) explain(err error) error {
	if s.failed != nil {
		return s.failed
	}
	return err
}
