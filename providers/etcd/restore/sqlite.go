package restore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"modernc.org/sqlite" // also registers the driver "sqlite"

	"upkeep/providers/etcd"
	"upkeep/providers/etcd/drill"
)

// kine keeps every version of every key as a row of the table kine: id is the revision, the newest row of a name is the
// key, unless it says that it was deleted. Two kinds of rows are kine's own: compact_rev_key, whose prev_revision is
// what was compacted to, and gap-N, which fills an id that a transaction took and did not use. Source: kine v0.17,
// pkg/drivers/sqlite/sqlite.go (schema), pkg/logstructured/sqllog/sql.go and pkg/drivers/generic/generic.go (rows).
const (
	compactKey = "compact_rev_key"
	gapPrefix  = "gap-"
)

// database opens the copy of a database, checks all of it, and reads what is in it.
func database(ctx context.Context, q drill.SQLiteRequest) (*etcd.Contents, error) {
	info, err := os.Stat(q.File)
	if err != nil {
		return nil, err
	}
	if info.Size() == 0 {
		return nil, damaged("it is empty")
	}
	// immutable: the copy is one file, and its header promises a log that was folded into it. Nothing is written beside
	// it.
	at := url.URL{Scheme: "file", Path: q.File, RawQuery: url.Values{"mode": {"ro"}, "immutable": {"1"}}.Encode()}
	db, err := sql.Open("sqlite", at.String())
	if err != nil {
		return nil, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	contents, err := look(ctx, db, info.Size(), q.Question)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, blame(err)
	}
	return contents, nil
}

// The results of SQLite that speak of the machine and not of the database (rescode.html): its memory, its disk, a file
// that cannot be opened, an interruption.
var machine = []int{3, 7, 9, 13, 14, 23}

// blame tells a broken database from a machine that failed.
func blame(err error) error {
	var answer *sqlite.Error
	if errors.As(err, &answer) && !slices.Contains(machine, answer.Code()&0xff) {
		return damaged("%w", err)
	}
	return err
}

func look(ctx context.Context, db *sql.DB, size int64, q etcd.Question) (*etcd.Contents, error) {
	if err := integrity(ctx, db); err != nil {
		return nil, err
	}
	// SQLite takes what a short last page lacks for zeros.
	var pages, bytes int64
	if err := db.QueryRowContext(ctx, `SELECT page_count, page_size FROM pragma_page_count, pragma_page_size`).Scan(&pages, &bytes); err != nil {
		return nil, err
	}
	if pages*bytes != size {
		return nil, damaged("it has %d bytes, and %d pages of %d are %d", size, pages, bytes, pages*bytes)
	}
	var tables int
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'kine'`).Scan(&tables); err != nil {
		return nil, err
	}
	if tables == 0 {
		return nil, damaged("it is a database, but not k3s's: it has no table kine")
	}
	if q.Prefix == "" {
		q.Prefix = etcd.KubernetesPrefix
	}
	out := &etcd.Contents{Prefix: q.Prefix}
	var compacted sql.NullInt64
	if err := db.QueryRowContext(ctx, `SELECT coalesce(max(id), 0) FROM kine`).Scan(&out.Revision); err != nil {
		return nil, err
	}
	if err := db.QueryRowContext(ctx, `SELECT max(prev_revision) FROM kine WHERE name = ?`, compactKey).Scan(&compacted); err != nil {
		return nil, err
	}
	out.CompactRevision = compacted.Int64
	if out.Revision == 0 {
		return nil, damaged("it is a database of k3s without a single key")
	}
	return out, keys(ctx, db, q, out)
}

// integrity runs SQLite's own check of every page, cell and index (pragma.html, integrity_check).
func integrity(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, `PRAGMA integrity_check(5)`)
	if err != nil {
		return err
	}
	defer rows.Close()
	var said []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return err
		}
		said = append(said, strings.Join(strings.Fields(line), " "))
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if !slices.Equal(said, []string{"ok"}) {
		return damaged("SQLite's check found: %s", strings.Join(said, "; "))
	}
	return nil
}

// keys counts and hashes the live keys, and looks for the canaries. Where max() is the only aggregate SQLite takes the
// other columns from the row that has the maximum (lang_select.html, section 2.5).
func keys(ctx context.Context, db *sql.DB, q etcd.Question, out *etcd.Contents) error {
	canaries := make([]etcd.Canary, len(q.Canaries))
	for i, key := range q.Canaries {
		canaries[i].Key = key
	}
	rows, err := db.QueryContext(ctx, `SELECT CAST(name AS TEXT), max(id), deleted, value FROM kine GROUP BY name ORDER BY name`)
	if err != nil {
		return err
	}
	defer rows.Close()
	all := sha256.New()
	for rows.Next() {
		var name string
		var id int64
		var deleted bool
		var value sql.RawBytes
		if err := rows.Scan(&name, &id, &deleted, &value); err != nil {
			return err
		}
		if deleted || name == compactKey || strings.HasPrefix(name, gapPrefix) {
			continue
		}
		out.Keys++
		if strings.HasPrefix(name, q.Prefix) {
			out.PrefixKeys++
		}
		sum := sha256.Sum256(value)
		// Names hold no zero byte, so that nothing can pass for another name and revision.
		fmt.Fprintf(all, "%s\x00%d\x00", name, id)
		all.Write(sum[:])
		if i := slices.Index(q.Canaries, name); i >= 0 {
			canaries[i].Found, canaries[i].ModRevision, canaries[i].SHA256 = true, id, hex.EncodeToString(sum[:])
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	out.Hash = binary.BigEndian.Uint32(all.Sum(nil))
	if len(canaries) > 0 {
		out.Canaries = canaries
	}
	return nil
}
