// Package storetest is the compliance suite of stores: what every implementation of store.Store must do.
//
// A store's own test hands it a Harness and adds only what is particular to its place (modes and owners of files, for
// example).
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/store"
)

// Harness is one place, empty at first.
type Harness interface {
	// Open returns the store, as another process would have it.
	Open(t *testing.T) store.Store
	// Interrupt leaves behind what a process leaves that was killed while it put this name.
	Interrupt(t *testing.T, name string)
}

// large is more than any store holds in memory at a time.
const large = 20<<20 + 7

// Test runs the suite; each case gets a new place.
func Test(t *testing.T, harness func(t *testing.T) Harness) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"a new store is empty", empty},
		{"what is put can be got, whatever its size", sizes},
		{"the list is sorted", list},
		{"what is not there cannot be got", missing},
		{"nothing is overwritten", overwrite},
		{"what is removed is gone, and may be removed again", remove},
		{"a draft is an object once it is committed", drafts},
		{"a source that breaks leaves nothing", broken},
		{"a cancelled put leaves nothing", cancelled},
		{"an object appears when it is complete", appears},
		{"what a killed process left is partial, and can be removed", leftover},
		{"names that are none are refused", names},
		{"of those who race for a name one wins", race},
		{"a cancelled get ends", cancelledGet},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, harness(t))
		})
	}
}

// Name returns the name of an object that every store takes.
func Name(s string) string { return s + ".upkeep-bundle" }

var random = sync.OnceValue(func() []byte {
	data := make([]byte, large)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data)
	return data
})

// content are so many bytes; they must not be changed.
func content(size int) []byte { return random()[:size] }

func put(t *testing.T, s store.Store, name string, data []byte) {
	t.Helper()
	if err := s.Put(t.Context(), name, io.MultiReader(bytes.NewReader(data))); err != nil {
		t.Fatalf("put %s: %v", name, err)
	}
}

func get(t *testing.T, s store.Store, name string) ([]byte, error) {
	t.Helper()
	r, err := s.Get(t.Context(), name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// inside returns the names and sizes that are complete, and the names that are partial.
func inside(t *testing.T, s store.Store) (whole map[string]int64, partial []string) {
	t.Helper()
	objects, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	whole = map[string]int64{}
	for _, o := range objects {
		if o.Partial {
			partial = append(partial, o.Name)
		} else {
			whole[o.Name] = o.Size
		}
	}
	return whole, partial
}

func wantInside(t *testing.T, s store.Store, want map[string]int64) {
	t.Helper()
	whole, partial := inside(t, s)
	if diff := cmp.Diff(want, whole); diff != "" || len(partial) > 0 {
		t.Errorf("in the store (-want +got), partial %q:\n%s", partial, diff)
	}
}

func empty(t *testing.T, h Harness) {
	s := h.Open(t)
	wantInside(t, s, map[string]int64{})
	if s.String() == "" {
		t.Error("the store has no name")
	}
}

func sizes(t *testing.T, h Harness) {
	s := h.Open(t)
	want := map[string]int64{}
	for _, size := range []int{0, 1, 100_000, 16 << 20, large} {
		name := Name(fmt.Sprint("size-", size))
		data := content(size)
		before := time.Now()
		put(t, s, name, data)
		want[name] = int64(size)
		got, err := get(t, h.Open(t), name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, data) {
			t.Errorf("%s came back as %d other bytes", name, len(got))
		}
		objects, err := s.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects {
			// Stores count time in seconds, some of them.
			if o.Name == name && (o.Modified.Before(before.Add(-2*time.Second)) || o.Modified.After(time.Now().Add(2*time.Second))) {
				t.Errorf("%s is of %s, now is %s", name, o.Modified, time.Now())
			}
		}
	}
	wantInside(t, s, want)
}

func list(t *testing.T, h Harness) {
	s := h.Open(t)
	for _, name := range []string{"b", "a-2", "a-10", "c.1"} {
		put(t, s, Name(name), []byte(name))
		put(t, s, Name(name)+".json", []byte("{}"))
	}
	objects, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range objects {
		got = append(got, strings.ReplaceAll(o.Name, ".upkeep-bundle", ""))
	}
	if diff := cmp.Diff([]string{"a-10", "a-10.json", "a-2", "a-2.json", "b", "b.json", "c.1", "c.1.json"}, got); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
}

func missing(t *testing.T, h Harness) {
	s := h.Open(t)
	for _, what := range []string{"in a new store", "in one that has another object"} {
		if _, err := get(t, s, Name("missing")); !errors.Is(err, store.ErrNotExist) {
			t.Errorf("%s: %v does not wrap ErrNotExist", what, err)
		}
		if what == "in a new store" {
			put(t, s, Name("other"), nil)
		}
	}
}

func overwrite(t *testing.T, h Harness) {
	s := h.Open(t)
	put(t, s, Name("a"), []byte("first"))
	for _, size := range []int{3, large} {
		if err := s.Put(t.Context(), Name("a"), bytes.NewReader(content(size))); !errors.Is(err, store.ErrExists) {
			t.Errorf("put %d bytes over it: %v does not wrap ErrExists", size, err)
		}
	}
	if got, err := get(t, s, Name("a")); err != nil || string(got) != "first" {
		t.Errorf("it is now %q, %v", got, err)
	}
	wantInside(t, s, map[string]int64{Name("a"): 5})
}

func drafts(t *testing.T, h Harness) {
	s, ok := h.Open(t).(store.Creator)
	if !ok {
		t.Skip("it takes whole objects alone")
	}
	write := func(name string, size int) store.Draft {
		d, err := s.Create(t.Context(), Name(name))
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range [][]byte{content(size)[:size/2], content(size)[size/2:]} {
			if _, err := d.Write(part); err != nil {
				t.Fatal(err)
			}
		}
		return d
	}
	given := write("given-up", 100)
	if whole, partial := inside(t, s); len(whole) > 0 || len(partial) != 1 {
		t.Errorf("while it is written: %v, partial %v", whole, partial)
	}
	if err := given.Close(); err != nil {
		t.Error(err)
	}
	wantInside(t, s, map[string]int64{})
	kept, late := write("kept", large), write("kept", 3)
	if err := errors.Join(kept.Commit(), kept.Close()); err != nil {
		t.Error(err)
	}
	if err := late.Commit(); !errors.Is(err, store.ErrExists) {
		t.Errorf("a second one of the name: %v does not wrap ErrExists", err)
	}
	if err := late.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Create(t.Context(), Name("kept")); !errors.Is(err, store.ErrExists) {
		t.Errorf("a name that is taken: %v does not wrap ErrExists", err)
	}
	if got, err := get(t, s, Name("kept")); err != nil || !bytes.Equal(got, content(large)) {
		t.Errorf("it came back as %d other bytes, %v", len(got), err)
	}
	wantInside(t, s, map[string]int64{Name("kept"): large})

	ctx, cancel := context.WithCancel(t.Context())
	d, err := s.Create(ctx, Name("cancelled"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	cancel()
	if _, err := d.Write(content(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("a write after the end of its context: %v", err)
	}
}

func remove(t *testing.T, h Harness) {
	s := h.Open(t)
	if err := s.Remove(t.Context(), Name("never")); err != nil {
		t.Errorf("remove what was never there: %v", err)
	}
	put(t, s, Name("a"), []byte("a"))
	put(t, s, Name("b"), []byte("b"))
	for range 2 {
		if err := s.Remove(t.Context(), Name("a")); err != nil {
			t.Error(err)
		}
	}
	wantInside(t, s, map[string]int64{Name("b"): 1})
	put(t, s, Name("a"), []byte("new"))
	if got, err := get(t, s, Name("a")); err != nil || string(got) != "new" {
		t.Errorf("put again it is %q, %v", got, err)
	}
}

func broken(t *testing.T, h Harness) {
	s := h.Open(t)
	mine := errors.New("etcd went away")
	for _, failure := range []error{mine, io.ErrUnexpectedEOF, io.ErrClosedPipe, context.DeadlineExceeded} {
		sizes := []int{0, 1}
		if failure == io.ErrUnexpectedEOF { // which whoever reads in large pieces may take for the end
			sizes = []int{0, 1, 16 << 20, large}
		}
		for _, after := range sizes {
			err := s.Put(t.Context(), Name("broken"), io.MultiReader(bytes.NewReader(content(after)), failing{failure}))
			if !errors.Is(err, failure) {
				t.Errorf("%v after %d bytes: %v", failure, after, err)
			}
		}
	}
	wantInside(t, s, map[string]int64{})
	put(t, s, Name("broken"), []byte("whole"))
	wantInside(t, s, map[string]int64{Name("broken"): 5})
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func cancelled(t *testing.T, h Harness) {
	s := h.Open(t)
	for _, after := range []int{0, large} {
		ctx, cancel := context.WithCancel(t.Context())
		err := s.Put(ctx, Name("cancelled"), io.MultiReader(bytes.NewReader(content(after)), cancelling{cancel}, bytes.NewReader(content(large))))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("after %d bytes: %v", after, err)
		}
	}
	wantInside(t, s, map[string]int64{})
}

// cancelling cancels a context when it is read, and is empty.
type cancelling struct{ cancel func() }

func (c cancelling) Read([]byte) (int, error) {
	c.cancel()
	return 0, io.EOF
}

func appears(t *testing.T, h Harness) {
	s := h.Open(t)
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- s.Put(t.Context(), Name("slow"), r) }()
	data := content(large)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if whole, _ := inside(t, h.Open(t)); len(whole) > 0 {
		t.Errorf("%v is there before it is complete", whole)
	}
	if _, err := get(t, h.Open(t), Name("slow")); !errors.Is(err, store.ErrNotExist) {
		t.Errorf("get before it is complete: %v", err)
	}
	w.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	wantInside(t, s, map[string]int64{Name("slow"): large})
}

func leftover(t *testing.T, h Harness) {
	s := h.Open(t)
	put(t, s, Name("whole"), []byte("whole"))
	h.Interrupt(t, Name("killed"))
	whole, partial := inside(t, s)
	if len(partial) != 1 || !strings.HasPrefix(partial[0], Name("killed")+".") {
		t.Fatalf("partial %q, whole %v", partial, whole)
	}
	if _, err := get(t, s, Name("killed")); !errors.Is(err, store.ErrNotExist) {
		t.Errorf("get what is partial: %v", err)
	}
	put(t, s, Name("killed"), []byte("again"))
	for range 2 {
		if err := s.Remove(t.Context(), partial[0]); err != nil {
			t.Error(err)
		}
	}
	wantInside(t, s, map[string]int64{Name("whole"): 5, Name("killed"): 5})
}

func names(t *testing.T, h Harness) {
	s := h.Open(t)
	for _, name := range []string{"", ".", "..", "../" + Name("a"), "a/" + Name("b"), "/" + Name("a"), "." + Name("a"), "-" + Name("a"), Name("a") + ".part",
		Name("a\x00"), Name("a b"), Name("ä"), strings.Repeat("a", 300) + Name("")} {
		if err := s.Put(t.Context(), name, strings.NewReader("x")); err == nil {
			t.Errorf("put %q was allowed", name)
		}
		if _, err := get(t, s, name); err == nil {
			t.Errorf("get %q was allowed", name)
		}
		if name == Name("a")+".part" {
			continue // may be what a store calls its own leftovers
		}
		if err := s.Remove(t.Context(), name); err == nil {
			t.Errorf("remove %q was allowed", name)
		}
	}
	wantInside(t, s, map[string]int64{})
}

func race(t *testing.T, h Harness) {
	const runners = 4
	var wg sync.WaitGroup
	errs := make([]error, runners)
	for i := range runners {
		s := h.Open(t)
		wg.Go(func() { errs[i] = s.Put(t.Context(), Name("race"), strings.NewReader(fmt.Sprint(i))) })
	}
	wg.Wait()
	won := -1
	for i, err := range errs {
		switch {
		case err == nil && won >= 0:
			t.Errorf("%d and %d won", won, i)
		case err == nil:
			won = i
		case !errors.Is(err, store.ErrExists):
			t.Errorf("%d: %v does not wrap ErrExists", i, err)
		}
	}
	if got, err := get(t, h.Open(t), Name("race")); err != nil || won < 0 || string(got) != fmt.Sprint(won) {
		t.Errorf("%d won, and %q is there, %v", won, got, err)
	}
}

func cancelledGet(t *testing.T, h Harness) {
	s := h.Open(t)
	put(t, s, Name("a"), content(large))
	ctx, cancel := context.WithCancel(t.Context())
	r, err := s.Get(ctx, Name("a"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadFull(r, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.Copy(io.Discard, r); !errors.Is(err, context.Canceled) {
		t.Errorf("after the cancellation: %v", err)
	}
}
