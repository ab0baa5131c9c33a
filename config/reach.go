package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Trust says what a configuration may read of the machine that reads it.
type Trust int

const (
	// Trusted: whatever its user may read. The configuration is its user's own.
	Trusted Trust = iota
	// Untrusted: another person wrote it. Regular files under its directory, through no link that leads out, and of the
	// environment what Options.AllowEnv names. Anything else is an error.
	Untrusted
	// Unread is as Untrusted, but what must not be read is unknown and a warning: for checks that do not depend on the
	// machine.
	Unread
)

// errOutside: a path leads out of the configuration directory.
var errOutside = errors.New("it is outside the configuration directory, and an untrusted configuration reads only files in that directory")

// reach is what of the machine a configuration may read.
type reach struct {
	directory string
	trust     Trust
	environ   []string
	allowEnv  []string
	// left is told what an Unread configuration did not read.
	left func(what string)
	// told is told every file that was read: its absolute path; nil: nobody is.
	told func(path string)
}

// env returns an environment variable. read is false where it must not be looked at and counts as unknown.
func (r reach) env(name string) (value string, read bool, err error) {
	if r.trust != Trusted && !slices.Contains(r.allowEnv, name) {
		if r.trust == Unread {
			r.left(fmt.Sprintf("env(%q)", name))
			return "", false, nil
		}
		return "", false, fmt.Errorf("env(%q) reads the environment, and another person wrote this configuration; allow it with -allow-env=%s", name, name)
	}
	value, ok := lookupEnv(r.environ, name)
	if !ok {
		return "", true, fmt.Errorf("the environment variable %s is not set", name)
	}
	return value, true, nil
}

// read reads a regular file of at most limit bytes. A relative path is meant against the configuration directory.
func (r reach) read(path string, limit int64) ([]byte, error) {
	file, err := r.open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // opened for reading: nothing is lost
	if r.told != nil {
		if absolute, err := filepath.Abs(r.shown(path)); err == nil {
			r.told(absolute)
		}
	}
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(data)) > limit {
		if limit%(1<<20) == 0 {
			return nil, fmt.Errorf("it is larger than %d MiB", limit>>20)
		}
		return nil, fmt.Errorf("it has more than %d bytes", limit)
	}
	return data, err
}

func (r reach) open(path string) (*os.File, error) {
	if r.trust == Trusted {
		if !filepath.IsAbs(path) {
			path = filepath.Join(r.directory, path)
		}
		if err := regular(os.Stat(path)); err != nil {
			return nil, err
		}
		return os.Open(path)
	}
	local, err := r.local(path)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(r.directory)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	if err := regular(root.Stat(local)); err != nil {
		if _, outside := os.Lstat(filepath.Join(r.directory, local)); outside == nil && !errors.Is(err, errNotRegular) {
			return nil, errOutside // the name is there, and what it leads to is not in the directory
		}
		return nil, err
	}
	return root.Open(local)
}

// shown is a path as errors name it: with the directory that it is meant against.
func (r reach) shown(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(r.directory, path)
}

// local returns a path below the configuration directory as seen from there.
func (r reach) local(path string) (string, error) {
	if filepath.IsAbs(path) {
		base, err := filepath.Abs(r.directory)
		if err != nil {
			return "", err
		}
		if path, err = filepath.Rel(base, path); err != nil {
			return "", errOutside
		}
	}
	if path = filepath.Clean(path); !filepath.IsLocal(path) {
		return "", errOutside
	}
	return path, nil
}

var errNotRegular = errors.New("it is not a regular file")

func regular(info fs.FileInfo, err error) error {
	switch {
	case err != nil:
		return reason(err)
	case !info.Mode().IsRegular():
		return errNotRegular
	}
	return nil
}

// reason is an error about a file without its path, which the reader knows.
func reason(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
