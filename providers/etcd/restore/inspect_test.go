package restore_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"upkeep/providers/etcd/drill"
	"upkeep/providers/etcd/restore"
)

// database writes a database as etcd lays it out. Freelists are written out where sync is set; etcd's own are not.
func database(t testing.TB, records int, sync bool) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "db")
	db, err := bolt.Open(file, 0o600, &bolt.Options{NoFreelistSync: !sync, NoSync: true, PageSize: 4096})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Update(func(tx *bolt.Tx) error {
		for _, name := range []string{"alarm", "key", "lease", "members", "meta"} {
			if _, err := tx.CreateBucket([]byte(name)); err != nil {
				return err
			}
		}
		meta, members := tx.Bucket([]byte("meta")), tx.Bucket([]byte("members"))
		return first(meta.Put([]byte("storageVersion"), []byte("3.6.0")), meta.Put([]byte("finishedCompactRev"), record(3)),
			members.Put([]byte("a1"), []byte(`{"id":161,"name":"cp1"}`)), members.Put([]byte("b2"), []byte(`{"id":178,"name":"cp0"}`)))
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range records {
		// One transaction each, as a live database has: pages are freed and used again.
		if err := db.Update(func(tx *bolt.Tx) error {
			value, err := proto.Marshal(&mvccpb.KeyValue{Key: fmt.Appendf(nil, "/registry/k%d", i%7), Value: make([]byte, i%300)})
			if err != nil {
				return err
			}
			return tx.Bucket([]byte("key")).Put(record(int64(i+2)), value)
		}); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

func record(revision int64) []byte {
	k := make([]byte, 17)
	binary.BigEndian.PutUint64(k, uint64(revision))
	k[8] = '_'
	return k
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestInspect(t *testing.T) {
	for _, sync := range []bool{false, true} {
		got, err := restore.Inspect(context.Background(), database(t, 400, sync), "/registry/")
		want := &drill.Inspection{
			Revision: 401, CompactRevision: 3, Keys: 7, Prefix: "/registry/", PrefixKeys: 7, Records: 400, StorageVersion: "3.6.0", Members: []string{"cp0", "cp1"},
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("freelist synced %t: %v, (-want +got):\n%s", sync, err, diff)
		}
	}
	got, err := restore.Inspect(context.Background(), database(t, 0, false), "/registry/")
	if err != nil || got.Revision != 1 || got.Keys != 0 {
		t.Errorf("an empty database: %+v, %v", got, err)
	}
}

// Whatever bytes are changed in a database, reading it ends with an answer or an error, and does not crash. bbolt alone
// does: the check of the structure before it is what this is about.
func FuzzInspect(f *testing.F) {
	f.Add(uint32(4096*2+8), []byte{0x10}, false)   // a page's type
	f.Add(uint32(4096*3), []byte{9, 9, 9}, true)   // a page's id
	f.Add(uint32(4096*5+20), []byte{0xff}, false)  // an element's position
	f.Add(uint32(4096*4+12), []byte{200, 1}, true) // a page's overflow
	f.Add(uint32(16+16), []byte{3}, false)         // the root
	var bases [2][]byte
	for i := range bases {
		content, err := os.ReadFile(database(f, 300, i == 1))
		if err != nil {
			f.Fatal(err)
		}
		bases[i] = content
	}
	f.Fuzz(func(t *testing.T, at uint32, patch []byte, synced bool) {
		base := bases[0]
		if synced {
			base = bases[1]
		}
		content := append([]byte(nil), base...)
		copy(content[int(at)%len(content):], patch)
		file := filepath.Join(t.TempDir(), "db")
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := restore.Inspect(context.Background(), file, "/registry/")
		if (got == nil) == (err == nil) {
			t.Errorf("answer %+v and error %v", got, err)
		}
	})
}
