package bundle_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"upkeep/providers/backup/bundle"
)

// key is a pair of age keys.
type key struct{ public, secret string }

func newKey(t testing.TB) key {
	t.Helper()
	k, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return key{k.Recipient().String(), k.String()}
}

func recipients(t testing.TB, keys ...key) bundle.Recipients {
	t.Helper()
	var names []string
	for _, k := range keys {
		names = append(names, k.public)
	}
	r, err := bundle.ParseRecipients(names)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func identities(t testing.TB, keys ...key) bundle.Identities {
	t.Helper()
	if len(keys) == 0 {
		return bundle.Identities{}
	}
	text := "# created: 2026-01-01T00:00:00Z\n"
	for _, k := range keys {
		text += k.secret + "\n"
	}
	ids, err := bundle.ParseIdentities([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func manifest(id string) bundle.Manifest {
	return bundle.Manifest{ID: id, TakenAt: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), Address: "etcd_backup.daily", Upkeep: "v0.3.0",
		Datastore: "etcd", ClusterID: "cdf818194e3a8c32", Member: "cp2", MemberID: "8e9e05c52164694d", Revision: 4711, Keys: 812, Hash: 12345, HashRevision: 4711,
		Versions: map[string]string{"etcd": "3.5.16", "kubernetes": "v1.35.4"}, Gaps: []bundle.Gap{{What: "PKI of cp3", Why: "ssh: no answer in 10s"}}}
}

// part is a part as tests write it.
type part struct {
	name string
	data []byte
}

func random(seed byte, size int) []byte {
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(data)
	return data
}

// parts are one of several pieces, one of exactly one piece, an empty one and some small ones.
func parts() []part {
	return []part{{"etcd/snapshot.db", big[:17<<20]}, {"nodes/cp1.tar", big[1 : 1+8<<20]}, {"nodes/cp2.tar", random(3, 10)}, {"kubeadm-config.yaml", nil}, {"nodes/cp3.tar", random(4, 4000)}}
}

var big = random(1, 17<<20)

// small are parts that cost nothing.
func small() []part {
	return []part{{"etcd/snapshot.db", random(1, 100_000)}, {"nodes/cp1.tar", random(2, 5000)}, {"nodes/cp2.tar", random(3, 5000)}}
}

func write(t testing.TB, id string, to bundle.Recipients, parts []part) ([]byte, bundle.Label) {
	t.Helper()
	var out bytes.Buffer
	w, err := bundle.NewWriter(&out, to)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		into, err := w.Part(p.name)
		if err != nil {
			t.Fatal(err)
		}
		// In odd pieces, as a network brings them.
		if _, err := io.CopyBuffer(struct{ io.Writer }{into}, struct{ io.Reader }{bytes.NewReader(p.data)}, make([]byte, 30_011)); err != nil {
			t.Fatal(err)
		}
		if err := into.Close(); err != nil {
			t.Fatal(err)
		}
	}
	label, err := w.Close(manifest(id))
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), label
}

// read reads a whole bundle.
func read(stored []byte, ids bundle.Identities) ([]part, bundle.Manifest, error) {
	r, err := bundle.Open(bytes.NewReader(stored), ids)
	if err != nil {
		return nil, bundle.Manifest{}, err
	}
	var all []part
	for {
		p, err := r.Next()
		if err == io.EOF {
			return all, r.Manifest(), nil
		}
		if err != nil {
			return all, bundle.Manifest{}, err
		}
		data, err := io.ReadAll(p)
		if err != nil {
			return all, bundle.Manifest{}, err
		}
		all = append(all, part{p.Name(), data})
	}
}

func wantParts(t *testing.T, want, got []part) {
	t.Helper()
	if len(want) != len(got) {
		t.Fatalf("%d parts, want %d", len(got), len(want))
	}
	for i := range want {
		if want[i].name != got[i].name || !bytes.Equal(want[i].data, got[i].data) {
			t.Errorf("part %d is %s with %d bytes, want %s with %d", i, got[i].name, len(got[i].data), want[i].name, len(want[i].data))
		}
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	a, b := newKey(t), newKey(t)
	for _, test := range []struct {
		name      string
		to, opens []key
	}{
		{"plain", nil, nil},
		{"for one", []key{a}, []key{a}},
		{"for two, read by the second", []key{a, b}, []key{b}},
		{"read by one who has other keys as well", []key{a}, []key{b, a}},
	} {
		t.Run(test.name, func(t *testing.T) {
			stored, label := write(t, "daily-1", recipients(t, test.to...), parts())
			got, m, err := read(stored, identities(t, test.opens...))
			if err != nil {
				t.Fatal(err)
			}
			wantParts(t, parts(), got)
			want := manifest("daily-1")
			want.Format, want.Parts = bundle.Format, m.Parts
			if diff := cmp.Diff(want, m); diff != "" {
				t.Errorf("manifest (-want +got):\n%s", diff)
			}
			for i, p := range parts() {
				if m.Parts[i].Name != p.name || m.Parts[i].Size != int64(len(p.data)) || len(m.Parts[i].SHA256) != 64 {
					t.Errorf("part %d is %+v", i, m.Parts[i])
				}
				if inside := label.Parts[i].SHA256; (inside == "") != (len(test.to) > 0) {
					t.Errorf("the label has the digest %q of part %s", inside, p.name)
				}
			}
			if label.StoredSize != int64(len(stored)) || len(label.EncryptedTo) != len(test.to) {
				t.Errorf("label %+v", label)
			}
			if err := bundle.VerifyStored(bytes.NewReader(stored), label.StoredSize, label.StoredSHA256); err != nil {
				t.Error(err)
			}
			text, err := label.Encode()
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := bundle.ParseLabel(text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(label, parsed); diff != "" {
				t.Errorf("the label came back (-want +got):\n%s", diff)
			}
			if _, opened, err := bundle.Verify(bytes.NewReader(stored), parsed, identities(t, test.opens...), nil); err != nil || !opened {
				t.Errorf("verify: %v, %v", opened, err)
			}
		})
	}
}

// What nothing of upkeep is needed for: any tar, any sha256sum, and cat.
func TestAPersonCanReadIt(t *testing.T) {
	stored, _ := write(t, "daily-1", bundle.Recipients{}, parts()[:2])
	files := map[string][]byte{}
	var names []string
	for r := tar.NewReader(bytes.NewReader(stored)); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		if files[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"etcd/snapshot.db.000001", "etcd/snapshot.db.000002", "etcd/snapshot.db.000003", "nodes/cp1.tar.000001", "manifest.json", "manifest.json.sha256"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	snapshot := joined(files, names[:3])
	if !bytes.Equal(snapshot, parts()[0].data) {
		t.Errorf("the pieces of the snapshot are %d bytes that are not it", len(snapshot))
	}
}

func joined(files map[string][]byte, names []string) (all []byte) {
	for _, n := range names {
		all = append(all, files[n]...)
	}
	return all
}

// A reader may leave parts unread; they are checked all the same.
func TestUnreadPartsAreChecked(t *testing.T) {
	stored, _ := write(t, "daily-1", bundle.Recipients{}, parts())
	skim := func(stored []byte) error {
		r, err := bundle.Open(bytes.NewReader(stored), bundle.Identities{})
		for err == nil {
			var p *bundle.PartReader
			if p, err = r.Next(); err == nil {
				_, _ = p.Read(make([]byte, 5))
			}
		}
		return err
	}
	if err := skim(stored); err != io.EOF {
		t.Error(err)
	}
	flipped := bytes.Clone(stored)
	flipped[9<<20] ^= 1
	if err := skim(flipped); !errors.Is(err, bundle.ErrManifest) {
		t.Errorf("a flipped byte that was not read: %v", err)
	}
}

// A plain bundle of the same content is the same bytes every time.
func TestPlainBundlesAreDeterministic(t *testing.T) {
	a, _ := write(t, "daily-1", bundle.Recipients{}, parts())
	b, _ := write(t, "daily-1", bundle.Recipients{}, parts())
	if !bytes.Equal(a, b) {
		t.Error("two plain bundles of the same differ")
	}
}

func TestWriterRefuses(t *testing.T) {
	fresh := func() *bundle.Writer {
		w, err := bundle.NewWriter(io.Discard, bundle.Recipients{})
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	for _, name := range []string{"", "/etc", "../x", "a/../b", "a//b", "a/", ".a", "a/.b", "-a", "a b", "a\n", "manifest.json", "manifest.json.sha256", "x.000001", strings.Repeat("a", 91)} {
		if _, err := fresh().Part(name); err == nil {
			t.Errorf("a part may be called %q", name)
		}
	}
	for _, test := range []struct {
		name string
		do   func(w *bundle.Writer) error
		want string
	}{
		{"two parts at a time", func(w *bundle.Writer) error {
			_, _ = w.Part("a")
			_, err := w.Part("b")
			return err
		}, "part b: part a is not closed"},
		{"a part twice", func(w *bundle.Writer) error {
			p, _ := w.Part("a")
			_ = p.Close()
			_, err := w.Part("a")
			return err
		}, "part a is in the bundle already"},
		{"an end inside a part", func(w *bundle.Writer) error {
			_, _ = w.Part("a")
			_, err := w.Close(manifest("x"))
			return err
		}, "part a is not closed"},
		{"no id", func(w *bundle.Writer) error {
			_, err := w.Close(manifest(""))
			return err
		}, "write the manifest: this is no bundle of upkeep: format, id or time is missing"},
		{"a second end", func(w *bundle.Writer) error {
			_, _ = w.Close(manifest("x"))
			_, err := w.Close(manifest("x"))
			return err
		}, "the bundle is complete"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := test.do(fresh()); fmt.Sprint(err) != test.want {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

// A writer whose store fails says so to whoever writes.
func TestWriterPassesOnErrors(t *testing.T) {
	full := errors.New("the store is full")
	w, err := bundle.NewWriter(&limited{left: 1 << 20, err: full}, bundle.Recipients{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.Part("etcd/snapshot.db")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Write(make([]byte, 20<<20)); !errors.Is(err, full) {
		t.Errorf("write: %v", err)
	}
	if err := p.Close(); !errors.Is(err, full) {
		t.Errorf("close the part: %v", err)
	}
	if _, err := w.Close(manifest("x")); !errors.Is(err, full) {
		t.Errorf("close: %v", err)
	}
}

type limited struct {
	left int
	err  error
}

func (l *limited) Write(data []byte) (int, error) {
	if l.left -= len(data); l.left < 0 {
		return 0, l.err
	}
	return len(data), nil
}
