package drill

import (
	"upkeep/providers/etcd"
)

// Request is what the child is asked: one JSON document on its standard input, which then stays open for as long as the
// answer is wanted. Exactly one of the parts is set.
type Request struct {
	Inspect *InspectRequest `json:"inspect,omitempty"`
	Drill   *DrillRequest   `json:"drill,omitempty"`
	Restore *Restoration    `json:"restore,omitempty"`
	SQLite  *SQLiteRequest  `json:"sqlite,omitempty"`
}

// InspectRequest asks for a look into the database of a snapshot.
type InspectRequest struct {
	File   string `json:"file"`
	Prefix string `json:"prefix"`
}

// DrillRequest asks to restore a snapshot below Directory and to serve it there.
type DrillRequest struct {
	File      string        `json:"file"`
	Directory string        `json:"directory"` // the child's own; the parent made it and removes it
	Question  etcd.Question `json:"question"`
	// CompactRevision is compacted to before the answer is given, where the snapshot itself is compacted less far; 0 is
	// not.
	CompactRevision int64 `json:"compact_revision,omitempty"`
}

// SQLiteRequest asks for what is in a database of k3s.
type SQLiteRequest struct {
	File     string        `json:"file"`
	Question etcd.Question `json:"question"` // its Revision means nothing: a database has one moment
}

// Response is the child's answer: one JSON document on its standard output.
type Response struct {
	// Error says why there is no answer. Damaged is set where the cause is the snapshot, and not what surrounds it.
	Error   string `json:"error,omitempty"`
	Damaged bool   `json:"damaged,omitempty"`

	Inspection *Inspection    `json:"inspection,omitempty"`
	Contents   *etcd.Contents `json:"contents,omitempty"`
}
