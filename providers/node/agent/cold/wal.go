package cold

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// position is what a write-ahead log says of its member: whose it is, and how far it goes.
type position struct {
	cluster, member uint64
	term, index     uint64 // of the last entry; 0: the log has none
}

// The kinds of records that matter here, and the fields of what they hold. Sources: etcd v3.6, server/storage/wal/wal.go
// and walpb/record.proto, api/etcdserverpb/etcdserver.proto (Metadata), raft v3.6, raftpb/raft.proto (Entry).
const (
	kindMetadata = 1
	kindEntry    = 2

	recordKind, recordData           = 1, 3
	metadataMember, metadataOf       = 1, 2
	entryTerm, entryIndex            = 2, 3
	lengthMask                 int64 = 1<<56 - 1
)

// peeked is how much of a record is looked at: all of one that says whose the log is, and of an entry what stands before
// its data.
const peeked = 512

// errLog is the error about a log that is none.
var errLog = errors.New("it is no write-ahead log of etcd")

// readLog reads one file of a write-ahead log up to its end, or up to where the machine stopped while it was written. It does
// not verify it: etcd does when it starts.
func readLog(r io.Reader, size int64) (position, error) {
	var p position
	in, known := bufio.NewReaderSize(r, 64<<10), false
	for offset := int64(0); ; {
		var head [8]byte
		if _, err := io.ReadFull(in, head[:]); err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		} else if err != nil {
			return p, err
		}
		field := int64(binary.LittleEndian.Uint64(head[:]))
		length := field & lengthMask
		if field == 0 || length <= 0 || length > size-offset-8 {
			break // space that is not written yet, or a record that was not written to its end
		}
		if field < 0 { // the padding to a multiple of eight follows
			length += field >> 56 & 7
		}
		record, err := in.Peek(int(min(length, peeked)))
		if err != nil && err != io.EOF {
			return p, err
		}
		kind, data := takeRecord(record)
		switch kind {
		case kindMetadata:
			p.member, p.cluster = varint(data, metadataMember), varint(data, metadataOf)
			known = p.cluster != 0
		case kindEntry:
			p.term, p.index = varint(data, entryTerm), varint(data, entryIndex)
		}
		if n, err := in.Discard(int(length)); err != nil && n < int(length) {
			break
		}
		offset += 8 + length
	}
	if !known {
		return p, errLog
	}
	return p, nil
}

// takeRecord returns the kind of a record and its data, as far as it was read.
func takeRecord(b []byte) (kind uint64, data []byte) {
	for len(b) > 0 {
		number, form, n := protowire.ConsumeTag(b)
		if n < 0 {
			return kind, nil
		}
		b = b[n:]
		if number == recordData && form == protowire.BytesType {
			_, n := protowire.ConsumeVarint(b)
			if n < 0 {
				return kind, nil
			}
			return kind, b[n:]
		}
		value, n := protowire.ConsumeVarint(b)
		if form != protowire.VarintType || n < 0 {
			return kind, nil
		}
		if number == recordKind {
			kind = value
		}
		b = b[n:]
	}
	return kind, nil
}

// varint returns a number of a message, which may be cut off behind it; 0 where it is not there.
func varint(b []byte, wanted protowire.Number) uint64 {
	for len(b) > 0 {
		number, form, n := protowire.ConsumeTag(b)
		if n < 0 || form != protowire.VarintType {
			return 0
		}
		value, m := protowire.ConsumeVarint(b[n:])
		if m < 0 {
			return 0
		}
		if number == wanted {
			return value
		}
		b = b[n+m:]
	}
	return 0
}

// hexID writes an id as etcd does.
func hexID(id uint64) string { return strconv.FormatUint(id, 16) }
