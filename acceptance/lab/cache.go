package lab

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// cache is the directory that holds everything the lab makes. Its parts:
//
//	bin/     the Kubernetes and etcd programs
//	image/   the same as container images, one docker-archive each
//	base/    the Debian or Ubuntu root that all hosts share, read-only
//	layer/   what a control-plane host has on top of base, read-only
//	state/   the lab that is up now: keys, kubeconfig, and a directory for each host
type cache string

// findCache names the cache directory: $UPKEEP_LAB_CACHE, else upkeep-lab below $XDG_CACHE_HOME or ~/.cache.
func findCache(getenv func(string) string) (cache, error) {
	dir := getenv("UPKEEP_LAB_CACHE")
	if dir == "" {
		parent := getenv("XDG_CACHE_HOME")
		if parent == "" {
			home := getenv("HOME")
			if home == "" {
				return "", errors.New("no place for the lab's files: set UPKEEP_LAB_CACHE, XDG_CACHE_HOME or HOME")
			}
			parent = filepath.Join(home, ".cache")
		}
		dir = filepath.Join(parent, "upkeep-lab")
	}
	if !filepath.IsAbs(dir) {
		return "", fmt.Errorf("the lab's directory %q is not absolute: set UPKEEP_LAB_CACHE to an absolute path", dir)
	}
	// These separate the options and the layers of an overlay mount, see mount(8) and the kernel's overlayfs.rst.
	if strings.ContainsAny(dir, ":,\\ \t\n") {
		return "", fmt.Errorf("the lab's directory %q holds a colon, comma, backslash or blank, which an overlay mount cannot take: set UPKEEP_LAB_CACHE to a plain path", dir)
	}
	return cache(filepath.Clean(dir)), nil
}

func (c cache) at(elem ...string) string {
	return filepath.Join(append([]string{string(c)}, elem...)...)
}

// lock keeps a second lab command from changing the same lab. The returned function gives it back.
func (c cache) lock() (func(), error) {
	if err := os.MkdirAll(string(c), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(c.at("lock"), os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another lab command is at work (it holds %s): %w", file.Name(), err), file.Close())
	}
	return func() { _ = file.Close() }, nil
}

// stamped says whether the stamp file holds exactly this content: what it stands for need not be made again.
func stamped(path, content string) bool {
	have, err := os.ReadFile(path)
	return err == nil && string(have) == content
}

// digest is the short name of a text, for stamps.
func digest(parts ...string) string {
	sum := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(sum, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// file is one file to be written below a root.
type file struct {
	path    string // absolute inside the root
	mode    fs.FileMode
	content string
}

// writeFiles writes files below root, making their directories.
func writeFiles(root string, files []file) error {
	for _, f := range files {
		path := filepath.Join(root, f.path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		// Chmod as well: the mode given to WriteFile passes through the umask, and a file may exist already.
		if err := errors.Join(os.WriteFile(path, []byte(f.content), f.mode), os.Chmod(path, f.mode)); err != nil {
			return err
		}
	}
	return nil
}
