package restore_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite"

	"upkeep/providers/etcd"
	"upkeep/providers/etcd/drill"
)

// kine writes a database as kine does, by these statements after its schema.
func kine(t testing.TB, statements ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "state.db")
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(wal)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range append([]string{
		`CREATE TABLE kine (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, created INTEGER, deleted INTEGER, create_revision INTEGER, prev_revision INTEGER, lease INTEGER, value BLOB, old_value BLOB)`,
		`CREATE INDEX kine_name_id_index ON kine (name, id)`,
	}, statements...) {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return file
}

func row(name string, deleted int, value string) string {
	return fmt.Sprintf(`INSERT INTO kine (name, deleted, prev_revision, value) VALUES ('%s', %d, 0, '%s')`, name, deleted, value)
}

func TestDatabase(t *testing.T) {
	file := kine(t, row("compact_rev_key", 0, ""), row("/registry/a", 0, "one"), row("/registry/b", 0, "two"), row("/registry/a", 0, "three"),
		row("/registry/b", 1, ""), row("gap-6", 1, ""), row("/other", 0, "four"), `UPDATE kine SET prev_revision = 3 WHERE name = 'compact_rev_key'`, row("/registry/c", 1, "x"))
	got, err := drill.Database(t.Context(), child(t), file, etcd.Question{Canaries: []string{"/registry/a", "/registry/b", "/registry/none"}})
	if err != nil {
		t.Fatal(err)
	}
	three := sha256.Sum256([]byte("three"))
	want := etcd.Contents{Revision: 8, CompactRevision: 3, Keys: 2, Prefix: "/registry/", PrefixKeys: 1, Hash: got.Hash, Canaries: []etcd.Canary{
		{Key: "/registry/a", Found: true, ModRevision: 4, SHA256: hex.EncodeToString(three[:])}, {Key: "/registry/b"}, {Key: "/registry/none"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	// What is not alive makes no difference to the hash; what is does.
	for _, test := range []struct {
		name, statement string
		same            bool
	}{
		{"an old version", `DELETE FROM kine WHERE id = 2`, true}, {"a value", `UPDATE kine SET value = 'thref' WHERE id = 4`, false},
		{"a revision", `UPDATE kine SET id = 9 WHERE id = 7`, false}, {"a name", `UPDATE kine SET name = '/othes' WHERE id = 9`, false},
	} {
		db, err := sql.Open("sqlite", file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(test.statement); err != nil {
			t.Fatal(err)
		}
		db.Close()
		after, err := drill.Database(t.Context(), child(t), file, etcd.Question{})
		if err != nil {
			t.Fatal(err)
		}
		if (after.Hash == got.Hash) != test.same {
			t.Errorf("%s changed: hash %08x, was %08x", test.name, after.Hash, got.Hash)
		}
		got.Hash = after.Hash
	}
}

// Damage to a database never looks like health: the copy is refused as damaged, or what is in it is seen to be other
// than what was saved; a flipped byte in what SQLite does not use changes nothing, and the SHA-256 of the part finds
// it.
func TestDamagedDatabases(t *testing.T) {
	var rows []string
	for i := range 120 {
		rows = append(rows, row(fmt.Sprintf("/registry/k%03d", i), 0, fmt.Sprintf("%0500d", i)))
	}
	whole, err := os.ReadFile(kine(t, rows...))
	if err != nil {
		t.Fatal(err)
	}
	options, directory := child(t), t.TempDir()
	look := func(content []byte) (etcd.Contents, error) {
		t.Helper()
		file := filepath.Join(directory, "damaged.db")
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return drill.Database(context.Background(), options, file, etcd.Question{})
	}
	saved, err := look(whole)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"nothing": nil, "cut to half": whole[:len(whole)/2], "4 KiB short": whole[:len(whole)-4096], "100 bytes short": whole[:len(whole)-100],
		"no database": bytes.Repeat([]byte("x"), 8192), "the header alone": whole[:100],
		"two pages swapped": append(append(append(bytes.Clone(whole[:8192]), whole[12288:16384]...), whole[8192:12288]...), whole[16384:]...),
		"a page of zeros":   append(append(bytes.Clone(whole[:8192]), make([]byte, 4096)...), whole[12288:]...),
	} {
		if got, err := look(content); !errors.Is(err, drill.ErrDamaged) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	found, flips := 0, 0
	for page := 0; page < len(whole)/4096; page += 9 {
		for _, at := range []int{0, 3, 8, 4095, 3000} {
			flips++
			content := bytes.Clone(whole)
			content[page*4096+at] ^= 0x41
			got, err := look(content)
			if err != nil && !errors.Is(err, drill.ErrDamaged) {
				t.Errorf("byte %d of page %d: %v", at, page+1, err)
			}
			if err != nil || len(etcd.Differences(saved, got)) > 0 {
				found++
			}
		}
	}
	if found < flips*3/4 {
		t.Errorf("%d of %d flipped bytes were found", found, flips)
	}
}
