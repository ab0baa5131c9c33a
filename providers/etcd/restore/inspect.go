package restore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"

	bolt "go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"upkeep/providers/etcd/drill"
)

// A key of the bucket "key" is a revision: eight bytes of the revision, an underscore, eight bytes of its place in the
// transaction, and a "t" where the record says that a key was deleted. Source: etcd v3.7 server/storage/mvcc/revision.go.
const (
	revisionSize  = 17
	tombstoneSize = 18
)

// Inspect reads the complete database of a snapshot: every page as bbolt's own check does, then every record. The database is
// opened read-only; a checksum behind it is not looked at.
//
// It finds what a checksum cannot: a database that was broken when the member sent it. A broken one may fault in ways that
// no program survives; the caller is a process that may die.
func Inspect(ctx context.Context, file, prefix string) (out *drill.Inspection, err error) {
	debug.SetPanicOnFault(true)
	defer func() {
		if r := recover(); r != nil {
			out, err = nil, damaged("reading it failed: %v", r)
		}
	}()
	if err := checkStructure(ctx, file); err != nil {
		return nil, err
	}
	db, err := bolt.Open(file, 0o400, &bolt.Options{ReadOnly: true})
	if err != nil {
		return nil, damaged("it does not open: %w", err)
	}
	defer db.Close()
	err = db.View(func(tx *bolt.Tx) error {
		if err := checkPages(ctx, tx); err != nil {
			return err
		}
		out, err = readRecords(ctx, tx, prefix)
		return err
	})
	return out, err
}

// checkStructure follows every reference of the database, without bbolt.
func checkStructure(ctx context.Context, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return walk(ctx, f, info.Size())
}

// pageNumber finds the page in what bbolt's check says.
var pageNumber = regexp.MustCompile(`\bpage (\d+)`)

// checkPages runs bbolt's check and names the first thing it found, with its place in the file.
func checkPages(ctx context.Context, tx *bolt.Tx) error {
	var first error
	count := 0
	for found := range tx.Check() { // to the end: the check sends into an unbuffered channel
		if count++; first == nil {
			first = found
		}
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case first == nil:
		return nil
	}
	at := ""
	if match := pageNumber.FindStringSubmatch(first.Error()); match != nil {
		if page, err := strconv.ParseInt(match[1], 10, 64); err == nil {
			at = fmt.Sprintf("at byte %d: ", page*int64(tx.DB().Info().PageSize))
		}
	}
	more := ""
	if count > 1 {
		more = fmt.Sprintf(" (and %d more)", count-1)
	}
	return damaged("%s%w%s", at, first, more)
}

func readRecords(ctx context.Context, tx *bolt.Tx, prefix string) (*drill.Inspection, error) {
	keys, meta := tx.Bucket([]byte("key")), tx.Bucket([]byte("meta"))
	if keys == nil || meta == nil {
		return nil, damaged("it is a database, but not etcd's: it has no bucket %q", missing(keys))
	}
	out := &drill.Inspection{Revision: 1, Prefix: prefix, StorageVersion: string(meta.Get([]byte("storageVersion")))}
	if raw := meta.Get([]byte("finishedCompactRev")); len(raw) >= 8 {
		out.CompactRevision = int64(binary.BigEndian.Uint64(raw))
	}
	var err error
	if out.Members, err = members(tx); err != nil {
		return nil, err
	}
	// Which keys are alive is known only at the end. Half a SHA-256 stands for each: a key may be long.
	alive := map[[16]byte]struct{}{}
	cursor := keys.Cursor()
	var record mvccpb.KeyValue
	for k, v := cursor.First(); k != nil; k, v = cursor.Next() {
		if out.Records%4096 == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		out.Records++
		if out.Revision, err = revisionOf(k); err != nil {
			return nil, err
		}
		proto.Reset(&record)
		if err := proto.Unmarshal(v, &record); err != nil {
			return nil, damaged("revision %d is no record of etcd: %w", out.Revision, err)
		}
		if len(record.Key) == 0 {
			continue // a revision that was bumped to: it belongs to no key
		}
		sum := [16]byte(sha256Of(record.Key))
		_, was := alive[sum]
		one := int64(0)
		if bytes.HasPrefix(record.Key, []byte(prefix)) {
			one = 1
		}
		switch deleted := len(k) == tombstoneSize; {
		case deleted && was:
			delete(alive, sum)
			out.PrefixKeys -= one
		case !deleted && !was:
			alive[sum] = struct{}{}
			out.PrefixKeys += one
		}
	}
	out.Keys = int64(len(alive))
	return out, nil
}

// revisionOf reads a key of the bucket "key"; of an empty bucket it is 1, as etcd counts.
func revisionOf(k []byte) (int64, error) {
	switch {
	case len(k) == 0:
		return 1, nil
	case len(k) != revisionSize && (len(k) != tombstoneSize || k[revisionSize] != 't') || k[8] != '_':
		return 0, damaged("a record has no revision but %x", k)
	}
	return int64(binary.BigEndian.Uint64(k)), nil
}

// members returns the names of the members that the database knows.
func members(tx *bolt.Tx) ([]string, error) {
	bucket := tx.Bucket([]byte("members"))
	if bucket == nil {
		return nil, nil
	}
	var names []string
	err := bucket.ForEach(func(k, v []byte) error {
		var member struct {
			Name string `json:"name"`
		}
		if err := json.Unmarshal(v, &member); err != nil {
			return damaged("member %s: %w", k, err)
		}
		names = append(names, member.Name)
		return nil
	})
	slices.Sort(names)
	return names, err
}

func missing(keys *bolt.Bucket) string {
	if keys == nil {
		return "key"
	}
	return "meta"
}

func sha256Of(key []byte) []byte {
	sum := sha256.Sum256(key)
	return sum[:16]
}
