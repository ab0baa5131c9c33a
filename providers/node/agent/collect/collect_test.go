package collect_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/node/agent/collect"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/protocol"
)

// tree makes files below a new root: a text, "-> TARGET" for a link, or "/" for a directory.
func tree(t *testing.T, entries map[string]string) (string, *disk.Disk) {
	t.Helper()
	root := t.TempDir()
	for p, text := range entries {
		p = filepath.Join(root, p)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, link := strings.CutPrefix(text, "-> "); link {
			err = os.Symlink(target, p)
		} else if text == "/" {
			err = os.MkdirAll(p, 0o700)
		} else {
			err = os.WriteFile(p, []byte(text), 0o640)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	d, err := disk.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return root, d
}

// read returns the entries of an archive, as "NAME MODE TEXT", and its report.
func read(t *testing.T, archive io.Reader) (entries []string, report protocol.CollectReport) {
	t.Helper()
	in := tar.NewReader(archive)
	reported := false
	for {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		if reported {
			t.Error("something follows the report")
		}
		if h.Name == protocol.CollectReportName {
			reported = true
			if err := json.Unmarshal(data, &report); err != nil {
				t.Fatal(err)
			}
			continue
		}
		entries = append(entries, strings.TrimSpace(fmt.Sprintf("%s %04o %s%s", h.Name, h.Mode, h.Linkname, data)))
		if h.Uid != os.Getuid() || h.Gid != os.Getgid() {
			t.Errorf("%s is of %d:%d", h.Name, h.Uid, h.Gid)
		}
	}
	if !reported {
		t.Error("the archive has no report")
	}
	return entries, report
}

func TestWrite(t *testing.T) {
	for name, test := range map[string]struct {
		tree   map[string]string
		paths  []string
		want   []string
		report protocol.CollectReport
	}{
		"a control plane": {
			map[string]string{"etc/kubernetes/pki/ca.key": "key", "etc/kubernetes/admin.conf": "conf", "etc/etcd.env": "env", "etc/shadow": "root"},
			[]string{"/etc/kubernetes", "/etc/ssl/etcd", "/etc/etcd.env"},
			[]string{"etc/kubernetes/ 0755", "etc/kubernetes/admin.conf 0640 conf", "etc/kubernetes/pki/ 0755", "etc/kubernetes/pki/ca.key 0640 key", "etc/etcd.env 0640 env"},
			protocol.CollectReport{Files: 3, Bytes: 10, Missing: []string{"/etc/ssl/etcd"}},
		},
		"one path in another": {
			map[string]string{"etc/kubernetes/pki/ca.key": "key"}, []string{"/etc/kubernetes/pki", "/etc/kubernetes"},
			[]string{"etc/kubernetes/pki/ 0755", "etc/kubernetes/pki/ca.key 0640 key", "etc/kubernetes/ 0755"},
			protocol.CollectReport{Files: 1, Bytes: 3},
		},
		"nothing at all": {nil, []string{"/etc/kubernetes"}, nil, protocol.CollectReport{Missing: []string{"/etc/kubernetes"}}},
		"a place that is not given away": {
			map[string]string{"etc/shadow": "root", "etc/kubernetes/a": "a"}, []string{"/etc/shadow", "/etc", "/", "/etc/kubernetes/../shadow", "/etc/kubernetesx"}, nil,
			protocol.CollectReport{Gaps: []string{"5"}},
		},
		"a link within": {
			map[string]string{"etc/kubernetes/ssl/ca.key": "key", "etc/kubernetes/pki": "-> ssl"}, []string{"/etc/kubernetes"},
			[]string{"etc/kubernetes/ 0755", "etc/kubernetes/pki 0777 ssl", "etc/kubernetes/ssl/ 0755", "etc/kubernetes/ssl/ca.key 0640 key"},
			protocol.CollectReport{Files: 1, Bytes: 3},
		},
		"a link out": {
			map[string]string{"etc/shadow": "root", "etc/kubernetes/a": "-> /etc/shadow", "etc/kubernetes/b": "-> ../shadow", "etc/kubernetes/c": "-> pki/../../shadow"}, []string{"/etc/kubernetes"},
			[]string{"etc/kubernetes/ 0755"},
			protocol.CollectReport{Gaps: []string{
				`/etc/kubernetes/a is left out: it is a link to "/etc/shadow", out of these places`,
				`/etc/kubernetes/b is left out: it is a link to "../shadow", out of these places`,
				`/etc/kubernetes/c is left out: it is a link to "pki/../../shadow", which is not plain`,
			}},
		},
		"the place itself is a link": {
			map[string]string{"home/secret": "root", "etc/kubernetes": "-> /home"}, []string{"/etc/kubernetes"},
			nil,
			protocol.CollectReport{Gaps: []string{`/etc/kubernetes is left out: it is a link to "/home", out of these places`}},
		},
		"a place below a link": {
			map[string]string{"home/pki/secret": "root", "etc/kubernetes": "-> /home"}, []string{"/etc/kubernetes/pki"}, nil,
			protocol.CollectReport{Gaps: []string{"/etc/kubernetes is a symbolic link, which is not followed"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, d := tree(t, test.tree)
			var out bytes.Buffer
			if err := collect.Write(&out, d, protocol.CollectRequest{Paths: test.paths}); err != nil {
				t.Fatal(err)
			}
			entries, report := read(t, &out)
			if diff := cmp.Diff(test.want, entries); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
			if len(test.report.Gaps) == 1 && test.report.Gaps[0] == "5" { // each is refused, in words tested elsewhere
				if len(report.Gaps) != 5 || report.Files > 0 {
					t.Errorf("%+v", report)
				}
				return
			}
			if diff := cmp.Diff(test.report, report); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSpecialAndLargeFiles(t *testing.T) {
	root, d := tree(t, map[string]string{"etc/kubernetes/a": "a"})
	if err := syscall.Mkfifo(filepath.Join(root, "etc/kubernetes/fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "etc/kubernetes/large"), make([]byte, 9<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if err := os.WriteFile(filepath.Join(root, fmt.Sprintf("etc/kubernetes/many%d", i)), make([]byte, 7<<20), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := collect.Write(&out, d, protocol.CollectRequest{Paths: []string{"/etc/kubernetes"}}); err != nil {
		t.Fatal(err)
	}
	_, report := read(t, &out)
	if report.Files != 5 || len(report.Gaps) != 3 {
		t.Errorf("%+v", report)
	}
}

// The connection takes one request, answers with the archive and ends.
func TestOpen(t *testing.T) {
	root, _ := tree(t, map[string]string{"etc/kubernetes/a": "a"})
	d, err := disk.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	conn := collect.Open(t.Context(), d)
	defer conn.Close()
	if _, err := conn.Write([]byte(`{"paths":["/etc/kubernetes"]}` + "\n")); err != nil {
		t.Fatal(err)
	}
	entries, report := read(t, conn)
	if len(entries) != 2 || report.Files != 1 {
		t.Errorf("%v, %+v", entries, report)
	}
}

// Whatever a peer sends, the answer is an archive, or nothing.
func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"paths":["/etc/kubernetes"]}`))
	f.Add([]byte(`{"paths":["/etc/kubernetes/../../etc/shadow", ""]}`))
	f.Add([]byte(`[]`))
	root := f.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "etc/kubernetes"), 0o755); err != nil {
		f.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "etc/shadow"), []byte("canary"), 0o600); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, request []byte) {
		d, err := disk.Open(root)
		if err != nil {
			t.Fatal(err)
		}
		conn := collect.Open(t.Context(), d)
		defer conn.Close()
		go func() {
			_, _ = conn.Write(append(bytes.ReplaceAll(request, []byte("\n"), nil), '\n')) // the other end may be gone
		}()
		answer, err := io.ReadAll(conn)
		if err != nil || bytes.Contains(answer, []byte("canary")) {
			t.Fatalf("%v: %q", err, answer)
		}
	})
}
