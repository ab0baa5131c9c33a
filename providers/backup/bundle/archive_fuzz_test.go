package bundle_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"runtime/metrics"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"upkeep/fixtures/places"
	"upkeep/providers/backup/bundle"
)

// The edits of a bundle's archive. Each is four bytes: which, of which entry, and two arguments.
const (
	dropEntry = iota
	repeatEntry
	swapEntries  // with the entry that the first argument counts
	renameEntry  // to the given name
	refillEntry  // with the given data
	addEntry     // of the given name and data, in front of the entry
	editHeader   // the byte at twice the first argument, or behind that, becomes the second; the checksum is right
	cutArchive   // behind so many blocks
	editManifest // the place that the first argument counts becomes the given data
	ownManifest  // its parts are what stands in the archive
	archiveEdits
)

const editSize = 4

// edited returns an archive that is not as the Writer writes it: what somebody can make who knows the recipients.
func edited(t testing.TB, all []entry, edits []byte, name string, data []byte) []byte {
	type patch struct{ entry, at, value int }
	var patches []patch
	cut := -1
	all = slices.Clone(all)
	for e := range slices.Chunk(edits[:min(len(edits), 16*editSize)], editSize) {
		if len(e) < editSize || len(all) == 0 {
			break
		}
		i, a, b := int(e[1])%len(all), int(e[2]), int(e[3])
		switch e[0] % archiveEdits {
		case dropEntry:
			all = slices.Delete(all, i, i+1)
		case repeatEntry:
			all = slices.Insert(all, i, all[i])
		case swapEntries:
			all[i], all[a%len(all)] = all[a%len(all)], all[i]
		case renameEntry:
			all[i].name = name
		case refillEntry:
			all[i].data = data
		case addEntry:
			all = slices.Insert(all, i, entry{name, data})
		case editHeader:
			patches = append(patches, patch{i, 2*a + int(e[1]>>7), b})
		case cutArchive:
			cut = 512*a + b
		case editManifest:
			withManifest(t, all, func(text []byte) []byte { return places.Replace(text, a, data) })
		case ownManifest:
			withManifest(t, all, func(text []byte) []byte { return describing(text, all) })
		}
	}
	var out []byte
	for i, e := range all {
		header := archive(t, []entry{{"x", e.data}})[:512]
		clear(header[:100])
		copy(header[:100], e.name)
		for _, p := range patches {
			if p.entry == i {
				header[p.at%512] = byte(p.value)
			}
		}
		sum := 0
		copy(header[148:156], "        ")
		for _, b := range header {
			sum += int(b)
		}
		copy(header[148:156], fmt.Sprintf("%06o\x00 ", sum))
		out = append(append(out, header...), e.data...)
		out = append(out, make([]byte, -len(e.data)&511)...)
	}
	out = append(out, make([]byte, 1024)...)
	if cut >= 0 && cut < len(out) {
		out = out[:cut]
	}
	return out
}

// withManifest changes the manifest of an archive, and its digest with it.
func withManifest(t testing.TB, all []entry, change func([]byte) []byte) {
	t.Helper()
	for i, e := range all {
		if e.name != "manifest.json" {
			continue
		}
		all[i].data = change(e.data)
		sum := sha256.Sum256(all[i].data)
		for j := range all {
			if all[j].name == "manifest.json.sha256" {
				all[j].data = []byte(hex.EncodeToString(sum[:]) + "  manifest.json\n")
			}
		}
	}
}

// describing returns a manifest with the parts that stand in the archive, whatever their names are.
func describing(manifest []byte, all []entry) []byte {
	var m bundle.Manifest
	if json.Unmarshal(manifest, &m) != nil {
		return manifest
	}
	contents := map[string][]byte{}
	m.Parts = nil
	for _, e := range all {
		at := strings.LastIndexByte(e.name, '.')
		if at < 0 || strings.HasPrefix(e.name, "manifest.json") {
			continue
		}
		if _, seen := contents[e.name[:at]]; !seen {
			m.Parts = append(m.Parts, bundle.Part{Name: e.name[:at]})
		}
		contents[e.name[:at]] = slices.Concat(contents[e.name[:at]], e.data)
	}
	for i, p := range m.Parts {
		sum := sha256.Sum256(contents[p.Name])
		m.Parts[i].Size, m.Parts[i].SHA256 = int64(len(contents[p.Name])), hex.EncodeToString(sum[:])
	}
	text, err := json.Marshal(m)
	if err != nil {
		return manifest
	}
	return text
}

// tinyParts are parts of a few bytes, so that a fuzzer reads thousands of bundles in a second.
func tinyParts() []part {
	return []part{{"etcd/snapshot.db", []byte("snapshot")}, {"nodes/cp1.tar", nil}, {"nodes/cp2.tar", []byte("tar")}}
}

// allocated is how many bytes the process has allocated so far.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// FuzzArchive: whatever stands inside a bundle, and however well its sums agree, no part leads out of a directory, reading costs
// no more memory than the bundle has bytes, and what is accepted is what the Writer writes.
func FuzzArchive(f *testing.F) {
	plain, _ := write(f, "daily-1", bundle.Recipients{}, tinyParts())
	all := entries(f, plain) // three parts, manifest, digest
	manifests := places.Count(all[3].data)
	for _, name := range []string{"nodes/cp4.tar.000001", "../../etc/passwd.000001", "/etc/shadow.000001", "nodes/..tar.000002", "manifest.json"} {
		for _, edit := range []byte{renameEntry, addEntry} {
			f.Add([]byte{edit, 1, 0, 0}, name, []byte("x"))
			f.Add([]byte{edit, 1, 0, 0, ownManifest, 0, 0, 0}, name, []byte("x"))
		}
	}
	f.Add([]byte{}, "", []byte{})
	f.Add([]byte{dropEntry, 1, 0, 0, ownManifest, 0, 0, 0}, "", []byte{})
	f.Add([]byte{repeatEntry, 2, 0, 0}, "", []byte{})
	f.Add([]byte{swapEntries, 0, 1, 0, ownManifest, 0, 0, 0}, "", []byte{})
	f.Add([]byte{refillEntry, 0, 0, 0, ownManifest, 0, 0, 0}, "", []byte("another"))
	f.Add([]byte{editHeader, 0, 78, tar.TypeSymlink}, "", []byte{})
	f.Add([]byte{editHeader, 0, 62, '7'}, "", []byte{}) // a size of 14 GiB
	f.Add([]byte{cutArchive, 0, 2, 9}, "", []byte{})
	for i := range manifests {
		f.Add([]byte{editManifest, 0, byte(i), 0}, "", []byte(`"../x"`))
	}
	f.Fuzz(func(t *testing.T, edits []byte, name string, data []byte) {
		stored := edited(t, all, edits, name, data)
		before := allocated()
		handed := checkRead(t, stored)
		if cost := allocated() - before; cost > 4<<20+64*uint64(len(stored)) {
			t.Fatalf("reading %d bytes allocated %d", len(stored), cost)
		}
		if handed == nil {
			return
		}
		again, label := write(t, "daily-1", bundle.Recipients{}, handed)
		got, _, err := read(again, bundle.Identities{})
		if diff := cmp.Diff(handed, got, cmp.AllowUnexported(part{}), cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Fatalf("what was read and written again reads otherwise: %v\n%s", err, diff)
		}
		if err := bundle.VerifyStored(bytes.NewReader(again), label.StoredSize, label.StoredSHA256); err != nil {
			t.Fatal(err)
		}
	})
}

// checkRead reads a bundle as a restore does, holds every part that it is handed to the promises of the package, and returns the
// parts of a bundle that is accepted; nil for any other.
func checkRead(t *testing.T, stored []byte) []part {
	t.Helper()
	refused := func(err error) []part {
		if !slices.ContainsFunc(known, func(k error) bool { return errors.Is(err, k) }) {
			t.Fatalf("error %v is none of the package's", err)
		}
		return nil
	}
	r, err := bundle.Open(bytes.NewReader(stored), bundle.Identities{})
	if err != nil {
		return refused(err)
	}
	handed, size := []part{}, 0
	for {
		p, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return refused(err)
		}
		if name := p.Name(); !filepath.IsLocal(name) || path.Clean(name) != name || strings.ContainsAny(name, "\\\x00") {
			t.Fatalf("a part is called %q", name)
		}
		if slices.ContainsFunc(handed, func(h part) bool { return h.name == p.Name() }) {
			t.Fatalf("part %s is handed out twice", p.Name())
		}
		data, err := io.ReadAll(p)
		if size += len(data); size > len(stored) {
			t.Fatalf("%d bytes of parts in a bundle of %d", size, len(stored))
		}
		if err != nil {
			return refused(err)
		}
		handed = append(handed, part{p.Name(), data})
	}
	m := r.Manifest()
	var want []bundle.Part
	for _, p := range handed {
		sum := sha256.Sum256(p.data)
		want = append(want, bundle.Part{Name: p.name, Size: int64(len(p.data)), SHA256: hex.EncodeToString(sum[:])})
	}
	if diff := cmp.Diff(want, m.Parts, cmpopts.EquateEmpty()); diff != "" || bundle.CheckID(m.ID) != nil {
		t.Fatalf("bundle %q: the manifest has other parts (-read +manifest):\n%s", m.ID, diff)
	}
	return handed
}

// FuzzLabel: a label with one changed place is refused, or it is read as it is written, and its bundle's name stays in the store.
func FuzzLabel(f *testing.F) {
	stored, label := write(f, "daily-1", bundle.Recipients{}, tinyParts())
	text, err := label.Encode()
	if err != nil {
		f.Fatal(err)
	}
	for i := range places.Count(text) {
		f.Add(uint8(i), []byte([]string{`"../x"`, `-1`, ``}[i%3]))
	}
	f.Fuzz(func(t *testing.T, place uint8, value []byte) {
		changed := places.Replace(text, int(place), value)
		l, err := bundle.ParseLabel(changed)
		if err != nil {
			if !errors.Is(err, bundle.ErrForeign) && !errors.Is(err, bundle.ErrFormat) {
				t.Fatalf("error %v is none of the package's", err)
			}
			return
		}
		if name := bundle.Name(l.ID); filepath.Base(name) != name || !filepath.IsLocal(name) {
			t.Fatalf("the bundle is called %q", name)
		}
		for _, p := range l.Parts {
			if !filepath.IsLocal(p.Name) || path.Clean(p.Name) != p.Name {
				t.Fatalf("a part is called %q", p.Name)
			}
		}
		encoded, err := l.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := bundle.ParseLabel(encoded)
		if diff := cmp.Diff(l, again, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Fatalf("a label reads otherwise when it is written again: %v\n%s", err, diff)
		}
		// A label is taken for that of the bundle only if it says of it what the bundle says itself.
		if _, _, err := bundle.Verify(bytes.NewReader(stored), l, bundle.Identities{}, nil); err == nil {
			l.Signature, l.ManifestSHA256 = label.Signature, label.ManifestSHA256
			if diff := cmp.Diff(label, l, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("another label is taken for the bundle's:\n%s", diff)
			}
		}
	})
}
