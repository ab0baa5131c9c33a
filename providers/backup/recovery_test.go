package backup

import (
	"archive/tar"
	stdbytes "bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"upkeep/providers/backup/bundle"
	"upkeep/providers/etcd"
	"upkeep/providers/etcd/drill"
	"upkeep/providers/node/protocol"
)

func TestMemberOfManifest(t *testing.T) {
	kubeadm, err := os.ReadFile("testdata/etcd.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, text string
		want       drill.Peer
		fails      string
	}{
		{"kubeadm's", string(kubeadm), drill.Peer{Name: "n1", PeerURLs: []string{"https://10.77.0.11:2380"}}, ""},
		{"arguments, two URLs", "spec:\n  containers:\n  - args: [-name=a, '-initial-advertise-peer-urls=https://10.0.0.1:2380,https://[fd00::1]:2380']\n",
			drill.Peer{Name: "a", PeerURLs: []string{"https://10.0.0.1:2380", "https://[fd00::1]:2380"}}, ""},
		{"JSON", `{"spec":{"containers":[{"command":["etcd","--name=a","--initial-advertise-peer-urls=https://10.0.0.1:2380"]}]}}`,
			drill.Peer{Name: "a", PeerURLs: []string{"https://10.0.0.1:2380"}}, ""},
		{"flag and value as two words", "spec:\n  containers:\n  - command: [etcd, --name, a, --initial-advertise-peer-urls, 'https://10.0.0.1:2380']\n",
			drill.Peer{Name: "a", PeerURLs: []string{"https://10.0.0.1:2380"}}, ""},
		{"another pod", "spec:\n  containers:\n  - command: [kube-apiserver, --secure-port=6443]\n", drill.Peer{}, ""},
		{"nothing", "", drill.Peer{}, ""},
		{"no YAML", "\tspec: {", drill.Peer{}, "/etc/kubernetes/manifests/etcd.yaml is no manifest"},
		{"a list", "- a\n", drill.Peer{}, "is no manifest"},
		{"a key twice", "spec:\n  containers:\n  - args: [-name=a]\nspec:\n  containers:\n  - args: [-name=b]\n", drill.Peer{}, `the key "spec" stands twice`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := memberOfManifest([]byte(test.text))
			if test.fails != "" {
				if err == nil || !strings.Contains(err.Error(), test.fails) {
					t.Fatalf("error %v, want %q", err, test.fails)
				}
				return
			}
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestMemberOfEnvironment(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       drill.Peer
	}{
		{"kubespray's", "# Environment file for etcd 3.5.16\nETCD_DATA_DIR=/var/lib/etcd\nETCD_ADVERTISE_CLIENT_URLS=https://10.0.0.11:2379\n" +
			"ETCD_INITIAL_ADVERTISE_PEER_URLS=https://10.0.0.11:2380\nETCD_INITIAL_CLUSTER_STATE=existing\nETCD_NAME=etcd1\nETCD_PROXY=off\n",
			drill.Peer{Name: "etcd1", PeerURLs: []string{"https://10.0.0.11:2380"}}},
		{"quoted, with ends of lines of another system", "ETCD_NAME=\"a\"\r\nETCD_INITIAL_ADVERTISE_PEER_URLS='https://10.0.0.1:2380,https://10.0.0.2:2380'\r\n",
			drill.Peer{Name: "a", PeerURLs: []string{"https://10.0.0.1:2380", "https://10.0.0.2:2380"}}},
		{"commented out", "#ETCD_NAME=a\n", drill.Peer{}},
		{"a client's", "ETCDCTL_NAME=a\nNAME=b\n", drill.Peer{}},
		{"nothing", "", drill.Peer{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, memberOfEnvironment([]byte(test.text))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// entry is a file of a node's archive.
type entry struct{ name, text string }

const (
	manifestOfCP1  = "spec:\n  containers:\n  - command: [etcd, --name=cp1, '--initial-advertise-peer-urls=https://10.0.0.11:2380']\n"
	environmentOf2 = "ETCD_NAME=cp2\nETCD_INITIAL_ADVERTISE_PEER_URLS=https://10.0.0.12:2380\n"
)

func archiveOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var out stdbytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: e.name, Size: int64(len(e.text)), Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestMembersOf(t *testing.T) {
	cp1 := drill.Peer{Name: "cp1", PeerURLs: []string{"https://10.0.0.11:2380"}}
	cp2 := drill.Peer{Name: "cp2", PeerURLs: []string{"https://10.0.0.12:2380"}}
	for _, test := range []struct {
		name  string
		nodes map[string][]entry
		want  []drill.Peer
		fails string
	}{
		{"kubeadm and kubespray, whatever the nodes are called", map[string][]entry{"a": {{"etc/etcd.env", environmentOf2}}, "b": {{"etc/kubernetes/manifests/etcd.yaml", manifestOfCP1}}}, []drill.Peer{cp1, cp2}, ""},
		{"the manifest counts where both are there", map[string][]entry{"a": {{"etc/etcd.env", environmentOf2}, {"etc/kubernetes/manifests/etcd.yaml", manifestOfCP1}}}, []drill.Peer{cp1}, ""},
		{"absolute names", map[string][]entry{"a": {{"/etc/etcd.env", environmentOf2}}}, []drill.Peer{cp2}, ""},
		{"one that says nothing", map[string][]entry{"a": {{"etc/etcd.env", environmentOf2}}, "b": {{"etc/hosts", ""}}}, nil,
			"the bundle does not say which member of etcd b ran; name all members of the new cluster: -member=NAME="},
		{"none says anything", map[string][]entry{"b": {{"etc/hosts", ""}}}, nil, "the bundle does not say which members of etcd there were; name each of them: -member=NAME="},
		{"no node", nil, nil, "name each of them"},
		{"a broken manifest", map[string][]entry{"a": {{"etc/kubernetes/manifests/etcd.yaml", "\t{"}}}, nil, "archive of a: /etc/kubernetes/manifests/etcd.yaml is no manifest"},
	} {
		t.Run(test.name, func(t *testing.T) {
			directory := t.TempDir()
			if err := os.Mkdir(filepath.Join(directory, "nodes"), 0o700); err != nil {
				t.Fatal(err)
			}
			var nodes []string
			for _, name := range []string{"a", "b"} {
				if entries, there := test.nodes[name]; there {
					nodes = append(nodes, name)
					if err := os.WriteFile(filepath.Join(directory, "nodes", name+".tar"), archiveOf(t, entries...), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			got, err := membersOf(directory, nodes)
			if test.fails != "" {
				if err == nil || !strings.Contains(err.Error(), test.fails) {
					t.Fatalf("error %v, want %q", err, test.fails)
				}
				return
			}
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// snapshotOf is a database with etcd's checksum behind it; what stands in it is nobody's business here.
func snapshotOf(seed byte) []byte {
	database := stdbytes.Repeat([]byte{seed}, 512*40)
	sum := sha256.Sum256(database)
	return append(database, sum[:]...)
}

type namedPart struct {
	name string
	data []byte
}

// stored is a bundle as a store has it.
type stored struct {
	data  []byte
	label bundle.Label
}

func writeBundle(t testing.TB, id, recipient string, parts ...namedPart) stored {
	t.Helper()
	var to bundle.Recipients
	if recipient != "" {
		var err error
		if to, err = bundle.ParseRecipients([]string{recipient}); err != nil {
			t.Fatal(err)
		}
	}
	var out stdbytes.Buffer
	w, err := bundle.NewWriter(&out, to)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		if err := add(w, p.name, p.data); err != nil {
			t.Fatal(err)
		}
	}
	label, err := w.Close(bundle.Manifest{ID: id, TakenAt: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), Address: "etcd_backup.daily", Revision: 1800, Keys: 321})
	if err != nil {
		t.Fatal(err)
	}
	return stored{out.Bytes(), label}
}

func newIdentity(t testing.TB) (recipient string, ids bundle.Identities) {
	t.Helper()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	if ids, err = bundle.ParseIdentities([]byte(key.String())); err != nil {
		t.Fatal(err)
	}
	return key.Recipient().String(), ids
}

// usualParts are those of a bundle of one node.
func usualParts(t testing.TB, snapshot []byte) []namedPart {
	node := archiveOf(t, entry{"etc/kubernetes/manifests/etcd.yaml", manifestOfCP1}, entry{"etc/kubernetes/pki/ca.key", "key"}, entry{protocol.CollectReportName, "{}"})
	return []namedPart{{SnapshotPart, snapshot}, {NodePart("cp1"), node}, {ConfigurationPart, []byte("kind: ClusterConfiguration\n")}}
}

// Whatever is wrong with a bundle: a recovery fails before a member's data directory is written, and leaves nothing.
func TestRecoverLeavesNothingOfADamagedBundle(t *testing.T) {
	recipient, ids := newIdentity(t)
	_, strangers := newIdentity(t)
	usual := usualParts(t, snapshotOf(1))
	whole, older := writeBundle(t, "daily-2", recipient, usual...), writeBundle(t, "daily-1", recipient, usualParts(t, snapshotOf(2))...)
	changed := func(change func([]byte) []byte) stored { return stored{change(slices.Clone(whole.data)), whole.label} }
	cut := snapshotOf(1)
	for _, test := range []struct {
		name string
		stored
		ids  bundle.Identities
		want error
	}{
		{"a flipped byte", changed(func(b []byte) []byte { b[len(b)/2] ^= 1; return b }), ids, bundle.ErrDamaged},
		{"a flipped byte in what age keeps of the recipients", changed(func(b []byte) []byte { b[60] ^= 1; return b }), ids, nil},
		{"its last 4 KiB cut off", changed(func(b []byte) []byte { return b[:len(b)-4096] }), ids, nil},
		{"something behind it", changed(func(b []byte) []byte { return append(b, 0) }), ids, nil},
		{"an older bundle under its label", stored{older.data, whole.label}, ids, nil},
		{"an older label", stored{whole.data, older.label}, ids, nil},
		{"another's identity", whole, strangers, bundle.ErrLocked},
		{"no identity", whole, bundle.Identities{}, bundle.ErrLocked},
		{"a snapshot without its checksum", writeBundle(t, "daily-2", recipient, usualParts(t, cut[:len(cut)-32])...), ids, etcd.ErrCutShort},
		{"a snapshot whose checksum is zeros", writeBundle(t, "daily-2", recipient, usualParts(t, append(slices.Clone(cut[:len(cut)-32]), make([]byte, 32)...))...), ids, etcd.ErrZeroTrailer},
		{"a snapshot with another's checksum", writeBundle(t, "daily-2", recipient, usualParts(t, append(slices.Clone(cut[:len(cut)-32]), snapshotOf(2)[len(cut)-32:]...))...), ids, etcd.ErrWrongSum},
		{"a snapshot that is cut", writeBundle(t, "daily-2", recipient, usualParts(t, cut[:len(cut)-100])...), ids, etcd.ErrCutShort},
		{"no snapshot", writeBundle(t, "daily-2", recipient, usual[1:]...), ids, bundle.ErrManifest},
		{"a node's archive that is none", writeBundle(t, "daily-2", recipient, usual[0], namedPart{NodePart("cp1"), stdbytes.Repeat([]byte("x"), 2048)}), ids, tar.ErrHeader},
		{"a whole one, but nothing to restore it with", whole, ids, os.ErrNotExist},
	} {
		t.Run(test.name, func(t *testing.T) {
			parent := t.TempDir()
			_, err := Recover(t.Context(), Recovery{
				Stored: stdbytes.NewReader(test.data), Label: test.label, Identities: test.ids, Directory: filepath.Join(parent, "out"), Token: "t",
				Drill: drill.Options{Program: filepath.Join(parent, "absent")},
			})
			if err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestRecoverOverwritesNothing(t *testing.T) {
	parent := t.TempDir()
	full := filepath.Join(parent, "full")
	if err := os.MkdirAll(full, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(full, "mine"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := writeBundle(t, "daily-1", "", usualParts(t, snapshotOf(1))...)
	for _, directory := range []string{full, filepath.Join(full, "mine")} {
		_, err := Recover(t.Context(), Recovery{Stored: stdbytes.NewReader(b.data), Label: b.label, Directory: directory, Token: "t"})
		if err == nil {
			t.Errorf("a recovery into %s", directory)
		}
	}
	if text, err := os.ReadFile(filepath.Join(full, "mine")); string(text) != "mine" || err != nil {
		t.Errorf("the file is %q, %v", text, err)
	}
	entries, err := os.ReadDir(parent)
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// What is unpacked is what was saved: the snapshot byte for byte, the nodes' archives without the helper's report, and
// nothing under a name that a bundle chose.
func TestUnpack(t *testing.T) {
	parts := append(usualParts(t, snapshotOf(1)), namedPart{"nodes/deep/er.tar", []byte("x")}, namedPart{"later/part", []byte("x")})
	b := writeBundle(t, "daily-1", "", parts...)
	directory := t.TempDir()
	nodes, m, err := Recovery{Stored: stdbytes.NewReader(b.data), Label: b.label}.unpack(t.Context(), directory, &coldRecovery{directory: directory})
	if err != nil || m.ID != "daily-1" || !slices.Equal(nodes, []string{"cp1"}) {
		t.Fatalf("nodes %v of %s, %v", nodes, m.ID, err)
	}
	var found []string
	if err := filepath.WalkDir(directory, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			info, statErr := e.Info()
			relative, _ := filepath.Rel(directory, path)
			found, err = append(found, fmt.Sprintf("%s %04o", relative, info.Mode().Perm())), statErr
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"kubeadm-config.yaml 0600", "nodes/cp1.tar 0600", "snapshot.db 0600"}, found); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got, err := os.ReadFile(filepath.Join(directory, "snapshot.db")); err != nil || !stdbytes.Equal(got, snapshotOf(1)) {
		t.Errorf("the snapshot is %d bytes, %v", len(got), err)
	}
	f, err := os.Open(filepath.Join(directory, "nodes", "cp1.tar"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var names []string
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
	if diff := cmp.Diff([]string{"etc/kubernetes/manifests/etcd.yaml", "etc/kubernetes/pki/ca.key"}, names); diff != "" {
		t.Errorf("archive of cp1 (-want +got):\n%s", diff)
	}
}
