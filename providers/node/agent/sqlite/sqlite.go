// Package sqlite streams the database in which a k3s server without etcd keeps its cluster, at one moment, while
// k3s writes into it. It writes nothing on the node and stops nobody.
//
// # Why the copy is of one moment
//
// kine, k3s's layer over SQLite, keeps the database in WAL mode (kine v0.17, pkg/drivers/sqlite): a commit is frames at the
// end of state.db-wal, and checkpoints write pages from there into state.db. The copy is made as SQLite's own reader would
// (wal.c of SQLite 3.51; walformat.html, section 2.3), under four shared locks that any number of readers may have:
//
//   - on the database, as every connection has one. While it is held nobody can get the database for itself, so that a k3s
//     that is stopped at the same time leaves its log in place (sqlite3WalClose removes it only with an exclusive lock).
//   - on the byte that says that the index of the log (state.db-shm) is in use, so that a k3s that is started again goes on
//     with it and does not throw it away.
//   - on the byte of checkpoints. Only a checkpoint writes into a database in WAL mode, and it needs this byte for itself
//     (sqlite3WalCheckpoint). So state.db does not change.
//   - on the byte of one reader. A writer begins the log again, over the old frames, only when it gets those of all readers
//     (walRestartLog; so do the checkpoints RESTART and TRUNCATE). So the frames up to the last commit do not change;
//     new ones are added behind them, and are not read.
//
// The last commit is read from the index after the locks are there. Each page is then what its newest frame up to there
// says, or what state.db says where there is no such frame: what SQLite would have answered to a transaction that began at
// that moment. All commits that ended before the copy began are in it. A log that was begun again just before, whose old
// frames are still in the file, is told by the index, which says that no frame counts; all of them are in state.db then.
//
// Writers wait for none of this. A checkpoint that meets the lock is put off (kine's own ask for it and do not mind), and
// the log grows for as long as the copy takes; a copy that nobody reads from is given up after a minute.
//
// Where nobody has the database open there is nothing to lock against: the log is read as SQLite would recover it, and
// the one who opens the database at the same time is noticed, and the copy thrown away. A database that is not in WAL mode does not
// change while the first lock is held, unless a crash left a journal, which is refused.
package sqlite

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"path"
	"time"

	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/protocol"
)

// Service is the name by which the tunnel is asked for.
const Service = protocol.ServiceSQLite

// stall is how long upkeep may take nothing before the copy is given up.
const stall = time.Minute

// Open returns a connection that a database comes out of, as protocol.ReceiveSQLite reads it; where there is no copy, the
// reason comes out of it. The locks are taken before the first byte. The one who has the connection closes it; the locks are gone,
// and the disk is closed, when everything has been sent or the connection has ended.
func Open(ctx context.Context, d *disk.Disk, database string) net.Conn {
	near, far := net.Pipe()
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		defer d.Close()
		defer far.Close()
		defer context.AfterFunc(ctx, func() { far.Close() })()
		// What ends it early is seen at the other end: the answer is missing.
		_ = serve(ctx, far, d, database)
	}()
	return &connection{near, cancel}
}

// connection also ends the wait for locks when it is closed.
type connection struct {
	net.Conn
	cancel func()
}

func (c *connection) Close() error {
	c.cancel()
	return c.Conn.Close()
}

func serve(ctx context.Context, conn net.Conn, d *disk.Disk, database string) error {
	c := protocol.NewChannel(conn, deadline{conn}, nil)
	answer, err := copyOf(ctx, c, d, database)
	if err != nil {
		answer = protocol.SQLiteAnswer{Error: fmt.Sprintf("copy of %s: %v", database, err)}
	}
	return protocol.SendSQLiteAnswer(c, answer)
}

func copyOf(ctx context.Context, c *protocol.Channel, d *disk.Disk, database string) (answer protocol.SQLiteAnswer, err error) {
	dir, err := d.Dir(path.Dir(database))
	if err != nil {
		return answer, err
	}
	h, err := hold(ctx, dir, path.Base(database))
	if err != nil {
		return answer, err
	}
	defer h.close()
	sum := sha256.New()
	answer = protocol.SQLiteAnswer{PageSize: h.pageSize, Pages: h.pages, Frames: len(h.frames)}
	err = h.write(func(b []byte) error {
		sum.Write(b)
		answer.Size += int64(len(b))
		return protocol.SendSQLiteData(c, b)
	})
	if err == nil {
		err = h.stood()
	}
	answer.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return answer, err
}

// write sends every page, in pieces.
func (h *held) write(send func([]byte) error) error {
	b := make([]byte, protocol.SQLitePiece)
	for page := int64(1); page <= int64(h.pages); {
		n := int64(0) // bytes in b
		for ; page <= int64(h.pages) && n+h.pageSize <= int64(len(b)); page++ {
			if at, inLog := h.frames[uint32(page)]; inLog {
				if err := read(h.wal, b[n:n+h.pageSize], at); err != nil {
					return fmt.Errorf("page %d in %s-wal: %w", page, h.name, err)
				}
			} else if err := read(h.db, b[n:n+h.pageSize], (page-1)*h.pageSize); err != nil {
				return fmt.Errorf("page %d in %s: %w", page, h.name, err)
			}
			n += h.pageSize
		}
		if err := send(b[:n]); err != nil {
			return err
		}
	}
	return nil
}

func read(f io.ReaderAt, b []byte, at int64) error {
	n, err := f.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// deadline gives each write its time.
type deadline struct{ net.Conn }

func (d deadline) Write(b []byte) (int, error) {
	if err := d.SetWriteDeadline(time.Now().Add(stall)); err != nil {
		return 0, err
	}
	return d.Conn.Write(b)
}
