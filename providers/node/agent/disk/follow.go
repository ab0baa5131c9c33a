package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
)

// maxLinks is how many links one path may have: kubespray has one.
const maxLinks = 4

// Resolve returns the path that p stands for, following links: only those that root (or this process's user) owns, in
// directories that nobody else may write to, and only where leads allows both the link and its target. For any other
// link the error wraps ErrLink, and says why the link is not followed. What does not exist stands for itself.
func (d *Disk) Resolve(p string, leads func(p string) bool) (string, error) {
	for hops := 0; ; hops++ {
		at, target, err := d.firstLink(p)
		if err != nil || at == "" {
			return p, err
		}
		if hops == maxLinks {
			return "", fmt.Errorf("%s %w: more than %d links", p, ErrLink, maxLinks)
		}
		to := target
		if !path.IsAbs(to) {
			to = path.Join(path.Dir(at), to)
		}
		to = path.Clean(to)
		if !leads(at) || !leads(to) {
			return "", fmt.Errorf("%s %w: the link leads to %q", at, ErrLink, target)
		}
		p = path.Join(to, p[len(at):])
	}
}

// firstLink returns the first component of p that is a link, with what the link says; at is empty where none is.
func (d *Disk) firstLink(p string) (at, target string, err error) {
	parts, err := Clean(p)
	if err != nil {
		return "", "", err
	}
	dir, err := d.Dir("/")
	for i := 0; err == nil && i < len(parts); i++ {
		var info fs.FileInfo
		if info, err = dir.root.Lstat(parts[i]); err != nil {
			break
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			if i < len(parts)-1 {
				dir, err = d.Dir(path.Join(dir.path, parts[i]))
			}
			continue
		}
		at = path.Join(dir.path, parts[i])
		if uid := describe(info).UID; uid != 0 && uid != os.Geteuid() {
			return "", "", fmt.Errorf("%s %w: user %d owns the link", at, ErrLink, uid)
		}
		if err := dir.Trust(); err != nil {
			return "", "", fmt.Errorf("%s %w: %w", at, ErrLink, err)
		}
		target, ok := dir.Link(parts[i])
		if !ok {
			return "", "", fmt.Errorf("%s changed while it was read", at)
		}
		return at, target, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return "", "", err
}
