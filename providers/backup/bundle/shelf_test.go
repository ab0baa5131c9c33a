package bundle_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"upkeep/providers/backup/bundle"
	"upkeep/providers/store"
)

func newStore(t testing.TB) (store.Store, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bundles")
	s, err := store.File(path)
	if err != nil {
		t.Fatal(err)
	}
	return s, path
}

// filling returns what writes parts into a bundle.
func filling(m bundle.Manifest, parts []part) func(*bundle.Writer) (bundle.Manifest, error) {
	return func(w *bundle.Writer) (bundle.Manifest, error) {
		for _, p := range parts {
			into, err := w.Part(p.name)
			if err != nil {
				return bundle.Manifest{}, err
			}
			if _, err := into.Write(p.data); err != nil {
				return bundle.Manifest{}, err
			}
			if err := into.Close(); err != nil {
				return bundle.Manifest{}, err
			}
		}
		return m, nil
	}
}

func save(t testing.TB, s store.Store, m bundle.Manifest, to bundle.Recipients) bundle.Label {
	t.Helper()
	label, err := bundle.Save(t.Context(), s, m.ID, bundle.Options{To: to}, filling(m, small()))
	if err != nil {
		t.Fatal(err)
	}
	return label
}

func names(t testing.TB, s store.Store) (all []string) {
	t.Helper()
	objects, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		all = append(all, o.Name)
	}
	return all
}

func TestSaveAndFind(t *testing.T) {
	k := newKey(t)
	s, _ := newStore(t)
	older := manifest("z-older")
	older.TakenAt = older.TakenAt.Add(-24 * time.Hour)
	labels := []bundle.Label{save(t, s, older, recipients(t, k)), save(t, s, manifest("a-newer"), recipients(t, k))}
	found, foreign, err := bundle.Find(t.Context(), s)
	if err != nil || len(foreign) > 0 || len(found) != 2 {
		t.Fatalf("%v, %q, %v", found, foreign, err)
	}
	for i, f := range found {
		if diff := cmp.Diff(labels[i], f.Label); diff != "" || f.Problem != nil || f.Size != labels[i].StoredSize || f.ID != labels[i].ID {
			t.Errorf("%s: %v, label (-want +got):\n%s", f.ID, f.Problem, diff)
		}
		r, err := s.Get(t.Context(), bundle.Name(f.ID))
		if err != nil {
			t.Fatal(err)
		}
		var got []part
		m, opened, err := bundle.Verify(r, f.Label, identities(t, k), func(p *bundle.PartReader) error {
			data, err := io.ReadAll(p)
			got = append(got, part{p.Name(), data})
			return err
		})
		r.Close()
		if err != nil || !opened || m.ID != f.ID {
			t.Errorf("verify: %v, %v", opened, err)
		}
		wantParts(t, small(), got)
	}
	if err := bundle.Remove(t.Context(), s, "z-older"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a-newer.upkeep-bundle", "a-newer.upkeep-bundle.json"}, names(t, s)); diff != "" {
		t.Errorf("after the removal (-want +got):\n%s", diff)
	}
}

// Nothing that is inside an encrypted bundle can be read in the store.
func TestTheStoreHoldsNoPlaintext(t *testing.T) {
	s, path := newStore(t)
	secret := []byte("-----BEGIN PRIVATE KEY-----")
	m := manifest("daily-1")
	if _, err := bundle.Save(t.Context(), s, m.ID, bundle.Options{To: recipients(t, newKey(t))}, filling(m, []part{{"nodes/cp1.tar", bytes.Repeat(secret, 1000)}})); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(path)
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(path, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		info, err := f.Info()
		if err != nil || info.Mode() != 0o600 || bytes.Contains(data, secret) || bytes.Contains(data, []byte(`"sha256"`)) {
			t.Errorf("%s: mode %v, %v, or it tells what is inside", f.Name(), info.Mode(), err)
		}
	}
}

// What breaks while a bundle is taken leaves nothing that looks like one.
func TestSaveThatFails(t *testing.T) {
	mine := errors.New("the member died")
	for _, test := range []struct {
		name string
		fill func(*bundle.Writer) (bundle.Manifest, error)
		want string
	}{
		{"at once", func(*bundle.Writer) (bundle.Manifest, error) { return bundle.Manifest{}, mine }, "the member died"},
		{"inside a part", func(w *bundle.Writer) (bundle.Manifest, error) {
			p, err := w.Part("etcd/snapshot.db")
			if err == nil {
				_, err = p.Write(big)
			}
			return bundle.Manifest{}, errors.Join(err, mine)
		}, "the member died"},
		{"a part that is not closed", func(w *bundle.Writer) (bundle.Manifest, error) {
			_, err := w.Part("etcd/snapshot.db")
			return manifest("daily-1"), err
		}, "part etcd/snapshot.db is not closed"},
		{"a manifest of another", filling(manifest("daily-0"), small()), `the manifest belongs to bundle "daily-0", this is bundle "daily-1"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, _ := newStore(t)
			_, err := bundle.Save(t.Context(), s, "daily-1", bundle.Options{To: recipients(t, newKey(t))}, test.fill)
			if err == nil || !strings.HasSuffix(err.Error(), test.want) || test.want == mine.Error() && !errors.Is(err, mine) {
				t.Errorf("error %v, want %s", err, test.want)
			}
			if left := names(t, s); len(left) > 0 {
				t.Errorf("%q are left", left)
			}
		})
	}
}

// faulty is a store that fails to put some names.
type faulty struct {
	store.Store
	suffix string
	after  int64
	err    error
}

func (f faulty) Put(ctx context.Context, name string, r io.Reader) error {
	if !strings.HasSuffix(name, f.suffix) {
		return f.Store.Put(ctx, name, r)
	}
	_, _ = io.CopyN(io.Discard, r, f.after)
	return f.err
}

// A store that is full stops whoever writes, at once.
func TestSaveIntoAFullStore(t *testing.T) {
	for _, suffix := range []string{bundle.Extension, bundle.LabelExtension} {
		s, _ := newStore(t)
		f := faulty{s, suffix, 1000, store.ErrFull}
		_, err := bundle.Save(t.Context(), f, "daily-1", bundle.Options{}, filling(manifest("daily-1"), parts()))
		if !errors.Is(err, store.ErrFull) {
			t.Errorf("%s: %v", suffix, err)
		}
		found, _, err := bundle.Find(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range found {
			if !errors.Is(b.Problem, bundle.ErrIncomplete) {
				t.Errorf("%s: %v", suffix, b.Problem)
			}
		}
	}
}

func TestFindTellsWhatIsWrong(t *testing.T) {
	s, path := newStore(t)
	for _, id := range []string{"whole", "unlabelled", "lost", "cut", "grown", "renamed", "garbled", "future"} {
		save(t, s, manifest(id), bundle.Recipients{})
	}
	file := func(name string) string { return filepath.Join(path, name) }
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do(os.Remove(file("unlabelled.upkeep-bundle.json")))
	do(os.Remove(file("lost.upkeep-bundle")))
	do(os.Truncate(file("cut.upkeep-bundle"), 5000))
	do(os.Truncate(file("grown.upkeep-bundle"), 10_000_000))
	do(os.Rename(file("renamed.upkeep-bundle"), file("other.upkeep-bundle")))
	do(os.Rename(file("renamed.upkeep-bundle.json"), file("other.upkeep-bundle.json")))
	do(os.WriteFile(file("garbled.upkeep-bundle.json"), []byte("{"), 0o600))
	do(os.WriteFile(file("future.upkeep-bundle.json"), []byte(`{"format": 9, "upkeep": "v9"}`), 0o600))
	do(os.WriteFile(file("killed.upkeep-bundle.0123456789abcdef.part"), []byte("half"), 0o600))
	do(os.WriteFile(file("notes.txt"), []byte("x"), 0o600))
	found, foreign, err := bundle.Find(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range found {
		got[f.ID] = fmt.Sprint(f.Problem)
	}
	size := func(id string) int64 {
		for _, f := range found {
			if f.ID == id {
				return f.Label.StoredSize
			}
		}
		return 0
	}
	want := map[string]string{
		"whole": "<nil>", "unlabelled": "the bundle is not complete", "lost": "the bundle is missing", "killed": "the bundle is not complete",
		"cut":     fmt.Sprintf("the bundle is cut off: 5000 of %d bytes are there", size("cut")),
		"grown":   fmt.Sprintf("the bundle is damaged: it has 10000000 bytes instead of %d", size("grown")),
		"other":   "other.upkeep-bundle.json: the label does not belong to the bundle: it is of renamed",
		"garbled": "garbled.upkeep-bundle.json: this is no bundle of upkeep: its label cannot be read: unexpected end of JSON input",
		"future":  `future.upkeep-bundle.json: the bundle is of another version's format: format 9, known is 1; read it with the upkeep that wrote it ("v9")`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"notes.txt"}, foreign, cmpopts.SortSlices(strings.Compare)); diff != "" {
		t.Errorf("foreign (-want +got):\n%s", diff)
	}
	// What is wrong with one is named so that it can be removed.
	for _, f := range found {
		if f.ID == "killed" {
			do(s.Remove(t.Context(), f.Names[0]))
		}
	}
	if strings.Contains(fmt.Sprint(names(t, s)), "killed") {
		t.Error("what was interrupted is still there")
	}
}

// However large a bundle, memory does not grow: all that is allocated for 256 MiB, the buffers of age and of the pieces
// included, is less than a quarter of it.
func TestMemoryDoesNotGrow(t *testing.T) {
	s, _ := newStore(t)
	to := recipients(t, newKey(t))
	piece := random(7, 1<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	label, err := bundle.Save(t.Context(), s, "large", bundle.Options{To: to}, func(w *bundle.Writer) (bundle.Manifest, error) {
		p, err := w.Part("etcd/snapshot.db")
		if err != nil {
			return bundle.Manifest{}, err
		}
		for range 256 {
			if _, err := p.Write(piece); err != nil {
				return bundle.Manifest{}, err
			}
		}
		return manifest("large"), p.Close()
	})
	runtime.ReadMemStats(&after)
	if err != nil || label.StoredSize < 256<<20 {
		t.Fatal(label.StoredSize, err)
	}
	if allocated := (after.TotalAlloc - before.TotalAlloc) >> 20; allocated > 64 {
		t.Errorf("%d MiB were allocated", allocated)
	}
}

func BenchmarkSave(b *testing.B) {
	for name, to := range map[string]bundle.Recipients{"plain": {}, "encrypted": recipients(b, newKey(b))} {
		b.Run(name, func(b *testing.B) {
			piece := random(7, 1<<20)
			b.SetBytes(int64(len(piece)) * 64)
			for b.Loop() {
				w, err := bundle.NewWriter(io.Discard, to)
				if err != nil {
					b.Fatal(err)
				}
				p, err := w.Part("etcd/snapshot.db")
				if err != nil {
					b.Fatal(err)
				}
				for range 64 {
					if _, err := p.Write(piece); err != nil {
						b.Fatal(err)
					}
				}
				if err := p.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
