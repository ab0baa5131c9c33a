package floor

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"upkeep/providers/facts"
)

// look asks the kernel for the file system of a directory.
func look(real string) space {
	var stat unix.Stat_t
	if err := unix.Stat(real, &stat); err != nil {
		return space{missing: errors.Is(err, fs.ErrNotExist),
			Filesystem: facts.Filesystem{Unknown: fmt.Sprintf("stat: %v", err)}}
	}
	var s unix.Statfs_t
	if err := unix.Statfs(real, &s); err != nil {
		return space{Filesystem: facts.Filesystem{Unknown: fmt.Sprintf("statfs: %v", err)}}
	}
	block := uint64(s.Frsize)
	if block == 0 {
		block = uint64(s.Bsize)
	}
	return space{device: uint64(stat.Dev), Filesystem: facts.Filesystem{
		Size: s.Blocks * block, Free: s.Bavail * block, Inodes: s.Files, InodesFree: s.Ffree,
		ReadOnly: s.Flags&unix.ST_RDONLY != 0,
	}}
}

// synchronised asks the kernel whether its clock follows another one (adjtimex(2), STA_UNSYNC); nil where it does
// not say.
func synchronised() *bool {
	var t unix.Timex
	if _, err := unix.Adjtimex(&t); err != nil {
		return nil
	}
	follows := t.Status&unix.STA_UNSYNC == 0
	return &follows
}
