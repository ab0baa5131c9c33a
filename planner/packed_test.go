package planner_test

import (
	"bytes"
	"compress/gzip"
	"runtime"
	"strings"
	"testing"

	"upkeep/planner"
)

// large is the text of a plan file that is packed, and the same packed.
func large(t testing.TB) (text, packed []byte) {
	t.Helper()
	p, err := planner.Build(testRequest(400, nil), testTypes())
	if err != nil {
		t.Fatal(err)
	}
	if text, err = planner.EncodeSigned(p, macOf("key")); err != nil {
		t.Fatal(err)
	}
	if packed, err = planner.Pack(text); err != nil {
		t.Fatal(err)
	}
	if len(packed)*4 > len(text) {
		t.Fatalf("%d bytes of text are packed into %d", len(text), len(packed))
	}
	return text, packed
}

// A large plan is read as it was written, its origin with it; a small one stays text.
func TestPackedPlanFile(t *testing.T) {
	text, packed := large(t)
	got, err := planner.Unpack(packed, len(text))
	if err != nil || !bytes.Equal(got, text) {
		t.Fatalf("%d bytes of %d came back: %v", len(got), len(text), err)
	}
	if err := planner.CheckOrigin(got, macOf("key")); err != nil {
		t.Error(err)
	}
	if _, err := planner.Decode(got, testTypes()); err != nil {
		t.Error(err)
	}
	small := encode(t, build(t, testRequest(2, nil)))
	if kept, err := planner.Pack(small); err != nil || !bytes.Equal(kept, small) {
		t.Errorf("a small plan is not kept as text: %v", err)
	}
	if kept, err := planner.Unpack(small, len(small)); err != nil || !bytes.Equal(kept, small) {
		t.Errorf("a text is not read as it is: %v", err)
	}
}

// What a file holds packed counts, not what it weighs, and only as far as its checksum vouches for it.
func TestPackedPlanFileRefused(t *testing.T) {
	text, packed := large(t)
	flipped := bytes.Clone(packed)
	flipped[len(flipped)-6] ^= 1 // of the checksum
	var bomb bytes.Buffer
	out := gzip.NewWriter(&bomb)
	for range 64 {
		if _, err := out.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		file []byte
		most int
		want string
	}{
		"another checksum":     {flipped, len(text), "checksum"},
		"cut off":              {packed[:len(packed)/2], len(text), "unexpected EOF"},
		"a head and no more":   {packed[:5], len(text), "unexpected EOF"},
		"a text behind":        {append(bytes.Clone(packed), "{}"...), len(text), "something follows"},
		"a second plan behind": {append(bytes.Clone(packed), packed...), 2 * len(text), "something follows"},
		"a little too much":    {packed, len(text) - 1, "more than"},
		"a bomb":               {bomb.Bytes(), 1 << 20, "more than 1 MiB"},
		"a bomb of less":       {bomb.Bytes(), 256 << 20, "more than 100 times as much text as it has bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := planner.Unpack(test.file, test.most)
			if err == nil || !strings.Contains(err.Error(), test.want) || got != nil {
				t.Errorf("%d bytes, error %v, want one with %q", len(got), err, test.want)
			}
		})
	}
}

// A file that is refused takes the memory of its limit and not of what it would grow to.
func TestRefusedPlanFileTakesLittleMemory(t *testing.T) {
	var bomb bytes.Buffer
	out, err := gzip.NewWriterLevel(&bomb, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	for range 256 {
		if _, err := out.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	file := bomb.Bytes()[:150<<10] // as far as it is read
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = planner.Unpack(file, 1<<30)
	runtime.ReadMemStats(&after)
	if taken := after.TotalAlloc - before.TotalAlloc; err == nil || !strings.Contains(err.Error(), "100 times") || taken > 128<<20 {
		t.Errorf("%v after %d MiB", err, taken>>20)
	}
}

func FuzzUnpack(f *testing.F) {
	_, packed := large(f)
	f.Add(packed)
	f.Add([]byte("{}"))
	f.Add([]byte{0x1f, 0x8b, 8, 0})
	f.Fuzz(func(t *testing.T, file []byte) {
		const most = 1 << 20
		text, err := planner.Unpack(file, most)
		if err != nil {
			return
		}
		if len(text) > max(most, len(file)) {
			t.Errorf("%d bytes of text", len(text))
		}
		kept, err := planner.Pack(text)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := planner.Unpack(kept, len(text)); len(kept) < len(text) && (err != nil || !bytes.Equal(again, text)) {
			t.Errorf("what Pack made, Unpack does not read: %v", err)
		}
	})
}
