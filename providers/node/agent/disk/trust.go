package disk

import (
	"fmt"
	"os"
	"syscall"
)

// Trust returns an error if anybody but root and this process's own user could have put something into this directory,
// or exchanged it or a directory above it: each must be owned by root, this user or one of the extra owners, and
// writable by its owner alone.
func (d *Dir) Trust(owners ...int) error {
	for at := d; at != nil; at = at.parent {
		info, err := at.root.Stat(".")
		if err != nil {
			return fmt.Errorf("%s: %w", at.path, bare(err))
		}
		if err := trusted(at.path, describe(info), owners); err != nil {
			return err
		}
	}
	return nil
}

// TrustFile is Trust for a regular file: its directory must be trusted and so must its owner and mode.
func (d *Dir) TrustFile(name string, owners ...int) error {
	if err := d.Trust(owners...); err != nil {
		return err
	}
	info, err := d.lstat(name)
	if err != nil {
		return err
	}
	return trusted(d.path+"/"+name, describe(info), owners)
}

func trusted(p string, info Info, owners []int) error {
	owned := info.UID == 0 || info.UID == os.Geteuid()
	for _, uid := range owners {
		owned = owned || info.UID == uid
	}
	if !owned {
		return fmt.Errorf("%s is owned by user %d, who could exchange its contents; it must be owned by root", p, info.UID)
	}
	if info.Mode.Perm()&0o022 != 0 {
		return fmt.Errorf("%s has mode %s: users other than its owner can write to it", p, info.Permissions())
	}
	return nil
}

func lockFile(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

func unlockFile(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }
