package restore_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"

	"upkeep/providers/etcd"
	"upkeep/providers/etcd/drill"
)

// A snapshot of an etcd with authentication is drilled, too: its users come along, and the drill is none of them.
func TestADrillOfAnEtcdWithAuthentication(t *testing.T) {
	m := startMember(t, "")
	m.put("/registry/namespaces/kube-system", "canary")
	file, _ := m.save()
	locked := damage(t, file, func(snapshot []byte) []byte {
		database := filepath.Join(t.TempDir(), "db")
		if err := os.WriteFile(database, snapshot[:len(snapshot)-sha256.Size], 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := bolt.Open(database, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Update(func(tx *bolt.Tx) error {
			auth, err := tx.CreateBucketIfNotExists([]byte("auth"))
			if err != nil {
				return err
			}
			if err := auth.Put([]byte("authRevision"), binary.BigEndian.AppendUint64(nil, 7)); err != nil {
				return err
			}
			return auth.Put([]byte("authEnabled"), []byte{1})
		}); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(database)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(content)
		return append(content, sum[:]...)
	})
	verified, err := drill.Verify(context.Background(), child(t), locked, "")
	if err != nil {
		t.Fatal(err)
	}
	got, err := drill.Drill(context.Background(), child(t), locked, etcd.Question{Revision: verified.Revision, Canaries: []string{"/registry/namespaces/kube-system"}}, 0)
	if err != nil || !got.Canaries[0].Found {
		t.Errorf("%+v, %v", got, err)
	}
}
