package bounded_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/bounded"
)

func TestFile(t *testing.T) {
	directory := t.TempDir()
	at := func(name string) string { return filepath.Join(directory, name) }
	socket, err := net.Listen("unix", at("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	large, err := os.Create(at("large"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(
		large.Truncate(1<<30), large.Close(), os.WriteFile(at("text"), []byte("abc"), 0o600), os.WriteFile(at("empty"), nil, 0o600),
		syscall.Mkfifo(at("pipe"), 0o600), os.Symlink("text", at("link")), os.Symlink("absent", at("dangling")), os.Symlink("loop", at("loop")),
		os.Symlink("/dev/zero", at("device by link")),
	); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		path string
		text string
		want string // of the error
	}{
		"a file":           {path: at("text"), text: "abc"},
		"an empty file":    {path: at("empty")},
		"a link":           {path: at("link"), text: "abc"},
		"a gigabyte":       {path: at("large"), want: "the file is too large: it is larger than 1 MiB, the limit"},
		"a pipe":           {path: at("pipe"), want: "it is not a regular file"},
		"a socket":         {path: at("socket"), want: "it is not a regular file"},
		"a directory":      {path: directory, want: "it is a directory"},
		"a device":         {path: "/dev/zero", want: "it is not a regular file"},
		"a device by link": {path: at("device by link"), want: "it is not a regular file"},
		"a dangling link":  {path: at("dangling"), want: "no such file"},
		"a loop":           {path: at("loop"), want: "too many levels"},
		"no file":          {path: at("absent"), want: "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			var text []byte
			var err error
			taken := memory(func() { text, err = bounded.File(test.path, 1<<20) })
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.path)) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if diff := cmp.Diff(test.text, string(text)); diff != "" {
				t.Error(diff)
			}
			if taken > 1<<17 {
				t.Errorf("%d bytes were taken", taken)
			}
			if checked := bounded.Check(test.path, 1<<20); (checked == nil) != (err == nil) {
				t.Errorf("Check says %v, File %v", checked, err)
			}
		})
	}
}

func memory(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// What a person names may be a pipe. More than the limit costs no more than the limit.
func TestGivenReadsPipes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() { _ = os.WriteFile(path, []byte("abc"), 0o600) }()
	if text, err := bounded.Given(path, 1<<20); err != nil || string(text) != "abc" {
		t.Errorf("%q, %v", text, err)
	}
	for _, path := range []string{"/dev/zero", t.TempDir()} {
		if _, err := bounded.Given(path, 1<<20); !errors.Is(err, bounded.ErrIrregular) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// endless counts what is read of it.
type endless struct{ read int }

func (e *endless) Read(b []byte) (int, error) { e.read += len(b); return len(b), nil }

func TestAllStopsAtTheLimit(t *testing.T) {
	const limit = 4 << 20
	var r endless
	var err error
	taken := memory(func() { _, err = bounded.All(&r, 0, limit) })
	if !errors.Is(err, bounded.ErrTooLarge) || r.read > limit+1 || taken > 3*limit {
		t.Errorf("%v after %d bytes, with %d bytes of memory", err, r.read, taken)
	}
	text := bytes.Repeat([]byte("x"), limit)
	for _, size := range []int64{0, 1, limit} {
		if got, err := bounded.All(bytes.NewReader(text), size, limit); err != nil || !bytes.Equal(got, text) {
			t.Errorf("size %d: %d bytes, %v", size, len(got), err)
		}
		if got, err := bounded.All(bytes.NewReader(text), size, limit-1); err == nil {
			t.Errorf("size %d: %d bytes of %d", size, len(got), limit-1)
		}
	}
	if _, err := bounded.All(io.MultiReader(bytes.NewReader(text[:10]), broken{}), 0, limit); err == nil || !strings.Contains(err.Error(), "disk") {
		t.Error(err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the disk failed") }

// TestOpen: what is read piece by piece ends at the limit, too, also where a file grows while it is read.
func TestOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "facts.json")
	if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := bounded.Open(path, 5)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if data, err := io.ReadAll(file); err != nil || string(data) != "12345" {
		t.Errorf("%q, %v", data, err)
	}
	if err := os.WriteFile(path, []byte("1234567"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(file); !errors.Is(err, bounded.ErrTooLarge) {
		t.Errorf("a file that grew: %v", err)
	}
	if _, err := bounded.Open(path, 5); !errors.Is(err, bounded.ErrTooLarge) {
		t.Errorf("a file that is too large: %v", err)
	}
}
