package store

import (
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// remote are the filesystems whose files other machines, or programs of anybody's, hold (statfs(2)).
var remote = []int64{
	unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.FUSE_SUPER_MAGIC,
	unix.CEPH_SUPER_MAGIC, unix.V9FS_MAGIC, unix.AFS_SUPER_MAGIC, unix.AFS_FS_MAGIC, unix.CODA_SUPER_MAGIC, unix.OCFS2_SUPER_MAGIC,
}

// Local asks the directory, or the one above it where it is not there yet.
func (f *file) Local() bool {
	var is unix.Statfs_t
	if unix.Statfs(f.directory, &is) != nil && unix.Statfs(filepath.Dir(f.directory), &is) != nil {
		return false
	}
	return !slices.Contains(remote, int64(uint32(is.Type)))
}
