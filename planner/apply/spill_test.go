package apply_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"upkeep/planner/apply"
	"upkeep/state/journal"
)

// spilling is a journal that takes no more after some records, and then keeps them elsewhere, as package spill does.
type spilling struct {
	memoryJournal
	spilled []journal.Record
	told    bool
	// full: what is spilled is not kept either.
	full bool
}

func (s *spilling) Append(records ...journal.Record) error {
	if !s.told {
		err := s.memoryJournal.Append(records...)
		if err == nil {
			return nil
		}
		s.told = true
		records = slices.DeleteFunc(records, func(r journal.Record) bool { return r.Kind == journal.RunStarted || r.Kind == journal.StepStarted })
		s.spilled = append(s.spilled, records...)
		return s.error(err)
	}
	if s.full {
		return s.error(errDied)
	}
	s.spilled = append(s.spilled, records...)
	return nil
}

func (s *spilling) error(cause error) error {
	e := &journal.SpilledError{Cause: cause, Path: "spill"}
	if s.full {
		e.Lost = errors.New("no space left on device")
	}
	return e
}

// Whatever record the journal does not take: nothing more starts, a guard that was begun is ended all the same, what
// was done since is kept, and the next apply finishes the work and acts on nothing twice.
func TestAJournalThatTakesNoMore(t *testing.T) {
	c := newCluster("cp1", "cp2", "g1")
	whole := &memoryJournal{dies: -1}
	if _, err := onTasks(guarded(t, c, whole, journal.History{})).Run(t.Context(), liftedPlan(c)); err != nil {
		t.Fatal(err)
	}
	for dies := range whole.records {
		for _, full := range []bool{false, true} {
			t.Run(fmt.Sprint(dies, full), func(t *testing.T) {
				c := newCluster("cp1", "cp2", "g1")
				plan := liftedPlan(c)
				j := &spilling{memoryJournal: memoryJournal{dies: dies}, full: full}
				result, err := onTasks(guarded(t, c, j, journal.History{})).Run(t.Context(), plan)
				var spilled *journal.SpilledError
				if !errors.As(err, &spilled) {
					t.Fatalf("the run ended with %v", err)
				}
				acts := map[string]bool{}
				for _, r := range j.records {
					acts[r.Step] = true
				}
				for _, act := range c.Acts {
					if !acts[act] && act != raise {
						t.Errorf("%s was started after the journal took no more: %v", act, c.Acts)
					}
				}
				if label := c.World.Node("g1").System.Hostname; !full && label != "g1" {
					t.Errorf("the guard was begun and not ended: its label is %q; %+v", label, result.Steps)
				}
				if full && !acts[raise] && slices.Contains(c.Acts, raise) {
					t.Error("a step acted whose start is recorded nowhere")
				}
				before := slices.Clone(c.Acts)
				history := journal.HistoryOf(append(slices.Clone(j.records), j.spilled...)...)
				result, err = onTasks(guarded(t, c, &memoryJournal{dies: -1}, history)).Run(t.Context(), plan)
				if err != nil || result.Outcome != apply.Complete {
					t.Errorf("the next apply: %s, %v, %+v", result.Outcome, err, result.Steps)
				}
				if label := c.World.Node("g1").System.Hostname; label != "g1" {
					t.Errorf("in the end the guard's label is %q", label)
				}
				for _, id := range []string{"sim.it@cp1/renew", "sim.it@cp1/restart", "sim.it@cp2/renew", "sim.it@cp2/restart"} {
					if i := slices.Index(c.Acts, id); i < 0 || slices.Contains(c.Acts[i+1:], id) {
						t.Errorf("%s did not run once: %v, before %v", id, c.Acts, before)
					}
				}
			})
		}
	}
}
