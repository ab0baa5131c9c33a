package bundle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"upkeep/providers/facts"
	"upkeep/providers/store"
)

// Save writes a bundle into a store: fill writes the parts and returns the manifest, whose ID must be id. The label follows when
// the bundle is there; sign signs it, and may be nil. When anything fails, nothing of the bundle remains that looks complete, and
// the error is fill's where fill failed. When ctx ends, fill must return: what it waits for is its own business.
//
// A disk of this machine gets the bundle while fill writes it. For any other store it is spooled first, in the directory
// that Options name, so that a slow store keeps nobody waiting who is read from: a snapshot holds a transaction of etcd open, and
// its database grows at the same time (etcd#18509).
func Save(ctx context.Context, s store.Store, id string, o Options, fill func(*Writer) (Manifest, error)) (label Label, err error) {
	if err := CheckID(id); err != nil {
		return Label{}, err
	}
	save := spooled
	if c, ok := s.(store.Creator); ok && c.Local() {
		save = created
	}
	if label, err = save(ctx, s, id, o, fill); err != nil {
		return Label{}, err
	}
	// A bundle without a label counts for nothing and is in the way of the next one where the store is full.
	give := func(err error) (Label, error) {
		return Label{}, errors.Join(err, Remove(context.WithoutCancel(ctx), s, id))
	}
	label = label.signed(o.Sign)
	text, err := label.Encode()
	if err != nil {
		return give(err)
	}
	if err := s.Put(ctx, LabelName(id), bytes.NewReader(text)); err != nil {
		return give(fmt.Errorf("write the label of %s: %w", id, err))
	}
	return label, nil
}

// created writes a bundle into the store itself.
func created(ctx context.Context, s store.Store, id string, o Options, fill func(*Writer) (Manifest, error)) (label Label, err error) {
	draft, err := s.(store.Creator).Create(ctx, Name(id))
	if err != nil {
		return Label{}, err
	}
	defer func() { err = errors.Join(err, draft.Close()) }()
	if label, err = write(draft, id, o.To, fill); err != nil {
		return Label{}, err
	}
	return label, draft.Commit()
}

// spooled writes a bundle into a file of this machine, and that into the store.
func spooled(ctx context.Context, s store.Store, id string, o Options, fill func(*Writer) (Manifest, error)) (label Label, err error) {
	into, err := newSpool(o.Spool, len(o.To.keys) > 0)
	if err != nil {
		return Label{}, fmt.Errorf("spool the bundle: %w", err)
	}
	defer func() { err = errors.Join(err, into.Close()) }()
	if label, err = write(into, id, o.To, fill); err != nil {
		return Label{}, err
	}
	if err := ctx.Err(); err != nil {
		return Label{}, context.Cause(ctx)
	}
	from, err := into.read()
	if err != nil {
		return Label{}, fmt.Errorf("read the spooled bundle: %w", err)
	}
	return label, s.Put(ctx, Name(id), from)
}

// Options say for whom a bundle is written and by whom.
type Options struct {
	To Recipients
	// Sign signs a statement; nil: nobody does.
	Sign func(statement []byte) facts.Signature
	// Spool is the directory in which a bundle is spooled, encrypted; empty: the system's for temporary files.
	Spool string
}

func write(w io.Writer, id string, to Recipients, fill func(*Writer) (Manifest, error)) (label Label, err error) {
	b, err := NewWriter(w, to)
	if err != nil {
		return Label{}, err
	}
	defer b.Abandon()
	m, err := fill(b)
	if err != nil {
		return Label{}, err
	}
	if m.ID != id {
		return Label{}, fmt.Errorf("the manifest belongs to bundle %q, this is bundle %q", m.ID, id)
	}
	return b.Close(m)
}

// Found is one bundle that a store has, or a part of one.
type Found struct {
	ID string
	// Label is the zero Label where it could not be read.
	Label Label
	// Size is the stored bundle's; Modified when the store got it.
	Size     int64
	Modified time.Time
	// Names are the objects of the store that belong to it.
	Names []string
	// Problem is nil for a bundle that looks complete from outside: bundle and label are there and their sizes agree. It
	// wraps one of this package's errors, ErrIncomplete or ErrMissing.
	Problem error
}

// What may be wrong with a bundle in a store besides its content.
var (
	// ErrIncomplete: it is being written, or writing it was interrupted.
	ErrIncomplete = errors.New("the bundle is not complete")
	// ErrMissing: its label is there without it.
	ErrMissing = errors.New("the bundle is missing")
)

// parallel is how many labels are read at a time.
const parallel = 8

// Find returns the bundles of a store, oldest first by the time in the label, those without one last; and the names of
// objects that are no bundle's. It reads labels, not bundles.
func Find(ctx context.Context, s store.Store) (bundles []Found, foreign []string, err error) {
	objects, err := s.List(ctx)
	if err != nil {
		return nil, nil, err
	}
	byID := map[string]*Found{}
	whole, labelled := map[string]bool{}, map[string]bool{}
	for _, o := range objects {
		id, label, ok := ParseName(o.Name)
		if o.Partial {
			id, ok = partialID(o.Name)
		}
		if !ok {
			foreign = append(foreign, o.Name)
			continue
		}
		f := byID[id]
		if f == nil {
			f = &Found{ID: id}
			byID[id] = f
		}
		f.Names = append(f.Names, o.Name)
		switch {
		case o.Partial:
			if f.Modified.Before(o.Modified) && !whole[id] {
				f.Modified = o.Modified
			}
		case label:
			labelled[id] = true
		default:
			whole[id] = true
			f.Size, f.Modified = o.Size, o.Modified
		}
	}
	var reading errgroup.Group
	reading.SetLimit(parallel)
	for id, f := range byID {
		switch {
		case labelled[id] && !whole[id]:
			f.Problem = ErrMissing
		case !labelled[id]:
			f.Problem = ErrIncomplete
		}
		if labelled[id] {
			reading.Go(func() error { return f.read(ctx, s) })
		}
	}
	if err := reading.Wait(); err != nil {
		return nil, nil, err
	}
	for _, f := range byID {
		bundles = append(bundles, *f)
	}
	slices.SortFunc(bundles, func(a, b Found) int {
		if x, y := a.Label.TakenAt.IsZero(), b.Label.TakenAt.IsZero(); x != y {
			if x {
				return 1
			}
			return -1
		}
		if c := a.Label.TakenAt.Compare(b.Label.TakenAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return bundles, foreign, nil
}

// partialID finds the id in what a store calls a partial object: its name and something behind it.
func partialID(name string) (string, bool) {
	i := strings.LastIndex(name, Extension+".")
	if i < 0 {
		return "", false
	}
	return name[:i], CheckID(name[:i]) == nil
}

// read reads the label. An error is one of the store; what is wrong with the label is the bundle's problem.
func (f *Found) read(ctx context.Context, s store.Store) error {
	label, err := ReadLabel(ctx, s, f.ID)
	switch {
	case errors.Is(err, store.ErrNotExist):
		f.Problem = ErrIncomplete // removed since
	case errors.Is(err, ErrForeign), errors.Is(err, ErrFormat), errors.Is(err, ErrLabel):
		f.Problem = err
	case err != nil:
		return err
	case f.Problem != nil:
		f.Label = label
	default:
		f.Label = label
		f.Problem = compareSize(f.Size, label.StoredSize)
	}
	return nil
}

// ReadLabel reads the label of a bundle and checks that it is of that bundle.
func ReadLabel(ctx context.Context, s store.Store, id string) (Label, error) {
	if err := CheckID(id); err != nil {
		return Label{}, err
	}
	r, err := s.Get(ctx, LabelName(id))
	if err != nil {
		return Label{}, err
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, LabelLimit+1))
	if err != nil {
		return Label{}, err
	}
	label, err := ParseLabel(text)
	if err == nil && label.ID != id {
		err = fmt.Errorf("%w: it is of %s", ErrLabel, label.ID)
	}
	if err != nil {
		return Label{}, fmt.Errorf("%s: %w", LabelName(id), err)
	}
	return label, nil
}

// Remove removes a bundle from a store, its label first: what remains when this is interrupted looks incomplete.
func Remove(ctx context.Context, s store.Store, id string) error {
	if err := CheckID(id); err != nil {
		return err
	}
	if err := s.Remove(ctx, LabelName(id)); err != nil {
		return err
	}
	return s.Remove(ctx, Name(id))
}
