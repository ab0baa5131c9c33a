package cold

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.uber.org/zap"

	"upkeep/providers/facts"
	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/protocol"
)

// member starts a real etcd on a directory below a root, and returns what stops it.
func member(t *testing.T, root, at string) (server *embed.Etcd, stop func()) {
	t.Helper()
	sockets, err := os.MkdirTemp("", "etcd") // short: the path of a socket is limited
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(sockets) })
	socket := func(name string) []url.URL { return []url.URL{{Scheme: "unix", Path: filepath.Join(sockets, name)}} }
	c := embed.NewConfig()
	c.Name, c.Dir, c.InitialCluster = "cp1", filepath.Join(root, at), "cp1=http://localhost:1"
	c.AdvertisePeerUrls = []url.URL{{Scheme: "http", Host: "localhost:1"}}
	c.ListenPeerUrls, c.ListenClientUrls, c.AdvertiseClientUrls = socket("p:0"), socket("c:0"), socket("c:0")
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	c.UnsafeNoFsync, c.TickMs, c.ElectionMs = true, 10, 100
	server, err = embed.StartEtcd(c)
	if err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(server.Close)
	t.Cleanup(stop)
	<-server.Server.ReadyNotify()
	return server, stop
}

func put(t *testing.T, server *embed.Etcd, key, value string) {
	t.Helper()
	client := v3client.New(server.Server)
	defer client.Close()
	if _, err := client.Put(t.Context(), key, value); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, root string) *disk.Disk {
	t.Helper()
	d, err := disk.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// unpack reads what Write wrote: the refusal, or the files and the report.
func unpack(t *testing.T, sent []byte) (refused string, files map[string][]byte, report protocol.ColdReport) {
	t.Helper()
	in := bufio.NewReader(bytes.NewReader(sent))
	line, err := in.ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var answer protocol.Answer
	if err := json.Unmarshal(line, &answer); err != nil {
		t.Fatal(err)
	}
	if answer.Refused != "" {
		if rest, _ := io.ReadAll(in); len(rest) > 0 {
			t.Errorf("%d bytes after a refusal", len(rest))
		}
		return answer.Refused, nil, report
	}
	files = map[string][]byte{}
	archive := tar.NewReader(in)
	for {
		entry, err := archive.Next()
		if err == io.EOF {
			return "", files, report
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		if entry.Name == protocol.ColdReportName {
			if err := json.Unmarshal(data, &report); err != nil {
				t.Fatal(err)
			}
			continue
		}
		files[entry.Name] = data
	}
}

// A member that runs is refused and nothing of it is read; once it has stopped, all that it starts from is sent, and nothing
// else that lies there.
func TestMember(t *testing.T) {
	root := t.TempDir()
	d := open(t, root)
	if got := Look(d); got != (facts.EtcdData{}) {
		t.Errorf("an empty node: %+v", got)
	}
	server, stop := member(t, root, "var/lib/etcd")
	for range 20 {
		put(t, server, "key", strings.Repeat("x", 1000))
	}
	if got, want := Look(d), (facts.EtcdData{Directory: "/var/lib/etcd", Running: true}); got != want {
		t.Errorf("running: %+v", got)
	}
	var sent bytes.Buffer
	if err := Write(&sent, d); !errors.Is(err, ErrRunning) {
		t.Errorf("a running member: %v", err)
	}
	if refused, _, _ := unpack(t, sent.Bytes()); !strings.Contains(refused, "etcd runs") {
		t.Errorf("refused: %q", refused)
	}
	id, cluster, index := uint64(server.Server.MemberID()), uint64(server.Server.Cluster().ID()), server.Server.CommittedIndex()
	stop()
	for path, text := range map[string]string{"member/snap/db.tmp": "x", "member/snap/tmp123": "x", "member/wal/0.tmp": "x", "member/secret": "x", "other": "x"} {
		if err := os.WriteFile(filepath.Join(root, "var/lib/etcd", path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	got := Look(d)
	if got.ClusterID != hexID(cluster) || got.MemberID != hexID(id) || got.Index < index || got.Term == 0 || got.Size == 0 || got.Unknown != "" || !got.Stopped() {
		t.Errorf("stopped: %+v, want cluster %x, member %x, index %d", got, cluster, id, index)
	}
	sent.Reset()
	if err := Write(&sent, d); err != nil {
		t.Fatal(err)
	}
	_, files, report := unpack(t, sent.Bytes())
	want := protocol.ColdReport{Directory: "/var/lib/etcd", ClusterID: got.ClusterID, MemberID: got.MemberID, Term: got.Term, Index: got.Index}
	for _, name := range []string{protocol.ColdDatabase, "member/wal/0000000000000000-0000000000000000.wal"} {
		data, err := os.ReadFile(filepath.Join(root, "var/lib/etcd", name))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(data)
		want.Files = append(want.Files, protocol.ColdFile{Name: name, Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:])})
		if !bytes.Equal(files[name], data) {
			t.Errorf("%s: %d bytes of %d", name, len(files[name]), len(data))
		}
	}
	if diff := cmp.Diff(want, report); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if len(files) != len(want.Files) {
		t.Errorf("%d files, want %d", len(files), len(want.Files))
	}
}

// While a copy is under way, the lock that etcd waits for is held; afterwards it is free.
func TestLockIsHeld(t *testing.T) {
	root := t.TempDir()
	_, stop := member(t, root, "var/lib/etcd")
	stop()
	database := filepath.Join(root, "var/lib/etcd", protocol.ColdDatabase)
	conn := Open(t.Context(), open(t, root))
	if _, err := conn.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	if line, err := in.ReadString('\n'); err != nil || line != "{}\n" {
		t.Fatalf("%q, %v", line, err)
	}
	f, err := os.OpenFile(database, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); !errors.Is(err, syscall.EWOULDBLOCK) {
		t.Errorf("while it is copied: %v", err)
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestDirectory(t *testing.T) {
	manifest := "{kind: Pod, spec: {containers: [{name: etcd, command: [etcd, --data-dir=/srv/etcd]}]}}"
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"kubeadm":                  {map[string]string{"etc/kubernetes/manifests/etcd.yaml": manifest, "srv/etcd/member/snap/db": "", "var/lib/etcd/member/snap/db": ""}, "/srv/etcd"},
		"a manifest moved away":    {map[string]string{"var/lib/etcd/member/snap/db": ""}, "/var/lib/etcd"},
		"kubespray":                {map[string]string{"etc/etcd.env": "# a\nETCD_DATA_DIR=\"/srv/etcd\"\n", "srv/etcd/member/snap/db": ""}, "/srv/etcd"},
		"k3s":                      {map[string]string{"var/lib/rancher/k3s/server/db/etcd/member/snap/db": ""}, "/var/lib/rancher/k3s/server/db/etcd"},
		"no database":              {map[string]string{"var/lib/etcd/member/wal/x": ""}, ""},
		"a place that is no place": {map[string]string{"etc/etcd.env": "ETCD_DATA_DIR=../srv\n", "srv/member/snap/db": ""}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for p, text := range test.files {
				p = filepath.Join(root, p)
				if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, []byte(text), 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			if got, there := directory(open(t, root)); got != test.want || there != (test.want != "") {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// A link in the place of a database is not followed: what it points to is no member's.
func TestLinksAreNotFollowed(t *testing.T) {
	root := t.TempDir()
	if err := errors.Join(os.MkdirAll(filepath.Join(root, "var/lib/etcd/member/snap"), 0o755), os.MkdirAll(filepath.Join(root, "etc"), 0o755),
		os.WriteFile(filepath.Join(root, "etc/shadow"), []byte("canary"), 0o600),
		os.Symlink("../../../../../etc/shadow", filepath.Join(root, "var/lib/etcd/member/snap/db"))); err != nil {
		t.Fatal(err)
	}
	d := open(t, root)
	if got := Look(d); !strings.Contains(got.Unknown, "symbolic link") {
		t.Errorf("%+v", got)
	}
	var sent bytes.Buffer
	if err := Write(&sent, d); !errors.Is(err, disk.ErrLink) || strings.Contains(sent.String(), "canary") {
		t.Errorf("%q, %v", sent.String(), err)
	}
}

// FuzzLog: no bytes are more than an error, and none takes more memory than a record's head.
func FuzzLog(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x08\x00\x00\x00\x00\x00\x00\x00\x08\x01\x1a\x04\x08\x01\x10\x02"))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\x08\x01"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if p, err := readLog(bytes.NewReader(text), int64(len(text))); err == nil && p.cluster == 0 {
			t.Errorf("%+v", p)
		}
	})
}

func TestLog(t *testing.T) {
	record := func(text string) string {
		for len(text)%8 != 0 {
			text += "\x00"
		}
		return string([]byte{byte(len(text)), 0, 0, 0, 0, 0, 0, 0}) + text
	}
	metadata := record("\x08\x01\x10\x07\x1a\x04\x08\x05\x10\x06")
	entry := func(term, index string) string {
		return record("\x08\x02\x10\x07\x1a\x7f\x08\x00\x10" + term + "\x18" + index + "\x22\x01x")
	}
	for name, test := range map[string]struct {
		text string
		want position
		err  error
	}{
		"whole":             {metadata + entry("\x02", "\x09") + entry("\x02", "\x0a"), position{cluster: 6, member: 5, term: 2, index: 10}, nil},
		"written over":      {metadata + entry("\x02", "\x0a") + entry("\x03", "\x09"), position{cluster: 6, member: 5, term: 3, index: 9}, nil},
		"preallocated":      {metadata + entry("\x02", "\x09") + strings.Repeat("\x00", 100), position{cluster: 6, member: 5, term: 2, index: 9}, nil},
		"torn":              {metadata + entry("\x02", "\x09") + entry("\x02", "\x0a")[:12], position{cluster: 6, member: 5, term: 2, index: 9}, nil},
		"no entry":          {metadata, position{cluster: 6, member: 5}, nil},
		"nobody's":          {entry("\x02", "\x09"), position{term: 2, index: 9}, errLog},
		"a large log entry": {metadata + string([]byte{0, 4, 0, 0, 0, 0, 0, 0}) + "\x08\x02\x1a\xf0\x07\x10\x04\x18\x0b\x22" + strings.Repeat("y", 1014), position{cluster: 6, member: 5, term: 4, index: 11}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readLog(strings.NewReader(test.text), int64(len(test.text)))
			if got != test.want || !errors.Is(err, test.err) {
				t.Errorf("%+v, %v; want %+v, %v", got, err, test.want, test.err)
			}
		})
	}
}
