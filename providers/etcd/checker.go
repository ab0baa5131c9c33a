package etcd

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
)

// A snapshot is the member's database file (bbolt), followed by its SHA-256 as 32 raw bytes. The database is a multiple of the page, so the size of a snapshot is 32 modulo 512. Source: etcd v3.7 server/etcdserver/api/v3rpc/maintenance.go
// (Snapshot) and etcdutl/snapshot/v3_snapshot.go (hasChecksum).
const (
	trailerSize = sha256.Size
	sectorSize  = 512
)

// What can be wrong with a snapshot; the errors of Checker.Finish are one of these and say more.
var (
	// ErrEmpty: not one byte of a database.
	ErrEmpty = errors.New("the snapshot is empty")
	// ErrCutShort: the end is missing.
	ErrCutShort = errors.New("the snapshot is cut short")
	// ErrNoTrailer: a complete database, but no checksum behind it: a copy of a member's file, or a tool that dropped it.
	ErrNoTrailer = errors.New("the snapshot has no checksum at its end")
	// ErrZeroTrailer: zeroes where the checksum belongs, as a torn write or a sparse copy leaves them.
	ErrZeroTrailer = errors.New("the snapshot's checksum is all zeroes")
	// ErrWrongSum: the bytes are not those that the member sent.
	ErrWrongSum = errors.New("the snapshot is damaged")
)

// Sums is what a sound snapshot is known by.
type Sums struct {
	// Size is the complete snapshot in bytes, its trailer included.
	Size int64 `json:"size"`
	// Database is the SHA-256 of the database alone, in hexadecimal: what the trailer holds.
	Database string `json:"database_sha256"`
	// File is the SHA-256 of the complete snapshot, as sha256sum prints it.
	File string `json:"file_sha256"`
}

// Checker reads a snapshot as it streams by and says at the end whether it is complete. It keeps 32 bytes and the pages that
// head the database, whatever the size. It does not look into the database: a member whose own file is damaged sends a
// snapshot that is complete in this sense.
//
// The zero value is not ready for use; see NewChecker.
type Checker struct {
	sum  hash.Hash // over all but held
	held []byte    // the last bytes: the trailer, once all is written
	head []byte
	size int64
}

// NewChecker returns a checker that has seen nothing.
func NewChecker() *Checker {
	return &Checker{sum: sha256.New(), held: make([]byte, 0, trailerSize)}
}

// Write takes the next bytes. It never fails.
func (c *Checker) Write(p []byte) (int, error) {
	c.size += int64(len(p))
	if room := headSize - len(c.head); room > 0 {
		c.head = append(c.head, p[:min(room, len(p))]...)
	}
	if len(p) >= trailerSize {
		c.sum.Write(c.held)
		c.sum.Write(p[:len(p)-trailerSize])
		c.held = append(c.held[:0], p[len(p)-trailerSize:]...)
		return len(p), nil
	}
	if over := len(c.held) + len(p) - trailerSize; over > 0 {
		c.sum.Write(c.held[:over])
		c.held = c.held[:copy(c.held, c.held[over:])]
	}
	c.held = append(c.held, p...)
	return len(p), nil
}

// Finish judges what was written. The error is one of ErrEmpty, ErrCutShort, ErrNoTrailer, ErrZeroTrailer and ErrWrongSum,
// and says what was found. The sums are filled in any case.
func (c *Checker) Finish() (Sums, error) {
	database := c.sum.Sum(nil)
	sums := Sums{Size: c.size, Database: hex.EncodeToString(database), File: hex.EncodeToString(c.whole())}
	needs, isDatabase := databaseSize(c.head)
	switch {
	case c.size == 0:
		return sums, ErrEmpty
	case c.size%sectorSize != trailerSize && isDatabase && c.size >= needs && c.size%sectorSize == 0:
		return sums, fmt.Errorf("%w: %d bytes, a complete database without a checksum; take the snapshot from a member with the snapshot request, not as a copy of its file", ErrNoTrailer, c.size)
	case c.size%sectorSize != trailerSize:
		return sums, fmt.Errorf("%w: %d bytes, which is not a multiple of %d bytes and a %d-byte checksum", ErrCutShort, c.size, sectorSize, trailerSize)
	case bytes.Equal(database, c.held):
		return sums, nil
	case isDatabase && c.size-trailerSize < needs:
		return sums, fmt.Errorf("%w: its first page says that the database is %d bytes, the file holds %d", ErrCutShort, needs, c.size-trailerSize)
	case bytes.Equal(c.held, make([]byte, trailerSize)):
		return sums, fmt.Errorf("%w (the database's is %s): its end was never written, or was lost", ErrZeroTrailer, sums.Database)
	}
	return sums, fmt.Errorf("%w: the sha256 of its %d bytes of database is %s, the checksum at its end says %s", ErrWrongSum, c.size-trailerSize, sums.Database, hex.EncodeToString(c.held))
}

// complete returns the sum over everything written, and leaves c.sum as it was.
func (c *Checker) whole() []byte {
	state, err := c.sum.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		panic(err) // crypto/sha256 documents that it can
	}
	all := sha256.New()
	if err := all.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
		panic(err)
	}
	all.Write(c.held)
	return all.Sum(nil)
}

// The head of a bbolt file: page 0 and page 1 are its meta pages, of which the one with the higher transaction counts.
// Numbers are in the byte order of the machine; every platform that etcd supports is little-endian but s390x, whose
// snapshots are then judged by their checksum alone. Source: bbolt v1.5 internal/common/{page,meta}.go.
const (
	maxPageSize    = 64 << 10
	headSize       = maxPageSize + pageHeaderSize + metaSize
	pageHeaderSize = 16
	metaSize       = 64
	metaMagic      = 0xED0CDAED
)

// databaseSize returns how many bytes the database must at least have by its own first pages, and whether head begins a
// database at all.
func databaseSize(head []byte) (size int64, ok bool) {
	pageSize, pages, transaction, ok := readMeta(head)
	if !ok {
		return 0, false
	}
	if len(head) > int(pageSize) {
		if _, more, later, ok := readMeta(head[pageSize:]); ok && later > transaction {
			pages = more
		}
	}
	if pages > 1<<40 {
		return 0, false
	}
	return int64(pages) * int64(pageSize), true
}

func readMeta(page []byte) (pageSize uint32, pages, transaction uint64, ok bool) {
	if len(page) < pageHeaderSize+metaSize {
		return 0, 0, 0, false
	}
	meta := page[pageHeaderSize:]
	pageSize = binary.LittleEndian.Uint32(meta[8:])
	if binary.LittleEndian.Uint32(meta) != metaMagic || pageSize < 1<<10 || pageSize > maxPageSize {
		return 0, 0, 0, false
	}
	sum := fnv.New64a()
	sum.Write(meta[:56])
	if binary.LittleEndian.Uint64(meta[56:]) != sum.Sum64() {
		return 0, 0, 0, false
	}
	return pageSize, binary.LittleEndian.Uint64(meta[40:]), binary.LittleEndian.Uint64(meta[48:]), true
}
