package acceptance

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Every kind of damage to a real bundle is found, by the cheap check and by the dear one: by the state that remembers its
// proof, and, by whoever has nothing but the bundle and a label that was made to fit, by what is inside.
func testDamagedBundles(t *testing.T, s *suite) {
	folder := filepath.Join(t.TempDir(), "backups")
	d := s.declare(t, declaration{renewBefore: time.Hour, backup: backupBlock("hash", `unencrypted = "the tests take it apart"`, fileStore(folder))})
	for range 2 {
		d.run(t, "backup", "take", "-auto-approve").want(t, 0)
		time.Sleep(time.Second) // ids end in the second
	}
	ids := bundlesIn(t, folder)
	if len(ids) != 2 {
		t.Fatalf("the store has %v", ids)
	}
	id := ids[1]
	older, whole := readStored(t, folder, ids[0]), readStored(t, folder, id)
	// Another place with the same store: it remembers nothing.
	stranger := s.declare(t, declaration{renewBefore: time.Hour, backup: backupBlock("hash", `unencrypted = "the tests take it apart"`, fileStore(folder))})
	// It knows the key that signs them, as an operator who lost the state does.
	key := strings.Fields(d.run(t, "state", "public-key").want(t, 0).stdout)[0]
	for _, where := range []directory{d, stranger} {
		for _, level := range []string{"hash", "restore"} {
			if v := where.verify(t, "-public-key="+key, "-level="+level, id); !v.Opened || v.Restored != (level == "restore") || v.Remembered != (where == d) {
				t.Errorf("a whole one at %s: %+v", level, v)
			}
		}
	}

	old := takeApart(t, older.bundle)
	for _, test := range []struct {
		name   string
		damage func() storedBundle
		// forged: the label fits the bytes, so that only what is inside tells.
		forged bool
		want   string
	}{
		{"a flipped byte", func() storedBundle { return whole.with(flipped(whole.bundle)) }, false, "damaged"},
		{"4 KiB cut off", func() storedBundle { return whole.with(whole.bundle[:len(whole.bundle)-4096]) }, false, "cut off"},
		{"a flipped byte, under a label that fits", func() storedBundle { return whole.with(flipped(whole.bundle)).relabelled(t) }, true, ""},
		{"4 KiB cut off, under a label that fits", func() storedBundle { return whole.with(whole.bundle[:len(whole.bundle)-4096]).relabelled(t) }, true, "cut off"},
		{"a snapshot without its trailer", func() storedBundle { return whole.changed(t, func(b []byte) []byte { return b[:len(b)-32] }) }, true, "snapshot"},
		{"a snapshot with a trailer of zeroes", func() storedBundle {
			return whole.changed(t, func(b []byte) []byte { return append(slices.Clone(b[:len(b)-32]), make([]byte, 32)...) })
		}, true, "checksum is all zeroes"},
		{"a snapshot with a flipped byte", func() storedBundle { return whole.changed(t, flipped) }, true, "the snapshot is damaged"},
		{"a snapshot that is cut", func() storedBundle { return whole.changed(t, func(b []byte) []byte { return b[:len(b)-4096] }) }, true, "cut short"},
		{"parts whose names were swapped", func() storedBundle {
			files := takeApart(t, whole.bundle)
			a, b := find(t, files, "nodes/n1.tar.000001"), find(t, files, "nodes/n2.tar.000001")
			files[a].data, files[b].data = files[b].data, files[a].data
			return whole.with(putTogether(t, files)).relabelled(t)
		}, true, "manifest does not belong to its parts"},
		{"an older manifest", func() storedBundle {
			files := takeApart(t, whole.bundle)
			for _, name := range []string{"manifest.json", "manifest.json.sha256"} {
				files[find(t, files, name)].data = old[find(t, old, name)].data
			}
			return whole.with(putTogether(t, files)).relabelled(t)
		}, true, "manifest does not belong to its parts"},
		{"an older bundle under its name", func() storedBundle { return storedBundle{older.bundle, whole.label} }, false, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := test.damage()
			b.write(t, folder, id)
			defer whole.write(t, folder, id)
			for _, level := range []string{"hash", "restore"} {
				for _, where := range []directory{d, stranger} {
					r := where.run(t, "backup", "verify", "-level="+level, id).want(t, 1)
					if !strings.Contains(r.stderr, id) {
						t.Errorf("the bundle is not named: %s", r.stderr)
					}
					if where == stranger {
						t.Logf("%s: %s", level, strings.TrimSpace(r.stderr))
						if !strings.Contains(r.stderr, test.want) {
							t.Errorf("%s does not say %q", r.stderr, test.want)
						}
					} else if test.forged && !strings.Contains(r.stderr, "when it was proved") {
						t.Errorf("the state is not asked: %s", r.stderr)
					}
				}
			}
			to := filepath.Join(t.TempDir(), "out")
			stranger.run(t, "backup", "restore", "-to="+to, id).want(t, 1)
			if _, err := os.Stat(to); !os.IsNotExist(err) {
				t.Errorf("it was restored: %v", err)
			}
		})
	}
	d.verify(t, "-level=restore", id)
}

// storedBundle is a bundle and its label.
type storedBundle struct{ bundle, label []byte }

func readStored(t *testing.T, folder, id string) storedBundle {
	t.Helper()
	return storedBundle{readFile(t, filepath.Join(folder, id+".upkeep-bundle")), readFile(t, filepath.Join(folder, id+".upkeep-bundle.json"))}
}

func (b storedBundle) write(t *testing.T, folder, id string) {
	t.Helper()
	for name, data := range map[string][]byte{id + ".upkeep-bundle": b.bundle, id + ".upkeep-bundle.json": b.label} {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func (b storedBundle) with(bundle []byte) storedBundle { return storedBundle{bundle, b.label} }

// relabelled makes the label's size and digest those of the bundle.
func (b storedBundle) relabelled(t *testing.T) storedBundle {
	t.Helper()
	label := decode(t, b.label)
	label["stored_size"], label["stored_sha256"] = len(b.bundle), sum(b.bundle)
	return storedBundle{b.bundle, encode(t, label)}
}

// changed changes the snapshot in a bundle, and everything that says what the snapshot must be: only etcd's own checksum
// tells.
func (b storedBundle) changed(t *testing.T, change func([]byte) []byte) storedBundle {
	t.Helper()
	const piece = 8 << 20
	files := takeApart(t, b.bundle)
	var snapshot []byte
	files = slices.DeleteFunc(files, func(f file) bool {
		is := strings.HasPrefix(f.name, "etcd/snapshot.db.")
		if is {
			snapshot = append(snapshot, f.data...)
		}
		return is
	})
	snapshot = change(snapshot)
	var pieces []file
	for rest := range slices.Chunk(snapshot, piece) {
		pieces = append(pieces, file{fmt.Sprintf("etcd/snapshot.db.%06d", len(pieces)+1), rest})
	}
	files = append(pieces, files...)
	describe := func(document map[string]any) {
		for _, p := range document["parts"].([]any) {
			if part := p.(map[string]any); part["name"] == "etcd/snapshot.db" {
				part["size"], part["sha256"] = len(snapshot), sum(snapshot)
			}
		}
	}
	m := find(t, files, "manifest.json")
	manifest := decode(t, files[m].data)
	describe(manifest)
	files[m].data = encode(t, manifest)
	files[find(t, files, "manifest.json.sha256")].data = []byte(sum(files[m].data) + "  manifest.json\n")
	label := decode(t, b.label)
	describe(label)
	return storedBundle{putTogether(t, files), encode(t, label)}.relabelled(t)
}

// file is one file of a bundle's archive.
type file struct {
	name string
	data []byte
}

func find(t *testing.T, files []file, name string) int {
	t.Helper()
	i := slices.IndexFunc(files, func(f file) bool { return f.name == name })
	if i < 0 {
		t.Fatalf("the bundle has no %s", name)
	}
	return i
}

func takeApart(t *testing.T, bundle []byte) (files []file) {
	t.Helper()
	for r := tar.NewReader(bytes.NewReader(bundle)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file{h.Name, data})
	}
}

func putTogether(t *testing.T, files []file) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.name, Size: int64(len(f.data)), Mode: 0o600, Format: tar.FormatUSTAR}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func flipped(data []byte) []byte {
	out := slices.Clone(data)
	out[len(out)/2] ^= 1
	return out
}

func sum(data []byte) string {
	digest := sha256.Sum256(data)
	return hex.EncodeToString(digest[:])
}

// decode keeps numbers as they are written: ids of etcd have 64 bits.
func decode(t *testing.T, text []byte) (out map[string]any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

func encode(t *testing.T, document map[string]any) []byte {
	t.Helper()
	text, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(text, '\n')
}
