package facts

// EtcdData is the data directory of a member of etcd on a node, as found there. It is looked at from outside: etcd is
// not asked.
type EtcdData struct {
	// Unknown says why it is not known what is there.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Directory is where it lies; empty: nobody asked, or there is none.
	Directory string `json:"directory,omitempty"`
	// Running: a process has the database open. Nothing else is known then.
	Running bool `json:"running,omitempty"`
	// ClusterID and MemberID are hexadecimal, as the write-ahead log has them. Term and Index are of its last entry: of
	// two logs of one cluster the one with the later term is newer, then the one with the higher index (raft's own rule).
	ClusterID string `json:"cluster_id,omitempty"`
	MemberID  string `json:"member_id,omitempty"`
	Term      uint64 `json:"term,omitempty"`
	Index     uint64 `json:"index,omitempty"`
	// Size is what a copy of it has, in bytes.
	Size int64 `json:"size,omitempty"`
}

// Stopped reports whether there is the data of a member that does not run.
func (d EtcdData) Stopped() bool { return d.Unknown == "" && d.Directory != "" && !d.Running }
