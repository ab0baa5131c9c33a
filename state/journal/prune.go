package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gofrs/flock"

	"upkeep/state/durable"
)

// The endings of the files that belong to one plan: its journal, and next to it the plan and the runbook.
const (
	Ending        = ".jsonl"
	PlanEnding    = ".plan"
	RunbookEnding = ".runbook.md"
)

// Prune removes the journals of a state that are not among those to keep, with the files next to them, and returns the
// ids of their plans, sorted. Only journals are removed that say that they are of this lineage: states in one directory
// share it. A journal that cannot be read, or that another process has open, stays.
//
// The caller holds the state's lock. Keep must name the last run: a journal is what tells what it had begun.
func Prune(directory, lineage string, keep []string) (removed []string, err error) {
	entries, err := os.ReadDir(directory)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("prune journals: %w", err)
	}
	if lineage == "" || len(keep) == 0 {
		return nil, nil // not known what is last
	}
	for _, entry := range entries {
		plan, ok := strings.CutSuffix(entry.Name(), Ending)
		if !ok || !entry.Type().IsRegular() || CheckPlanID(plan) != nil || slices.Contains(keep, plan) {
			continue
		}
		h, err := Read(directory, plan)
		if err != nil || !h.Started() || h.First().Lineage != lineage {
			continue
		}
		gone, err := remove(directory, plan)
		if err != nil {
			return removed, fmt.Errorf("prune journals: %w", err)
		}
		if gone {
			removed = append(removed, plan)
		}
	}
	if len(removed) == 0 {
		return nil, nil
	}
	return removed, durable.SyncDirectory(directory)
}

// remove deletes what belongs to a plan, the journal last: while it is there, the rest is found again.
func remove(directory, plan string) (bool, error) {
	path := pathOf(directory, plan)
	guard := flock.New(path)
	if free, err := guard.TryLock(); err != nil || !free {
		return false, err
	}
	defer guard.Close()
	for _, name := range []string{plan + PlanEnding, plan + RunbookEnding, plan + Ending} {
		if err := os.Remove(filepath.Join(directory, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
	}
	return true, nil
}
