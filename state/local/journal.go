package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"upkeep/providers/bounded"
	"upkeep/state"
	"upkeep/state/durable"
	"upkeep/state/journal"
)

// journals is where the journals of this state's runs lie, with the documents of their plans beside them.
func (b *Backend) journals() string { return filepath.Join(filepath.Dir(b.path), "journal") }

// documentPath returns the file of a document.
func (b *Backend) documentPath(plan string, what state.Document) (string, error) {
	if err := journal.CheckPlanID(plan); err != nil {
		return "", err
	}
	switch what {
	case state.SavedPlan:
		return filepath.Join(b.journals(), plan+journal.PlanEnding), nil
	case state.Runbook:
		return filepath.Join(b.journals(), plan+journal.RunbookEnding), nil
	}
	return "", fmt.Errorf("there is no document %q of a plan", what)
}

// History implements state.Backend.
func (b *Backend) History(ctx context.Context, plan string) (journal.History, error) {
	if err := ctx.Err(); err != nil {
		return journal.History{}, err
	}
	return journal.Read(b.journals(), plan)
}

// Document implements state.Backend.
func (b *Backend) Document(ctx context.Context, plan string, what state.Document) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	path, err := b.documentPath(plan, what)
	if err != nil {
		return nil, err
	}
	data, err := bounded.File(path, bounded.Records)
	if err != nil {
		return nil, fmt.Errorf("read the %s of plan %s: %w", what, plan, err)
	}
	return data, nil
}

// Plans implements state.Backend.
func (b *Backend) Plans(ctx context.Context) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(b.journals())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the journals: %w", err)
	}
	var plans []string
	for _, entry := range entries {
		for _, ending := range []string{journal.RunbookEnding, journal.PlanEnding, journal.Ending} {
			if plan, ok := strings.CutSuffix(entry.Name(), ending); ok && entry.Type().IsRegular() && journal.CheckPlanID(plan) == nil {
				plans = append(plans, plan)
				break
			}
		}
	}
	slices.Sort(plans)
	return slices.Compact(plans), nil
}

// Journal implements state.Lock.
func (l *lock) Journal(ctx context.Context, plan string) (state.Journal, journal.History, error) {
	if err := l.Check(ctx); err != nil {
		return nil, journal.History{}, err
	}
	j, history, err := journal.Open(l.backend.journals(), plan, l.backend.options.Trace)
	if err != nil {
		return nil, journal.History{}, err
	}
	return j, history, nil
}

// Save implements state.Lock.
func (l *lock) Save(ctx context.Context, plan string, what state.Document, data []byte) error {
	path, err := l.backend.documentPath(plan, what)
	if err != nil {
		return err
	}
	if err := l.Check(ctx); err != nil {
		return err
	}
	if err := durable.MakeDirectory(l.backend.journals()); err != nil {
		return err
	}
	if err := durable.RemoveLeftovers(path); err != nil {
		return fmt.Errorf("save the %s of plan %s: %w", what, plan, err)
	}
	if err := durable.Replace(path, data, 0o600, l.backend.options.Trace.Under(string(what)+":")); err != nil {
		return fmt.Errorf("save the %s of plan %s: %w", what, plan, err)
	}
	return nil
}

// Prune implements state.Lock.
func (l *lock) Prune(ctx context.Context) ([]string, error) {
	if err := l.Check(ctx); err != nil {
		return nil, err
	}
	s := l.State()
	var keep []string
	for _, run := range s.Runs {
		keep = append(keep, run.PlanID)
	}
	for _, approval := range s.Memory.Approvals { // nobody has begun it yet, perhaps
		keep = append(keep, approval.Plan)
	}
	return journal.Prune(l.backend.journals(), s.Lineage, keep)
}
