package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/gofrs/flock"

	"upkeep/providers/bounded"
	"upkeep/state/durable"
	"upkeep/state/seen"
)

// seenWait bounds the wait for the lock of what was seen, which others hold for one write.
const seenWait = 10 * time.Second

func (b *Backend) seenPath() string { return b.path + ".seen" }

// Seen implements state.Backend. It needs no lock: the file is replaced in one step.
func (b *Backend) Seen(ctx context.Context) (seen.Seen, error) {
	if err := ctx.Err(); err != nil {
		return seen.Seen{}, err
	}
	data, err := bounded.File(b.seenPath(), bounded.Records)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return seen.Seen{}, nil
	case err != nil:
		return seen.Seen{}, fmt.Errorf("read what was seen: %w", err)
	}
	s, err := seen.Decode(data)
	var refused *seen.Error
	if errors.As(err, &refused) {
		refused.Where = b.seenPath()
	}
	return s, err
}

// UpdateSeen implements state.Backend. Its lock is a flock(2) of its own: no lock of a run is waited for.
func (b *Backend) UpdateSeen(ctx context.Context, change func(seen.Seen) seen.Seen) (seen.Seen, error) {
	if err := b.makeDirectory(); err != nil {
		return seen.Seen{}, fmt.Errorf("create the state's directory: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, seenWait)
	defer cancel()
	guard := flock.New(b.seenPath()+".lock", flock.SetPermissions(0o600))
	if _, err := guard.TryLockContext(ctx, 3*time.Millisecond); err != nil {
		return seen.Seen{}, fmt.Errorf("lock %s: %w", b.seenPath(), err)
	}
	defer guard.Close()
	before, err := b.Seen(ctx)
	if err != nil {
		return seen.Seen{}, err
	}
	was, err := seen.Encode(before)
	if err != nil {
		return seen.Seen{}, err
	}
	after := change(before)
	data, err := seen.Encode(after)
	if err != nil || string(data) == string(was) {
		return after, err
	}
	if err := durable.RemoveLeftovers(b.seenPath()); err != nil {
		return seen.Seen{}, fmt.Errorf("clean up next to %s: %w", b.seenPath(), err)
	}
	if err := durable.Replace(b.seenPath(), data, 0o600, b.options.Trace.Under("seen:")); err != nil {
		return seen.Seen{}, err
	}
	return after, nil
}
