package sqlitefile_test

import (
	"encoding/binary"
	"errors"
	"testing"

	"upkeep/providers/sqlitefile"
)

// database is a file of so many pages of 4,096 bytes in WAL mode, as far as its header says it.
func database(pages uint32) []byte {
	b := make([]byte, int(pages)*4096)
	copy(b, "SQLite format 3\x00")
	binary.BigEndian.PutUint16(b[16:], 4096)
	b[18], b[19] = 2, 2
	binary.BigEndian.PutUint32(b[24:], 7)
	binary.BigEndian.PutUint32(b[28:], pages)
	binary.BigEndian.PutUint32(b[92:], 7)
	return b
}

func TestChecker(t *testing.T) {
	whole := database(3)
	stale := database(3) // written by a SQLite that does not keep the number of pages
	binary.BigEndian.PutUint32(stale[92:], 6)
	binary.BigEndian.PutUint32(stale[28:], 9)
	for _, test := range []struct {
		name    string
		bytes   []byte
		damaged bool
	}{
		{"whole", whole, false},
		{"a number of pages that does not count", stale, false},
		{"a page short", whole[:2*4096], true},
		{"a byte short", whole[:len(whole)-1], true},
		{"a page too many", append(whole[:len(whole):len(whole)], whole[:4096]...), true},
		{"nothing", nil, true},
		{"no header", whole[4096:], true},
		{"half a header", whole[:50], true},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, chunk := range []int{1, 99, 4096, 1 << 20} {
				check := sqlitefile.NewChecker()
				for rest := test.bytes; len(rest) > 0; rest = rest[min(chunk, len(rest)):] {
					if _, err := check.Write(rest[:min(chunk, len(rest))]); err != nil {
						t.Fatal(err)
					}
				}
				if err := check.Finish(); errors.Is(err, sqlitefile.ErrDamaged) != test.damaged {
					t.Errorf("in pieces of %d bytes: %v", chunk, err)
				}
			}
		})
	}
}

func FuzzHeader(f *testing.F) {
	f.Add(database(1))
	f.Add([]byte("SQLite format 3\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := sqlitefile.ParseHeader(data)
		if err == nil && (h.PageSize < 512 || h.PageSize > 65536 || h.PageSize&(h.PageSize-1) != 0) {
			t.Errorf("a page size of %d was taken", h.PageSize)
		}
	})
}
