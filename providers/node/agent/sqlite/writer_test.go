package sqlite_test

import (
	"bufio"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite"
)

// writerVariable makes a test binary the writer of the database that it names: SQLite's locks are between processes.
const writerVariable = "UPKEEP_TEST_SQLITE_WRITER"

func TestMain(m *testing.M) {
	if file := os.Getenv(writerVariable); file != "" {
		if err := write(file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// open opens a database with the settings of kine (v0.17, pkg/drivers/sqlite: DefaultParams), but for a log that is
// checkpointed much more often.
func open(file, journal string) (*sql.DB, error) {
	return sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode("+journal+")&_pragma=busy_timeout(30000)&_pragma=synchronous(normal)&_pragma=wal_autocheckpoint(60)&_txlock=immediate")
}

const schema = `CREATE TABLE IF NOT EXISTS kine (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, created INTEGER, deleted INTEGER,
	create_revision INTEGER, prev_revision INTEGER, lease INTEGER, value BLOB, old_value BLOB);
	CREATE INDEX IF NOT EXISTS kine_name_id_index ON kine (name, id);
	CREATE UNIQUE INDEX IF NOT EXISTS kine_name_prev_revision_uindex ON kine (name, prev_revision)`

// write writes as kine does, as fast as it can, until its standard input ends: every row a transaction, whose id it prints
// when it is committed. It compacts now and then, with the checkpoint that kine asks for, and vacuums.
func write(file string) error {
	db, err := open(file, "wal")
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	go func() {
		bufio.NewReader(os.Stdin).ReadByte()
		close(stop)
	}()
	rows, _ := strconv.Atoi(os.Getenv(rowsVariable))
	seed, err := strconv.ParseUint(os.Getenv(seedVariable), 10, 64)
	if err != nil {
		return err
	}
	if err := fill(db, rand.New(rand.NewPCG(seed, 0)), rows, stop); err != nil {
		return err
	}
	<-stop
	return db.Close()
}

// rowsVariable makes it write so many rows, with no checkpoint, and then keep the database open.
const rowsVariable = "UPKEEP_TEST_SQLITE_ROWS"

// seedVariable is the seed of what it writes; start makes one up and logs it, unless it is set.
const seedVariable = "UPKEEP_TEST_SQLITE_SEED"

func fill(db *sql.DB, dice *rand.Rand, rows int, stop <-chan struct{}) error {
	if rows > 0 {
		db.SetMaxOpenConns(1)
		if _, err := db.Exec(`PRAGMA wal_autocheckpoint(0)`); err != nil {
			return err
		}
	}
	if _, err := db.Exec(schema); err != nil {
		return err
	}
	value := make([]byte, 6000)
	for n := 1; rows == 0 || n <= rows; n++ {
		select {
		case <-stop:
			return nil
		default:
		}
		for i := range value {
			value[i] = byte(dice.Uint32())
		}
		result, err := db.Exec(`INSERT INTO kine (name, created, deleted, create_revision, prev_revision, lease, value) VALUES (?, 1, 0, 0, (SELECT coalesce(max(id), 0) FROM kine), 0, ?)`,
			fmt.Sprintf("/registry/configmaps/default/c%03d", n%300), value[:dice.IntN(len(value))])
		if err != nil {
			return err
		}
		id, err := result.LastInsertId()
		if err != nil {
			return err
		}
		fmt.Println(id)
		if n%200 == 0 {
			// Old versions go, but for every tenth: the pages of what is gone are used again.
			if _, err := db.Exec(`DELETE FROM kine WHERE id < ? AND id % 10 != 0`, id-100); err != nil {
				return err
			}
			if _, err := db.Exec(`PRAGMA wal_checkpoint(` + []string{"FULL", "TRUNCATE", "RESTART"}[dice.IntN(3)] + `)`); err != nil {
				return err
			}
		}
		if n%900 == 0 {
			if _, err := db.Exec(`VACUUM`); err != nil {
				return err
			}
		}
	}
	return nil
}

// writer is a process that writes.
type writer struct {
	t         *testing.T
	command   *exec.Cmd
	stdin     interface{ Close() error }
	committed atomic.Int64
	ended     chan struct{}
}

// start starts a writer and waits until it has committed some rows.
func start(t *testing.T, file string, rows int64) *writer {
	t.Helper()
	w := &writer{t: t, command: exec.Command(os.Args[0]), ended: make(chan struct{})}
	seed := os.Getenv(seedVariable)
	if seed == "" {
		seed = strconv.FormatUint(rand.Uint64(), 10)
	}
	t.Logf("again: %s=%s", seedVariable, seed)
	w.command.Env = append(os.Environ(), writerVariable+"="+file, seedVariable+"="+seed)
	w.command.Stderr = os.Stderr
	out, err := w.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if w.stdin, err = w.command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := w.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(w.ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if id, err := strconv.ParseInt(lines.Text(), 10, 64); err == nil {
				w.committed.Store(id)
			}
		}
	}()
	t.Cleanup(w.kill)
	w.until(w.committed.Load() + rows)
	return w
}

// until waits until a row is committed.
func (w *writer) until(id int64) {
	w.t.Helper()
	for range 6000 {
		if w.committed.Load() >= id {
			return
		}
		select {
		case <-w.ended:
			w.t.Fatal("the writer ended")
		case <-time.After(10 * time.Millisecond):
		}
	}
	w.t.Fatalf("the writer stands at row %d and does not come to %d", w.committed.Load(), id)
}

// stop ends it as a program ends: it closes the database.
func (w *writer) stop() {
	w.t.Helper()
	w.stdin.Close()
	<-w.ended
	if err := w.command.Wait(); err != nil {
		w.t.Fatal(err)
	}
}

// kill ends it as a machine that loses power would, but for what the kernel still writes.
func (w *writer) kill() {
	if w.command.ProcessState == nil {
		w.command.Process.Kill()
		<-w.ended
		w.command.Wait()
	}
}

// examine opens a copy, has SQLite check it, and returns the newest row. Rows that were never deleted must all be there.
func examine(t *testing.T, file string) int64 {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+file+"?mode=ro&immutable=1")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(`PRAGMA integrity_check`)
	if err != nil {
		t.Fatalf("the copy does not open: %v", err)
	}
	defer rows.Close()
	var said []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		said = append(said, line)
	}
	if text := strings.Join(said, "\n"); text != "ok" || rows.Err() != nil {
		t.Fatalf("SQLite's check of the copy: %s %v", text, rows.Err())
	}
	rows.Close()
	var newest, kept, recent int64
	if err := db.QueryRow(`SELECT coalesce(max(id), 0), coalesce(sum(id % 10 = 0), 0) FROM kine`).Scan(&newest, &kept); err != nil {
		t.Fatal(err)
	}
	if err := db.QueryRow(`SELECT count(*) FROM kine WHERE id > ?`, newest-100).Scan(&recent); err != nil {
		t.Fatal(err)
	}
	if kept != newest/10 || recent != min(100, newest) {
		t.Fatalf("the copy ends with row %d, and has %d of %d rows that stay and %d of the last 100", newest, kept, newest/10, recent)
	}
	return newest
}

// node is a directory that stands for the root of a node, and the path of a database in it.
func node(t *testing.T) (root, file string) {
	t.Helper()
	root = t.TempDir()
	file = filepath.Join(root, "db", "state.db")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	return root, file
}
