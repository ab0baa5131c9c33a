package wiring_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"upkeep/cmd/upkeep/wiring"
	"upkeep/providers"
)

// counted counts how often it ran.
type counted struct{ runs *int }

func (o counted) Run(context.Context, providers.Step, providers.Progress) error {
	*o.runs++
	return nil
}

// Work on a release begins only while the run still holds its locks.
func TestReleasesAskForTheLocks(t *testing.T) {
	runs, lost := 0, error(nil)
	all := wiring.Fenced(map[string]providers.Operation{"a.do": counted{&runs}}, func(context.Context) error { return lost })
	if err := all["a.do"].Run(t.Context(), providers.Step{}, nil); err != nil || runs != 1 {
		t.Errorf("with its locks: %v, %d runs", err, runs)
	}
	lost = errors.New("somebody took it")
	if err := all["a.do"].Run(t.Context(), providers.Step{}, nil); err == nil || !strings.Contains(err.Error(), "somebody took it") || runs != 1 {
		t.Errorf("without its locks: %v, %d runs", err, runs)
	}
}
