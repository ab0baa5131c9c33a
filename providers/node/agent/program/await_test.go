package program

import (
	"context"
	"errors"
	"testing"
)

// A process that cannot be killed is left, and the answer is that it did not come in time.
func TestAwaitLeavesWhatCannotBeKilled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	hangs := make(chan struct{})
	defer close(hangs)
	err := await(ctx, func() error {
		cancel()
		<-hangs
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	failed := errors.New("failed")
	if err := await(t.Context(), func() error { return failed }); !errors.Is(err, failed) {
		t.Error(err)
	}
}
