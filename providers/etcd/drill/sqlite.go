package drill

import (
	"context"
	"fmt"
	"path/filepath"

	"upkeep/providers/etcd"
)

// Database proves the database of a k3s server that keeps its cluster in SQLite: the child opens it as k3s would,
// checks every page and index of it, and reads every key. It writes nothing. The contents are those of etcd's words for
// them: Revision is the highest id, Hash covers the live keys with their revisions and values, and CompactRevision is
// what kine compacted to.
//
// The error is ErrDamaged, or the file or the child failed.
func Database(ctx context.Context, o Options, file string, q etcd.Question) (etcd.Contents, error) {
	path, err := filepath.Abs(file)
	if err != nil {
		return etcd.Contents{}, err
	}
	response, err := ask(ctx, o.Program, Request{SQLite: &SQLiteRequest{File: path, Question: q}})
	if err != nil {
		return etcd.Contents{}, fmt.Errorf("%s: %w", file, err)
	}
	if response.Contents == nil {
		return etcd.Contents{}, fmt.Errorf("%s: upkeep-etcd gave no answer", file)
	}
	return *response.Contents, nil
}
