package protocol

import (
	"fmt"
	"path"
	"strings"
)

// ServiceCold is the tunnel that streams the data directory of a stopped member of etcd: an empty line goes in, one Answer
// as a line of JSON comes out, and then, where it is no refusal, a tar archive with ColdReport as its last entry.
const ServiceCold = "cold"

// ColdReportName is the name of the last entry of such an archive. An archive without it is not complete.
const ColdReportName = ".upkeep-cold.json"

// ColdReport says what such an archive holds, as the node read it.
type ColdReport struct {
	// Directory is where it lay.
	Directory string `json:"directory"`
	// ClusterID, MemberID, Term and Index are as in facts.EtcdData.
	ClusterID string     `json:"cluster_id"`
	MemberID  string     `json:"member_id"`
	Term      uint64     `json:"term"`
	Index     uint64     `json:"index"`
	Files     []ColdFile `json:"files"`
}

// ColdFile is one file of the archive.
type ColdFile struct {
	Name string `json:"name"` // relative to the data directory: "member/snap/db"
	Size int64  `json:"size"`
	// SHA256 is in lower-case hexadecimal.
	SHA256 string `json:"sha256"`
}

// ColdDatabase is the name of etcd's database in such an archive.
const ColdDatabase = "member/snap/db"

// CheckCold refuses what is not the name of a file that etcd starts a member from: its database, the snapshots of raft next to
// it, and its write-ahead log.
func CheckCold(name string) error {
	dir, file := path.Split(name)
	switch {
	case name == ColdDatabase:
		return nil
	case dir == "member/snap/" && hasForm(file, "0000000000000000-0000000000000000.snap"):
		return nil
	case dir == "member/wal/" && hasForm(file, "0000000000000000-0000000000000000.wal"):
		return nil
	}
	return fmt.Errorf("%.100q is no file that etcd starts a member from", name)
}

// hasForm compares a name with a form in which each 0 stands for a lower-case hexadecimal digit.
func hasForm(name, form string) bool {
	if len(name) != len(form) {
		return false
	}
	for i := range len(form) {
		if form[i] == '0' && !strings.ContainsRune("0123456789abcdef", rune(name[i])) || form[i] != '0' && form[i] != name[i] {
			return false
		}
	}
	return true
}
