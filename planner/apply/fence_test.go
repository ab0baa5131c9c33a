package apply_test

import (
	"context"
	"errors"
	"testing"

	"upkeep/planner/apply"
	"upkeep/state/journal"
)

// lostError is how a fence says that another run has the locks.
type lostError struct{}

func (lostError) Error() string { return "somebody took it" }
func (lostError) Lost() bool    { return true }

// A run whose fence falls changes nothing more, and says why.
func TestAFallenFenceEndsTheRun(t *testing.T) {
	for _, acts := range []int{0, 1, 3} {
		c := newCluster("cp1", "cp2", "w1")
		plan := planFor(c, []string{"cp1", "cp2"}, []string{"w1"})
		j := &memoryJournal{dies: -1}
		e := c.executor(j, journal.History{})
		asked := 0
		e.Fence = func(context.Context) error {
			if asked++; asked > acts+1 { // it is asked once before the run begins
				return lostError{}
			}
			return nil
		}
		result, err := onTasks(e).Run(t.Context(), plan)
		if !errors.As(err, &lostError{}) || len(c.Acts) != acts || result.Count(apply.Pending) != len(plan.Steps)-acts || result.Outcome != apply.Interrupted {
			t.Errorf("falling after %d acts: %v; acts %v; %s, %v", acts, err, c.Acts, result.Outcome, outcomes(result))
		}
		if last := j.records[len(j.records)-1]; last.Kind == journal.StepStarted || last.Kind == journal.RunEnded {
			t.Errorf("a run without its locks wrote %+v", last)
		}
	}
}
