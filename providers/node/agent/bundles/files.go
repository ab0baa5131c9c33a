package bundles

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/protocol"
)

// directory opens the directory of a request and checks that it is root's alone.
func directory(d *disk.Disk, p string) (*disk.Dir, error) {
	dir, err := d.Dir(p)
	if err != nil {
		return nil, err
	}
	return dir, private(dir)
}

func private(dir *disk.Dir) error {
	if err := dir.Trust(); err != nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	mode, err := dir.Mode()
	if err != nil {
		return err
	}
	if mode.Perm()&0o077 != 0 {
		return fmt.Errorf("%w: %s has mode %04o, and what is in it holds every key of the cluster; run: chmod 0700 %s", errRefused, dir.Path(), mode.Perm(), dir.Path())
	}
	return nil
}

// makeDirectory opens the directory of a request, making its last component where it is missing.
func makeDirectory(d *disk.Disk, p string) (*disk.Dir, error) {
	if _, err := disk.Clean(p); err != nil {
		return nil, fmt.Errorf("%w: %w", errRefused, err)
	}
	parent, err := d.Dir(path.Dir(p))
	if err != nil {
		return nil, err
	}
	if err := parent.Trust(); err != nil {
		return nil, fmt.Errorf("%w: %w", errRefused, err)
	}
	if p == "/" {
		return nil, fmt.Errorf("%w: / is no directory for bundles", errRefused)
	}
	dir, err := parent.Mkdir(path.Base(p), 0o700)
	if err != nil {
		return nil, err
	}
	return dir, private(dir)
}

func list(d *disk.Disk, q protocol.BundlesRequest) (protocol.BundlesAnswer, error) {
	dir, err := directory(d, q.Directory)
	if errors.Is(err, fs.ErrNotExist) {
		return protocol.BundlesAnswer{}, nil // the first put makes it
	}
	if err != nil {
		return protocol.BundlesAnswer{}, err
	}
	entries, err := dir.List()
	if err != nil {
		return protocol.BundlesAnswer{}, err
	}
	var answer protocol.BundlesAnswer
	for _, e := range entries {
		if !e.Info.Mode.IsRegular() {
			continue
		}
		o := protocol.BundlesObject{Name: e.Name, Size: e.Info.Size, Modified: e.Info.Modified}
		if target, digits, ok := disk.ParseTemporary(e.Name); ok {
			o.Name, o.Partial = target, true
			if protocol.IsBundleName(target) {
				o.Name = protocol.PartialBundleName(target, digits)
				answer.Objects = append(answer.Objects, o)
			}
			continue
		}
		if protocol.IsBundleName(e.Name) {
			answer.Objects = append(answer.Objects, o)
		}
	}
	return answer, nil
}

func checkName(name string) error {
	if !protocol.IsBundleName(name) {
		return fmt.Errorf("%w: %.200q is not the name of a bundle", errRefused, name)
	}
	return nil
}

func get(c *protocol.Channel, d *disk.Disk, q protocol.BundlesRequest) (protocol.BundlesAnswer, error) {
	if err := checkName(q.Name); err != nil {
		return protocol.BundlesAnswer{}, err
	}
	dir, err := directory(d, q.Directory)
	if err != nil {
		return protocol.BundlesAnswer{}, err
	}
	f, _, err := dir.Open(q.Name)
	if err != nil {
		return protocol.BundlesAnswer{}, err
	}
	defer f.Close()
	buffer := make([]byte, protocol.BundlesPiece)
	var answer protocol.BundlesAnswer
	for {
		n, err := f.Read(buffer)
		if n > 0 {
			if err := protocol.SendBundlesData(c, buffer[:n]); err != nil {
				return answer, errGone
			}
			answer.Size += int64(n)
		}
		switch {
		case err == io.EOF:
			return answer, nil
		case err != nil:
			return answer, fmt.Errorf("read %s: %w", q.Name, err)
		}
	}
}

func put(c *protocol.Channel, d *disk.Disk, q protocol.BundlesRequest) (protocol.BundlesAnswer, error) {
	var answer protocol.BundlesAnswer
	if err := checkName(q.Name); err != nil {
		return answer, err
	}
	dir, err := makeDirectory(d, q.Directory)
	if err != nil {
		return answer, err
	}
	if d.Exists(path.Join(q.Directory, q.Name)) {
		return answer, fmt.Errorf("%s: %w", path.Join(q.Directory, q.Name), fs.ErrExist)
	}
	prepared, err := dir.Prepare(q.Name, 0o600, os.Geteuid(), os.Getegid(), func(w io.Writer) error {
		if err := protocol.SendBundlesAnswer(c, protocol.BundlesAnswer{}); err != nil {
			return errGone
		}
		for {
			data, unexpected, err := protocol.RecvBundles(c)
			switch {
			case err == io.EOF:
				return nil
			case errors.Is(err, protocol.ErrFrame):
				return fmt.Errorf("%w: %w", errRefused, err)
			case err != nil:
				return errGone
			case unexpected != nil:
				return fmt.Errorf("%w: %w: an answer stands where content should", errRefused, protocol.ErrFrame)
			}
			n, err := w.Write(data)
			answer.Size += int64(n)
			if err != nil {
				return err
			}
		}
	})
	if err != nil {
		return protocol.BundlesAnswer{}, err
	}
	if err := prepared.Publish(); err != nil {
		prepared.Discard()
		return protocol.BundlesAnswer{}, err
	}
	return answer, dir.Sync()
}

func remove(d *disk.Disk, q protocol.BundlesRequest) (protocol.BundlesAnswer, error) {
	name := q.Name
	if target, digits, ok := protocol.ParsePartialBundleName(name); ok {
		name = disk.TemporaryName(target, digits)
	} else if err := checkName(name); err != nil {
		return protocol.BundlesAnswer{}, err
	}
	dir, err := directory(d, q.Directory)
	if errors.Is(err, fs.ErrNotExist) {
		return protocol.BundlesAnswer{}, nil
	}
	if err != nil {
		return protocol.BundlesAnswer{}, err
	}
	if _, err := dir.Stat(name); errors.Is(err, fs.ErrNotExist) {
		return protocol.BundlesAnswer{}, nil
	} else if err != nil { // a link or a directory of that name is not ours
		return protocol.BundlesAnswer{}, err
	}
	if err := dir.Remove(name); err != nil {
		return protocol.BundlesAnswer{}, err
	}
	return protocol.BundlesAnswer{}, dir.Sync()
}
