package sqlite_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/sqlite"
	"upkeep/providers/node/protocol"
	"upkeep/providers/sqlitefile"
)

// copying is a copy under way.
type copying struct {
	*bufio.Reader
	io.Closer
}

// begin begins a copy: the locks are taken, and all but nothing has been read of it. The error is why there is none.
func begin(t *testing.T, root string) (copying, error) {
	t.Helper()
	d, err := disk.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	conn := sqlite.Open(context.Background(), d, "/db/state.db")
	t.Cleanup(func() { conn.Close() })
	c := copying{bufio.NewReaderSize(conn, 16), conn}
	if first, err := c.Peek(5); err != nil {
		t.Fatal(err)
	} else if first[4] == 'a' {
		_, err := protocol.ReceiveSQLite(context.Background(), c, io.Discard)
		return c, err
	}
	return c, nil
}

// receive reads a copy into a file; slowly, so that a writer gets far meanwhile.
func receive(t *testing.T, conn io.Reader, pause time.Duration) (string, protocol.SQLiteAnswer, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "copy.db")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	check := sqlitefile.NewChecker()
	answer, err := protocol.ReceiveSQLite(context.Background(), conn, slow{io.MultiWriter(f, check), pause})
	if err == nil {
		err = check.Finish()
	}
	return file, answer, err
}

type slow struct {
	io.Writer
	pause time.Duration
}

func (s slow) Write(b []byte) (int, error) {
	time.Sleep(s.pause)
	return s.Writer.Write(b)
}

func copied(t *testing.T, root string, pause time.Duration) (string, protocol.SQLiteAnswer) {
	t.Helper()
	conn, err := begin(t, root)
	if err != nil {
		t.Fatal(err)
	}
	file, answer, err := receive(t, conn, pause)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	return file, answer
}

// Every copy that is taken while another process writes, checkpoints and vacuums is a whole database, with every row that
// was committed before the copy began.
func TestCopiesUnderWritingAreWhole(t *testing.T) {
	root, file := node(t)
	w := start(t, file, 400)
	fromLog := 0
	for range 25 {
		before := w.committed.Load()
		copied, answer := copied(t, root, 4*time.Millisecond)
		if newest := examine(t, copied); newest < before {
			t.Fatalf("row %d was committed before the copy began, which ends with row %d", before, newest)
		}
		fromLog += answer.Frames
		w.until(w.committed.Load() + 20)
	}
	if fromLog == 0 {
		t.Error("no page of any copy came from the log: the test shows nothing")
	}
	w.stop()
	if newest, want := examine(t, file), w.committed.Load(); newest < want {
		t.Errorf("the database itself ends with row %d of %d", newest, want)
	}
}

// A copy that nobody reads from stops no writer, and its bytes stay those of its beginning.
func TestWritersDoNotWait(t *testing.T) {
	root, file := node(t)
	w := start(t, file, 300)
	before := w.committed.Load()
	conn, err := begin(t, root)
	if err != nil {
		t.Fatal(err)
	}
	at := w.committed.Load()
	w.until(at + 1500)
	copied, _, err := receive(t, conn, 0)
	if err != nil {
		t.Fatal(err)
	}
	// Some rows may have been committed between the look at the writer and the locks.
	if newest := examine(t, copied); newest < before || newest > at+100 {
		t.Errorf("the copy ends with row %d; it began between rows %d and %d", newest, before, at)
	}
}

// What happens to the writer while a copy is under way changes nothing in the copy.
func TestWriterEndsDuringACopy(t *testing.T) {
	for name, end := range map[string]func(*writer){"stopped": (*writer).stop, "killed": (*writer).kill} {
		t.Run(name, func(t *testing.T) {
			root, file := node(t)
			w := start(t, file, 500)
			before := w.committed.Load()
			conn, err := begin(t, root)
			if err != nil {
				t.Fatal(err)
			}
			end(w)
			last := w.committed.Load()
			again := start(t, file, 600)
			copied, _, err := receive(t, conn, time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			if newest := examine(t, copied); newest < before {
				t.Errorf("the copy ends with row %d of %d", newest, before)
			}
			conn.Close()
			again.stop()
			if newest := examine(t, file); newest < last {
				t.Errorf("the database itself ends with row %d of %d", newest, last)
			}
		})
	}
}

// A writer that stops takes its log with it. One that is killed leaves it, unless it had just begun it anew.
func TestNobodyHasItOpen(t *testing.T) {
	for name, end := range map[string]func(*writer){"stopped": (*writer).stop, "killed": (*writer).kill} {
		t.Run(name, func(t *testing.T) {
			fromLog := false
			for rows := int64(530); rows < 1030 && !fromLog; rows += 100 {
				root, file := node(t)
				w := start(t, file, rows)
				end(w)
				copied, answer := copied(t, root, 0)
				if newest, want := examine(t, copied), w.committed.Load(); newest < want {
					t.Errorf("the copy ends with row %d of %d", newest, want)
				}
				fromLog = answer.Frames > 0
				if name == "stopped" {
					break
				}
			}
			if fromLog != (name == "killed") {
				t.Errorf("pages came from the log: %t", fromLog)
			}
		})
	}
}

// Where nobody had the database there were no locks to take, so that somebody who comes is noticed.
func TestStartedDuringACopy(t *testing.T) {
	for name, end := range map[string]func(*writer){"stopped": (*writer).stop, "killed": (*writer).kill} {
		for _, stay := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, stays %v", name, stay), func(t *testing.T) {
				root, file := node(t)
				w := start(t, file, 500)
				end(w)
				conn, err := begin(t, root)
				if err != nil {
					t.Fatal(err)
				}
				again := start(t, file, 100)
				if !stay {
					again.stop()
				}
				if _, _, err := receive(t, conn, 0); err == nil || !strings.Contains(err.Error(), "k3s was started") {
					t.Errorf("the copy: %v", err)
				}
			})
		}
	}
}

func TestNotInWALMode(t *testing.T) {
	root, file := node(t)
	db, err := open(file, "delete")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	insert(t, db, 300)
	copied, answer := copied(t, root, 0)
	if newest := examine(t, copied); newest != 300 || answer.Frames != 0 {
		t.Errorf("the copy ends with row %d, %d pages of it from a log", newest, answer.Frames)
	}
	if err := os.WriteFile(file+"-journal", []byte("\xd9\xd5\x05\xf9\x20\xa1\x63\xd7 and so on"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := begin(t, root); err == nil || !strings.Contains(err.Error(), "is hot") {
		t.Errorf("with the journal of a crash: %v", err)
	}
}

func insert(t *testing.T, db *sql.DB, rows int) {
	t.Helper()
	if _, err := db.Exec(schema); err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		if _, err := db.Exec(`INSERT INTO kine (name, prev_revision, deleted, value) VALUES ('/registry/a', ?, 0, randomblob(3000))`, i); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		name string
		make func(t *testing.T, file string)
		want string
	}{
		{"no database", func(t *testing.T, file string) {}, "no such file"},
		{"something else", func(t *testing.T, file string) { put(t, file, strings.Repeat("x", 5000)) }, "no database of SQLite"},
		{"too short", func(t *testing.T, file string) { put(t, file, "SQLite format 3\x00") }, "no database of SQLite"},
		{"a link", func(t *testing.T, file string) {
			put(t, file+".real", "x")
			if err := os.Symlink(file+".real", file); err != nil {
				t.Fatal(err)
			}
		}, "symbolic link"},
	} {
		t.Run(test.name, func(t *testing.T) {
			root, file := node(t)
			test.make(t, file)
			if _, err := begin(t, root); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func put(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A log whose committed frames are not what the index says is never passed off as a copy.
func TestDamagedLogIsRefused(t *testing.T) {
	root, file := node(t)
	t.Setenv(rowsVariable, "150")
	start(t, file, 150)
	if _, answer := copied(t, root, 0); answer.Frames == 0 {
		t.Fatal("no page came from the log: the test shows nothing")
	}
	wal, err := os.OpenFile(file+"-wal", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer wal.Close()
	if _, err := wal.WriteAt([]byte{0xaa, 0x55}, 32+24+200); err != nil {
		t.Fatal(err)
	}
	if _, err := begin(t, root); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("with a flipped byte in its log: %v", err)
	}
}
