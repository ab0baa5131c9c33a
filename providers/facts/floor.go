package facts

import "time"

// Floor is what every node stands on, whatever it is for: space, clock, limits of the kernel. The zero value means
// that nobody asked.
type Floor struct {
	// Unknown says why nothing of it could be looked at.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Filesystems are those under the directories that a node cannot do without, by their first directory.
	Filesystems []Filesystem `json:"filesystems,omitempty"`
	// Eviction is when the kubelet begins to evict pods for want of space.
	Eviction Eviction `json:"eviction,omitzero"`
	// Sysctls are the values of the kernel's limits that were asked for, by name. One that could not be read is
	// missing.
	Sysctls map[string]string `json:"sysctls,omitempty"`
	// Synchronised: the kernel's clock follows another one (adjtimex(2)); nil where that is unknown.
	Synchronised *bool `json:"synchronised,omitempty"`
	// HostKeys are the fingerprints of the node's SSH host keys, as `ssh-keygen -l` prints them, sorted.
	HostKeys []string `json:"host_keys,omitempty"`
}

// IsZero reports whether nobody asked.
func (f Floor) IsZero() bool {
	return f.Unknown == "" && len(f.Filesystems) == 0 && f.Eviction == (Eviction{}) && f.Sysctls == nil &&
		f.Synchronised == nil && f.HostKeys == nil
}

// Filesystem is one file system.
type Filesystem struct {
	// Directories are those that lie on it, sorted: "/", "/var".
	Directories []string `json:"directories"`
	// Unknown says why its space is unknown.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Size and Free are in bytes; Free is what a user without privileges may still write (statvfs f_bavail).
	Size uint64 `json:"size,omitempty"`
	Free uint64 `json:"free,omitempty"`
	// Inodes and InodesFree count files; Inodes is 0 where the file system has no limit of its own.
	Inodes     uint64 `json:"inodes,omitempty"`
	InodesFree uint64 `json:"inodes_free,omitempty"`
	// ReadOnly: nothing can be written to it.
	ReadOnly bool `json:"read_only,omitempty"`
}

// Eviction is the kubelet's evictionHard for disks. Each is a quantity ("1Gi") or a percentage ("10%").
type Eviction struct {
	// From is where it was read, "/var/lib/kubelet/config.yaml"; empty: the kubelet's defaults are assumed.
	From        string `json:"from,omitempty"`
	Node        string `json:"node,omitempty"`         // nodefs.available
	NodeInodes  string `json:"node_inodes,omitempty"`  // nodefs.inodesFree
	Image       string `json:"image,omitempty"`        // imagefs.available
	ImageInodes string `json:"image_inodes,omitempty"` // imagefs.inodesFree
}

// Skew is between which bounds a node's clock is ahead of upkeep's: the node answered at some moment of its
// session.
type Skew struct {
	Least time.Duration `json:"least"`
	Most  time.Duration `json:"most"`
}

// SpaceSeen is the free space of a file system of a node as an earlier look saw it.
type SpaceSeen struct {
	Free uint64    `json:"free"` // bytes
	At   time.Time `json:"at"`
}
