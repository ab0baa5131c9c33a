package bundle_test

import (
	"bytes"
	"errors"
	"testing"

	"upkeep/providers/backup/bundle"
)

// known are what an error about a bundle that can be read from the store may be.
var known = []error{bundle.ErrForeign, bundle.ErrFormat, bundle.ErrLocked, bundle.ErrCut, bundle.ErrDamaged, bundle.ErrOrder, bundle.ErrManifest}

// Whatever bytes arrive, reading ends, with a named error or with parts that the manifest has.
func FuzzRead(f *testing.F) {
	plain, _ := write(f, "daily-1", bundle.Recipients{}, tinyParts())
	encrypted, _ := write(f, "daily-1", recipients(f, newKey(f)), tinyParts())
	f.Add(plain)
	f.Add(encrypted)
	f.Add([]byte{})
	f.Add([]byte("age-encryption.org/v1\n"))
	f.Add(plain[:700])
	for _, r := range rearranged(f) {
		if len(r.plain) < 20_000 {
			f.Add(r.plain)
		}
	}
	f.Fuzz(func(t *testing.T, stored []byte) { checkRead(t, stored) })
}

func FuzzParseLabel(f *testing.F) {
	_, label := write(f, "daily-1", bundle.Recipients{}, small())
	text, err := label.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	for _, seed := range []string{"", "{}", "null", "[]", `{"format":2}`, `{"format":1,"id":"..","taken_at":"2026-01-01T00:00:00Z"}`, `{"format":1,"id":"a","taken_at":"2026-01-01T00:00:00Z","stored_size":1,"stored_sha256":"x"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := bundle.ParseLabel(text)
		if err != nil {
			if !errors.Is(err, bundle.ErrForeign) && !errors.Is(err, bundle.ErrFormat) {
				t.Fatalf("error %v is none of the package's", err)
			}
			return
		}
		again, err := l.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bundle.ParseLabel(again); err != nil {
			t.Fatalf("%s was read and written, and cannot be read: %v", again, err)
		}
		if err := bundle.VerifyStored(bytes.NewReader(nil), l.StoredSize, l.StoredSHA256); !errors.Is(err, bundle.ErrCut) {
			t.Fatalf("nothing is taken for %s: %v", l.ID, err)
		}
	})
}

// FuzzParseIdentities: nothing of what is read comes back in an error.
func FuzzParseIdentities(f *testing.F) {
	f.Add([]byte("# x\n" + newKey(f).secret))
	f.Add([]byte("AGE-SECRET-KEY-1"))
	f.Add([]byte("AGE-SECRET-KEY-PQ-1QQ\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		ids, err := bundle.ParseIdentities(text)
		if err == nil && ids.Empty() {
			t.Fatal("no identity and no error")
		}
		for line := range bytes.Lines(text) {
			line = bytes.TrimSpace(line)
			if err != nil && len(line) > 30 && bytes.Contains([]byte(err.Error()), line) {
				t.Fatalf("the error repeats %q", line)
			}
		}
	})
}
