// Package sqlitefile reads what a database file of SQLite says of itself in its header, and holds a file that streams by to it.
//
// It is not SQLite: what is in the pages is for SQLite to check. It is for those who copy a database, on both ends.
package sqlitefile

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The header of a database. Source: SQLite, "Database File Format" (fileformat2.html), section 1.3.
const (
	// HeaderSize is how many bytes it has.
	HeaderSize = 100
	magic      = "SQLite format 3\x00"
)

// Header is what the first bytes of a database say.
type Header struct {
	PageSize int64 // bytes
	// WAL: it must be read with its write-ahead log.
	WAL bool
}

// ParseHeader reads the first HeaderSize bytes of a database.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < HeaderSize || string(b[:len(magic)]) != magic {
		return Header{}, errors.New("it is no database of SQLite")
	}
	size := int64(binary.BigEndian.Uint16(b[16:]))
	if size == 1 { // 65,536 does not fit into two bytes
		size = 65536
	}
	if size < 512 || size&(size-1) != 0 {
		return Header{}, fmt.Errorf("its header names a page size of %d", size)
	}
	write, read := b[18], b[19]
	if write != read || write < 1 || write > 2 {
		return Header{}, fmt.Errorf("its header names the file formats %d and %d, and known are 1 and 2", write, read)
	}
	return Header{PageSize: size, WAL: write == 2}, nil
}
