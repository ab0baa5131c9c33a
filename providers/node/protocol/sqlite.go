package protocol

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"upkeep/providers/strictjson"
)

// ServiceSQLite is the raw session in which the database of a k3s server without etcd comes from the node: one SQLite
// file, of one moment. It carries frames (Channel), which begin with a byte that says what they are: data, data, …, answer.
// upkeep sends nothing. Data without an answer behind them are no copy.
const ServiceSQLite = "sqlite"

// SQLitePiece is how many bytes of the database one frame carries, a multiple of every size of page.
const SQLitePiece = 256 << 10

// SQLiteAnswer ends the copy.
type SQLiteAnswer struct {
	// Error says why there is no copy, although data came; empty: nothing went wrong.
	Error string `json:"error,omitempty" plain:"said"`
	// Size and SHA256 are those of all data, as the node read them.
	Size   int64  `json:"size,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	// Pages of PageSize bytes each; Frames is how many of them came from the write-ahead log.
	PageSize int64  `json:"page_size,omitempty"`
	Pages    uint32 `json:"pages,omitempty"`
	Frames   int    `json:"frames,omitempty"`
}

// SendSQLiteData sends a piece of the database, at most SQLitePiece bytes.
func SendSQLiteData(c *Channel, data []byte) error { return SendBundlesData(c, data) }

// SendSQLiteAnswer sends the answer.
func SendSQLiteAnswer(c *Channel, a SQLiteAnswer) error {
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return c.Send(append([]byte{frameAnswer}, text...))
}

// ErrSQLite is wrapped by the errors about a copy that is not what the node read.
var ErrSQLite = errors.New("the copy is not what the node read")

// ReceiveSQLite writes the database that comes out of a session into w. The SHA-256 is computed of what came, and compared
// with that of what the node read. An error of w comes back unchanged; without an error w has all of the copy.
func ReceiveSQLite(ctx context.Context, r io.Reader, w io.Writer) (SQLiteAnswer, error) {
	c := NewChannel(r, nil, nil)
	sum, size := sha256.New(), int64(0)
	for {
		frame, err := c.Recv()
		switch {
		case ctx.Err() != nil:
			return SQLiteAnswer{}, context.Cause(ctx)
		case err == io.EOF:
			return SQLiteAnswer{}, fmt.Errorf("%w: the connection ended after %d bytes of it", ErrSQLite, size)
		case err != nil:
			return SQLiteAnswer{}, fmt.Errorf("%w: %w", ErrSQLite, err)
		}
		switch frame[0] {
		case frameData:
			if len(frame)-1 > SQLitePiece {
				return SQLiteAnswer{}, fmt.Errorf("%w: a piece of %d bytes", ErrSQLite, len(frame)-1)
			}
			sum.Write(frame[1:])
			size += int64(len(frame) - 1)
			if _, err := w.Write(frame[1:]); err != nil {
				return SQLiteAnswer{}, err
			}
		case frameAnswer:
			var a SQLiteAnswer
			if err := strictjson.Decode(frame[1:], &a); err != nil {
				return a, fmt.Errorf("%w: its answer cannot be read: %w", ErrSQLite, err)
			}
			return a, a.check(size, hex.EncodeToString(sum.Sum(nil)))
		default:
			return SQLiteAnswer{}, fmt.Errorf("%w: a frame of an unknown kind", ErrSQLite)
		}
	}
}

func (a SQLiteAnswer) check(size int64, sum string) error {
	switch {
	case a.Error != "":
		return fmt.Errorf("the node gives no copy: %s", a.Error)
	case size == 0 || a.Size != size || a.SHA256 != sum:
		return fmt.Errorf("%w: it sent %d bytes with SHA-256 %.12s…, and %d with %.12s… came", ErrSQLite, a.Size, a.SHA256, size, sum)
	case a.PageSize <= 0 || int64(a.Pages)*a.PageSize != size:
		return fmt.Errorf("%w: %d bytes are not %d pages of %d", ErrSQLite, size, a.Pages, a.PageSize)
	}
	return nil
}
