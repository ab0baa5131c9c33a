package bounded_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"upkeep/providers/bounded"
)

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestGunzip(t *testing.T) {
	const limit = 1 << 20
	one := zipped(t, "one")
	flipped := slices.Clone(one)
	flipped[len(flipped)-1] ^= 1
	bomb := zipped(t, strings.Repeat("\x00", limit+1))
	for name, test := range map[string]struct {
		data []byte
		want string
		err  error
	}{
		"one stream":                {one, "one", nil},
		"an empty stream":           {zipped(t, ""), "", nil},
		"as much as is allowed":     {zipped(t, strings.Repeat("x", limit)), strings.Repeat("x", limit), nil},
		"two streams":               {slices.Concat(one, one), "", bounded.ErrFollows},
		"a second that is empty":    {slices.Concat(one, zipped(t, "")), "", bounded.ErrFollows},
		"bytes behind it":           {slices.Concat(one, []byte("x")), "", bounded.ErrFollows},
		"zeros behind it":           {slices.Concat(one, make([]byte, 512)), "", bounded.ErrFollows},
		"a bomb":                    {bomb, "", bounded.ErrTooLarge},
		"a bomb in the second":      {slices.Concat(one, bomb), "", bounded.ErrFollows},
		"another checksum":          {flipped, "", gzip.ErrChecksum},
		"cut off":                   {one[:len(one)-3], "", io.ErrUnexpectedEOF},
		"half of a second's header": {slices.Concat(one, one[:5]), "", bounded.ErrFollows},
		"none":                      {[]byte("none at all"), "", gzip.ErrHeader},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := bounded.Gunzip(test.data, limit)
			if !errors.Is(err, test.err) || err == nil && string(got) != test.want {
				t.Errorf("%d bytes, %v; want %v", len(got), err, test.err)
			}
		})
	}
}

func TestEnded(t *testing.T) {
	var out bytes.Buffer
	if err := tar.NewWriter(&out).Close(); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		more []byte
		err  error
	}{
		"nothing":         {nil, nil},
		"a filled record": {make([]byte, 10240-1024), nil},
		"a byte":          {[]byte("x"), bounded.ErrAfterEnd},
		"far behind":      {append(make([]byte, 1<<20), 1), bounded.ErrAfterEnd},
		"another archive": {slices.Concat(make([]byte, 512), []byte("name")), bounded.ErrAfterEnd},
	} {
		t.Run(name, func(t *testing.T) {
			r := bytes.NewReader(slices.Concat(out.Bytes(), test.more))
			if _, err := tar.NewReader(r).Next(); err != io.EOF {
				t.Fatal(err)
			}
			if err := bounded.Ended(r); !errors.Is(err, test.err) {
				t.Errorf("%v; want %v", err, test.err)
			}
		})
	}
}
