package bundles_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"upkeep/providers/node/agent/bundles"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/fence"
	"upkeep/providers/node/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newRoot is a node's file system with one bundle.
func newRoot(t testing.TB) string {
	t.Helper()
	root := t.TempDir()
	for _, d := range []string{"var", "var/lib", "var/backups", "var/backups/upkeep"} {
		mode := os.FileMode(0o755)
		if d == "var/backups/upkeep" {
			mode = 0o700
		}
		if err := os.Mkdir(filepath.Join(root, d), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "var/backups/upkeep/a.upkeep-bundle"), []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	return root
}

func frame(payload string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(payload)))) + payload
}

// serve feeds a session and returns the bytes that were answered.
func serve(t testing.TB, root, in string) string {
	t.Helper()
	d, err := disk.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var out bytes.Buffer
	bundles.Serve(struct {
		io.Reader
		io.Writer
	}{strings.NewReader(in), &out}, d, &fence.Fence{Disk: d, Clock: fence.SystemClock(time.Now)})
	return out.String()
}

// last returns the last answer of a session.
func last(t testing.TB, out string) (answer protocol.BundlesAnswer) {
	t.Helper()
	c := protocol.NewChannel(strings.NewReader(out), nil, nil)
	for {
		_, a, err := protocol.RecvBundles(c)
		if err != nil {
			return answer
		}
		if a != nil {
			answer = *a
		}
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	for _, test := range []struct{ name, request, want, kind string }{
		{"no JSON", `x`, "refused: the request is not understood: invalid character 'x' looking for beginning of value", protocol.BundlesRefused},
		{"a field more", `{"operation":"list","directory":"/var/backups/upkeep","sudo":true}`, `refused: the request is not understood: json: unknown field "sudo"`, protocol.BundlesRefused},
		{"another operation", `{"operation":"exec","directory":"/var/backups/upkeep"}`, `refused: this helper knows no operation "exec" on bundles`, protocol.BundlesRefused},
		{"a directory that leads out", `{"operation":"list","directory":"/var/backups/../../etc"}`, `"/var/backups/../../etc" is not a clean absolute path`, ""},
		{"a relative directory", `{"operation":"put","directory":"etc","name":"a.upkeep-bundle"}`, `refused: "etc" is not a clean absolute path`, protocol.BundlesRefused},
		{"the root", `{"operation":"put","directory":"/","name":"a.upkeep-bundle"}`, "refused: / is no directory for bundles", protocol.BundlesRefused},
		{"a directory above that is missing", `{"operation":"put","directory":"/srv/backups/upkeep","name":"a.upkeep-bundle"}`, "/srv: no such file or directory", protocol.BundlesMissing},
		{"another file", `{"operation":"get","directory":"/var/backups/upkeep","name":"passwd"}`, `refused: "passwd" is not the name of a bundle`, protocol.BundlesRefused},
		{"a file elsewhere", `{"operation":"get","directory":"/var/backups/upkeep","name":"../upkeep/a.upkeep-bundle"}`, `refused: "../upkeep/a.upkeep-bundle" is not the name of a bundle`, protocol.BundlesRefused},
		{"a name of the helper's own", `{"operation":"remove","directory":"/var/backups/upkeep","name":".a.upkeep-bundle.upkeep-0123456789abcdef"}`,
			`refused: ".a.upkeep-bundle.upkeep-0123456789abcdef" is not the name of a bundle`, protocol.BundlesRefused},
		{"what is not there", `{"operation":"get","directory":"/var/backups/upkeep","name":"b.upkeep-bundle"}`, "/var/backups/upkeep/b.upkeep-bundle: no such file or directory", protocol.BundlesMissing},
		{"what is there", `{"operation":"put","directory":"/var/backups/upkeep","name":"a.upkeep-bundle"}`, "/var/backups/upkeep/a.upkeep-bundle: file already exists", protocol.BundlesTaken},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := protocol.BundlesAnswer{Error: test.want, Kind: test.kind}
			if diff := cmp.Diff(want, last(t, serve(t, newRoot(t), frame(test.request)))); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

// An upload is complete when it says so, and only then.
func TestUploads(t *testing.T) {
	request := frame(`{"operation":"put","directory":"/var/backups/upkeep","name":"b.upkeep-bundle"}`)
	for _, test := range []struct {
		name, in string
		want     string // the content, "" for none
	}{
		{"complete", frame("dhello ") + frame("dworld") + frame("e"), "hello world"},
		{"without an end", frame("dhello "), ""},
		{"cut inside a frame", frame("dhello ")[:8], ""},
		{"nonsense", frame("dhello ") + frame("x"), ""},
		{"an answer", frame("dhello ") + frame("a{}"), ""},
		{"a piece that is too large", frame("d" + strings.Repeat("x", protocol.BundlesPiece+1)), ""},
		{"something behind the end", frame("dhello") + frame("e") + frame("dmore"), "hello"},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := newRoot(t)
			answer := last(t, serve(t, root, request+test.in))
			got, err := os.ReadFile(filepath.Join(root, "var/backups/upkeep/b.upkeep-bundle"))
			if string(got) != test.want || (test.want == "") != os.IsNotExist(err) {
				t.Errorf("it holds %q, %v; the answer was %+v", got, err, answer)
			}
			files, err := os.ReadDir(filepath.Join(root, "var/backups/upkeep"))
			if want := map[bool]int{true: 1, false: 2}[test.want == ""]; err != nil || len(files) != want {
				t.Errorf("%v are there, %v", files, err)
			}
		})
	}
}

// Whatever arrives, the session ends, and nothing but bundles comes to be or goes.
func FuzzServe(f *testing.F) {
	for _, operation := range []string{"list", "get", "put", "remove", ""} {
		for _, name := range []string{"a.upkeep-bundle", "b.upkeep-bundle.json", "../x", "a.upkeep-bundle.0123456789abcdef.part"} {
			text, err := json.Marshal(protocol.BundlesRequest{Operation: operation, Directory: "/var/backups/upkeep", Name: name})
			if err != nil {
				f.Fatal(err)
			}
			f.Add(frame(string(text)) + frame("dx") + frame("e"))
		}
	}
	f.Add("")
	f.Add(frame(`{"operation":"put","directory":"/var/lib/upkeep","name":"x.upkeep-bundle"}`) + frame("e"))
	f.Fuzz(func(t *testing.T, in string) {
		root := newRoot(t)
		before := files(t, root)
		out := serve(t, root, in)
		if answer := last(t, out); len(out) > 0 && out[4] != 'a' && out[4] != 'd' {
			t.Fatalf("answer %+v begins with %q", answer, out[4])
		}
		for name := range files(t, root) {
			if base := filepath.Base(name); !before[name] && !protocol.IsBundleName(base) && !strings.HasPrefix(name, "/var/lib/upkeep") && !strings.HasSuffix(name, "/") {
				t.Fatalf("%s was made", name)
			}
		}
		for name := range before {
			if _, err := os.Lstat(filepath.Join(root, name)); err != nil && !protocol.IsBundleName(filepath.Base(name)) {
				t.Fatalf("%s was removed", name)
			}
		}
	})
}

// files are the paths below root; those of directories end in "/".
func files(t testing.TB, root string) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	err := filepath.WalkDir(root, func(p string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(p, root)
		if e.IsDir() {
			name += "/"
		}
		all[name] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
