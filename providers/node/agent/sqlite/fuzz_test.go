package sqlite

import (
	"context"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"testing"

	"upkeep/providers/node/agent/disk"
)

// FuzzHold opens any three files as database, log and index. Whatever they hold, what is sent is as long as it was said to be,
// and nothing is read past the ends of the files without an error.
func FuzzHold(f *testing.F) {
	page := make([]byte, 512)
	copy(page, "SQLite format 3\x00")
	binary.BigEndian.PutUint16(page[16:], 512)
	page[18], page[19] = 2, 2
	log := testLog(f, 512, page, page)
	f.Add(page, log, []byte{})
	f.Add(page, log[:len(log)-1], []byte("xxx"))
	f.Add(append(page, page...), []byte{}, testIndex(0))
	f.Add(page, log, testIndex(2))
	f.Fuzz(func(t *testing.T, database, wal, shm []byte) {
		if _, ok := parseIndex(shm); !ok && len(shm) > 4 {
			shm = testIndex(uint32(len(shm)))
		}
		root := t.TempDir()
		for name, content := range map[string][]byte{"state.db": database, "state.db-wal": wal, "state.db-shm": shm} {
			if err := os.WriteFile(filepath.Join(root, name), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		d, err := disk.Open(root)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		dir, err := d.Dir("/")
		if err != nil {
			t.Fatal(err)
		}
		h, err := hold(context.Background(), dir, "state.db")
		if err != nil {
			return
		}
		defer h.close()
		size := int64(0)
		err = h.write(func(b []byte) error {
			if size += int64(len(b)); size > 16<<20 {
				return io.ErrShortWrite // a log may promise more pages than anybody wants to see here
			}
			return nil
		})
		if err == nil && size != int64(h.pages)*h.pageSize {
			t.Errorf("%d bytes were sent of %d pages of %d", size, h.pages, h.pageSize)
		}
		for page, at := range h.frames {
			if page == 0 || at < walHeaderSize+frameHeaderSize || at+h.pageSize > int64(len(wal)) {
				t.Errorf("page %d is said to be at byte %d of a log of %d bytes", page, at, len(wal))
			}
		}
		// The same files as somebody has them who is at work: no panic, and no frame from outside the log either.
		h.shm, _, _ = dir.Open("state.db-shm")
		expired, cancel := context.WithCancel(context.Background())
		cancel()
		if err := h.readLog(context.Background(), expired); err == nil && len(h.frames) > len(wal)/int(h.pageSize) {
			t.Errorf("%d pages in a log of %d bytes", len(h.frames), len(wal))
		}
	})
}

// testLog is a log of pages 1, 2, …, the last of which ends a transaction.
func testLog(tb testing.TB, size int, pages ...[]byte) []byte {
	tb.Helper()
	b := make([]byte, walHeaderSize)
	binary.BigEndian.PutUint32(b, walMagic)
	binary.BigEndian.PutUint32(b[4:], walVersion)
	binary.BigEndian.PutUint32(b[8:], uint32(size))
	copy(b[16:], "saltpins")
	sum := checksum(binary.LittleEndian, [2]uint32{}, b[:24])
	binary.BigEndian.PutUint32(b[24:], sum[0])
	binary.BigEndian.PutUint32(b[28:], sum[1])
	for i, page := range pages {
		head := make([]byte, frameHeaderSize)
		binary.BigEndian.PutUint32(head, uint32(i+1))
		if i == len(pages)-1 {
			binary.BigEndian.PutUint32(head[4:], uint32(len(pages)))
		}
		copy(head[8:], "saltpins")
		sum = checksum(binary.LittleEndian, checksum(binary.LittleEndian, sum, head[:8]), page)
		binary.BigEndian.PutUint32(head[16:], sum[0])
		binary.BigEndian.PutUint32(head[20:], sum[1])
		b = append(append(b, head...), page...)
	}
	return b
}

func testIndex(frames uint32) []byte {
	native := binary.NativeEndian
	b := make([]byte, indexSize)
	native.PutUint32(b, walVersion)
	b[12] = 1
	native.PutUint16(b[14:], 512)
	native.PutUint32(b[16:], frames)
	native.PutUint32(b[20:], frames)
	copy(b[32:], "saltpins")
	sum := checksum(nativeOrder(), [2]uint32{}, b[:40])
	native.PutUint32(b[40:], sum[0])
	native.PutUint32(b[44:], sum[1])
	copy(b[indexHeaderSize:], b[:indexHeaderSize])
	return b
}

// The log of the tests is one that this package reads: else the fuzz target would see nothing but refusals.
func TestTheLogOfTheTestsIsRead(t *testing.T) {
	page := make([]byte, 512)
	h, ok := parseWALHeader(testLog(t, 512))
	if !ok {
		t.Fatal("its header is refused")
	}
	log := testLog(t, 512, page, page)[walHeaderSize:]
	sum := h.sum
	for i := uint32(1); i <= 2; i++ {
		var at, commit uint32
		if at, commit, sum, ok = h.frame(log[:frameHeaderSize+512], sum); !ok || at != i || commit != (i-1)*2 {
			t.Fatalf("frame %d is of page %d, commit %d, %v", i, at, commit, ok)
		}
		log = log[frameHeaderSize+512:]
	}
	if x, ok := parseIndex(testIndex(7)); !ok || x.frames != 7 || x.pageSize != 512 {
		t.Errorf("index %+v, %v", x, ok)
	}
}
