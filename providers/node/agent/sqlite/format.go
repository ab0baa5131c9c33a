package sqlite

import (
	"bytes"
	"encoding/binary"
)

// The write-ahead log. Source: fileformat2.html, section 4.
const (
	walHeaderSize   = 32
	frameHeaderSize = 24
	walMagic        = 0x377f0682 // its last bit says that checksums are over big-endian words
	walVersion      = 3007000
)

// walHeader is the header of a write-ahead log.
type walHeader struct {
	pageSize int64
	order    binary.ByteOrder
	salts    [8]byte
	sum      [2]uint32
}

// parseWALHeader reads the header of a write-ahead log; ok is false where there is none that is whole: such a log holds
// nothing.
func parseWALHeader(b []byte) (h walHeader, ok bool) {
	if len(b) < walHeaderSize || binary.BigEndian.Uint32(b)&^1 != walMagic || binary.BigEndian.Uint32(b[4:]) != walVersion {
		return h, false
	}
	h.order = binary.LittleEndian
	if b[3]&1 == 1 {
		h.order = binary.BigEndian
	}
	h.pageSize = int64(binary.BigEndian.Uint32(b[8:]))
	if h.pageSize < 512 || h.pageSize > 65536 || h.pageSize&(h.pageSize-1) != 0 {
		return h, false
	}
	copy(h.salts[:], b[16:24])
	h.sum = checksum(h.order, [2]uint32{}, b[:24])
	return h, h.sum == [2]uint32{binary.BigEndian.Uint32(b[24:]), binary.BigEndian.Uint32(b[28:])}
}

// frame reads the header of the frame that follows a checksum, and returns the checksum behind it; ok is false where it
// does not follow: it is torn, or of an earlier use of the log.
func (h walHeader) frame(b []byte, before [2]uint32) (page, commit uint32, after [2]uint32, ok bool) {
	if len(b) != frameHeaderSize+int(h.pageSize) || !bytes.Equal(b[8:16], h.salts[:]) {
		return 0, 0, before, false
	}
	after = checksum(h.order, checksum(h.order, before, b[:8]), b[frameHeaderSize:])
	page, commit = binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	return page, commit, after, page != 0 && after == [2]uint32{binary.BigEndian.Uint32(b[16:]), binary.BigEndian.Uint32(b[20:])}
}

// checksum is that of fileformat2.html, section 4.2; the length of b is a multiple of eight.
func checksum(order binary.ByteOrder, s [2]uint32, b []byte) [2]uint32 {
	for ; len(b) >= 8; b = b[8:] {
		s[0] += order.Uint32(b) + s[1]
		s[1] += order.Uint32(b[4:]) + s[0]
	}
	return s
}

// The index of the log, which all processes share. Source: SQLite, "WAL-mode File Format" (walformat.html), section 2.1:
// a header, its copy, and what checkpoints say of themselves. Its numbers are in the machine's own order.
const (
	indexHeaderSize = 48
	indexSize       = 2*indexHeaderSize + 40
	readMarks       = 2*indexHeaderSize + 4
	readers         = 5
	markUnused      = 0xffffffff
)

// index is what the index of a log says.
type index struct {
	frames   uint32 // how many frames of the log are committed; the rest of it means nothing
	pages    uint32 // how many pages the database has with them
	sum      [2]uint32
	salts    [8]byte
	pageSize int64
	marks    [readers]uint32
}

// parseIndex reads an index; ok is false while somebody is at changing it, and where it is none.
func parseIndex(b []byte) (x index, ok bool) {
	if len(b) < indexSize || !bytes.Equal(b[:indexHeaderSize], b[indexHeaderSize:2*indexHeaderSize]) {
		return x, false
	}
	native := binary.NativeEndian
	sum := checksum(nativeOrder(), [2]uint32{}, b[:40])
	if native.Uint32(b) != walVersion || b[12] == 0 || sum != [2]uint32{native.Uint32(b[40:]), native.Uint32(b[44:])} {
		return x, false
	}
	x.pageSize = int64(native.Uint16(b[14:]))
	x.pageSize = x.pageSize&0xfe00 | (x.pageSize&1)<<16 // 65,536 is written as 1
	x.frames, x.pages = native.Uint32(b[16:]), native.Uint32(b[20:])
	x.sum = [2]uint32{native.Uint32(b[24:]), native.Uint32(b[28:])}
	copy(x.salts[:], b[32:40])
	for i := range x.marks {
		x.marks[i] = native.Uint32(b[readMarks+4*i:])
	}
	return x, true
}

func nativeOrder() binary.ByteOrder {
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		return binary.LittleEndian
	}
	return binary.BigEndian
}
