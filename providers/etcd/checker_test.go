package etcd

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/fnv"
	"testing"

	"pgregory.net/rapid"
)

// database returns the pages of an empty database, of 4 KiB each, whose meta pages say how many there are.
func database(pages int) []byte {
	out := make([]byte, pages*4096)
	for transaction := range 2 {
		meta := out[transaction*4096+16:]
		binary.LittleEndian.PutUint32(meta, metaMagic)
		binary.LittleEndian.PutUint32(meta[4:], 2)
		binary.LittleEndian.PutUint32(meta[8:], 4096)
		binary.LittleEndian.PutUint64(meta[40:], uint64(pages))
		binary.LittleEndian.PutUint64(meta[48:], uint64(transaction))
		sum := fnv.New64a()
		sum.Write(meta[:56])
		binary.LittleEndian.PutUint64(meta[56:], sum.Sum64())
	}
	return out
}

// sealed appends the checksum.
func sealed(database []byte) []byte {
	sum := sha256.Sum256(database)
	return append(bytes.Clone(database), sum[:]...)
}

func check(content []byte) (Sums, error) {
	c := NewChecker()
	c.Write(content)
	return c.Finish()
}

func TestChecker(t *testing.T) {
	whole := sealed(database(8))
	change := func(f func([]byte) []byte) []byte { return f(bytes.Clone(whole)) }
	tests := []struct {
		name    string
		content []byte
		want    error
	}{
		{"whole", whole, nil},
		{"nothing", nil, ErrEmpty},
		{"a few bytes", []byte("not a snapshot"), ErrCutShort},
		{"flipped byte", change(func(b []byte) []byte { b[20000] ^= 1; return b }), ErrWrongSum},
		{"flipped byte of a meta page", change(func(b []byte) []byte { b[60] ^= 1; return b }), ErrWrongSum},
		{"no checksum", database(8), ErrNoTrailer},
		{"no checksum, with room behind the last page", append(database(8), make([]byte, 4096)...), ErrNoTrailer},
		{"zero checksum", change(func(b []byte) []byte { clear(b[len(b)-32:]); return b }), ErrZeroTrailer},
		{"cut by a page", change(func(b []byte) []byte { return b[:len(b)-4096] }), ErrCutShort},
		{"cut by 4 KiB, and padded with the checksum's size", database(8)[:7*4096+32], ErrCutShort},
		{"cut to whole sectors", change(func(b []byte) []byte { return b[:5*4096] }), ErrCutShort},
		{"something after it", append(change(func(b []byte) []byte { return b }), '\n'), ErrCutShort},
		{"another snapshot after it", append(change(func(b []byte) []byte { return b }), make([]byte, 512)...), ErrZeroTrailer},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := check(test.content); !errors.Is(err, test.want) {
				t.Errorf("Finish = %v, want %v", err, test.want)
			}
		})
	}
}

// However the bytes come, the sums are those of the whole; and a snapshot with one bit changed is never sound.
func TestCheckerProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.SliceOfN(rapid.Byte(), 0, 3000).Draw(t, "body")
		content := sealed(append(body, make([]byte, (512-len(body)%512)%512)...))
		c := NewChecker()
		for rest := content; len(rest) > 0; {
			n := min(rapid.IntRange(1, 700).Draw(t, "part"), len(rest))
			c.Write(rest[:n])
			rest = rest[n:]
		}
		sums, err := c.Finish()
		all, inner := sha256.Sum256(content), sha256.Sum256(content[:len(content)-32])
		want := Sums{Size: int64(len(content)), Database: hex.EncodeToString(inner[:]), File: hex.EncodeToString(all[:])}
		if err != nil || sums != want {
			t.Fatalf("sums %+v, %v; want %+v", sums, err, want)
		}
		content[rapid.IntRange(0, len(content)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if _, err := check(content); err == nil {
			t.Fatal("a changed bit went unnoticed")
		}
	})
}

func FuzzChecker(f *testing.F) {
	f.Add(sealed(database(2)))
	f.Add(database(2))
	f.Add(database(2)[:4096+32])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, content []byte) {
		sums, err := check(content)
		if sums.Size != int64(len(content)) {
			t.Errorf("size %d of %d bytes", sums.Size, len(content))
		}
		body := max(0, len(content)-32)
		sum := sha256.Sum256(content[:body])
		if sound := len(content)%512 == 32 && bytes.Equal(sum[:], content[body:]); sound != (err == nil) {
			t.Errorf("sound %t, but: %v", sound, err)
		}
	})
}
