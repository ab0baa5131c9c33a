// Package drill proves snapshots of etcd, and restores them, with the help of a child process.
//
// etcd's server and bbolt are not linked here but in upkeep-etcd, the child: upkeep starts as quickly as before, a damaged
// database can crash nothing but the child, and a kill ends whatever it was at. This package finds the child, runs it for
// one request, and takes care that neither it nor what it wrote outlives the request. The other side is
// providers/etcd/restore.
//
// It reads snapshots unchanged, not encrypted, from regular files. A drill writes a copy of the complete database, secrets
// included, below a directory that only its owner can enter, and removes it.
package drill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"upkeep/providers/etcd"
)

// ErrDamaged: the bytes of the snapshot are those that the member sent, and still the database in it is broken, or its
// server cannot start from it.
var ErrDamaged = errors.New("the database in the snapshot is damaged")

// Inspection is what a look into a snapshot's database found, without starting a server.
type Inspection struct {
	// Revision is the newest revision in the database. CompactRevision is the newest one that was compacted, 0 when none was.
	Revision        int64 `json:"revision"`
	CompactRevision int64 `json:"compact_revision,omitempty"`
	// Keys are the keys alive at Revision; PrefixKeys are those that begin with Prefix; Records are all versions of all keys.
	Keys       int64  `json:"keys"`
	Prefix     string `json:"prefix"`
	PrefixKeys int64  `json:"prefix_keys"`
	Records    int64  `json:"records"`
	// StorageVersion is the layout of the database, "3.6"; empty before etcd 3.6.
	StorageVersion string `json:"storage_version,omitempty"`
	// Members are the names of the members that the database knows, sorted.
	Members []string `json:"members,omitempty"`
}

// Verified is what Verify found.
type Verified struct {
	etcd.Sums
	Inspection
}

// Options say how the child is run.
type Options struct {
	// Program is the path of upkeep-etcd; see Program.
	Program string
	// Directory is where a drill makes its own directory; empty is the system's directory for temporary files. It needs
	// room for the complete database, and its owner's secrets are in it for the length of the drill.
	Directory string
}

// CheckFile reads a snapshot once and compares its checksum. The error is one of etcd's (ErrCutShort, ErrNoTrailer,
// ErrZeroTrailer, ErrWrongSum, ErrEmpty), or the file could not be read.
func CheckFile(ctx context.Context, file string) (etcd.Sums, error) {
	f, err := os.Open(file)
	if err != nil {
		return etcd.Sums{}, err
	}
	defer f.Close()
	check := etcd.NewChecker()
	if _, err := io.CopyBuffer(check, reader{ctx, f}, make([]byte, 1<<20)); err != nil {
		return etcd.Sums{}, fmt.Errorf("%s: %w", file, err)
	}
	sums, err := check.Finish()
	if err != nil {
		return sums, fmt.Errorf("%s: %w", file, err)
	}
	return sums, nil
}

// Verify climbs the cheap rungs: the checksum, every page of the database, every record of it. It starts no server and
// writes nothing. The error is one of CheckFile's or ErrDamaged, or the file or the child failed.
func Verify(ctx context.Context, o Options, file, prefix string) (Verified, error) {
	sums, err := CheckFile(ctx, file)
	if err != nil {
		return Verified{Sums: sums}, err
	}
	if prefix == "" {
		prefix = etcd.KubernetesPrefix
	}
	path, err := filepath.Abs(file)
	if err != nil {
		return Verified{}, err
	}
	response, err := ask(ctx, o.Program, Request{Inspect: &InspectRequest{File: path, Prefix: prefix}})
	if err != nil {
		return Verified{Sums: sums}, fmt.Errorf("%s: %w", file, err)
	}
	if response.Inspection == nil {
		return Verified{Sums: sums}, fmt.Errorf("%s: upkeep-etcd gave no answer", file)
	}
	return Verified{Sums: sums, Inspection: *response.Inspection}, nil
}

// Drill restores a snapshot into a directory of its own, starts a real etcd from it on a unix socket there, and asks that
// for its contents. Nothing of it is left afterwards, also when it fails or is cancelled.
//
// q.Revision 0 is the newest revision in the snapshot. compact, when not 0, is the compact revision of the contents that
// the answer must be compared with: the copy is compacted to it first, so that their hashes compare.
//
// The snapshot's checksum is checked on the way, but its caller wants Verify's words about it first.
func Drill(ctx context.Context, o Options, file string, q etcd.Question, compact int64) (contents etcd.Contents, err error) {
	path, err := filepath.Abs(file)
	if err != nil {
		return etcd.Contents{}, err
	}
	// MkdirTemp makes it 0700.
	directory, err := os.MkdirTemp(o.Directory, "upkeep-drill-")
	if err != nil {
		return etcd.Contents{}, err
	}
	defer func() {
		if left := os.RemoveAll(directory); left != nil {
			err = errors.Join(err, fmt.Errorf("a copy of the database, with the cluster's secrets, is left behind: remove it with `rm -r %s`: %w", directory, left))
		}
	}()
	if directory, err = filepath.Abs(directory); err != nil {
		return etcd.Contents{}, err
	}
	response, err := ask(ctx, o.Program, Request{Drill: &DrillRequest{File: path, Directory: directory, Question: q, CompactRevision: compact}})
	if err != nil {
		return etcd.Contents{}, fmt.Errorf("restore drill of %s: %w", file, err)
	}
	if response.Contents == nil {
		return etcd.Contents{}, fmt.Errorf("restore drill of %s: upkeep-etcd gave no answer", file)
	}
	return *response.Contents, nil
}

// reader ends when its context does.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(p)
}

// Program returns the path of upkeep-etcd in a directory, the one that the helpers are in. The error says how to get it.
func Program(directory string) (string, error) {
	path := filepath.Join(directory, programName)
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", fmt.Errorf("%s is missing; it proves and restores etcd snapshots, and is next to upkeep in every release (`make build` makes it): %w", programName, err)
	case info.IsDir() || info.Mode()&0o111 == 0:
		return "", fmt.Errorf("%s is no program", path)
	}
	return path, nil
}

const programName = "upkeep-etcd"
