package apply_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/providers"
	"upkeep/state/journal"
)

// guardAddress is the block that provides the guards of these plans.
var guardAddress = providers.Address{Type: "sim", Name: "guard"}

// unguard takes a step out of the bracket of a plan, and puts it before its beginning.
func unguard(plan *planner.Plan) (first providers.Step) {
	plan.Steps[1].Guards = nil
	plan.Steps[0], plan.Steps[1] = plan.Steps[1], plan.Steps[0]
	first = plan.Steps[0]
	b := &plan.Brackets[0]
	b.Guarded = slices.DeleteFunc(b.Guarded, func(id string) bool { return id == first.ID })
	return first
}

// bracketedPlan lowers a guard on g1 (its label), renews and restarts the control planes, and raises the guard again.
func bracketedPlan(c *cluster) planner.Plan {
	plan := planFor(c, []string{"cp1", "cp2"}, nil)
	begin := step("sim.label", "g1", "", "g1")
	begin.ID = "sim.guard@g1/lower"
	end := step("sim.label", "g1", "", begin.ID)
	end.ID, end.After = "sim.guard@g1/raise", nil
	bracket := providers.Bracket{Guard: "leases", Of: guardAddress, Begin: []string{begin.ID}, End: []string{end.ID}}
	for i := range plan.Steps {
		plan.Steps[i].Guards = []providers.Need{{Name: "leases"}}
		bracket.Guarded = append(bracket.Guarded, plan.Steps[i].ID)
	}
	plan.Brackets = []providers.Bracket{bracket}
	plan.Steps = append(append([]providers.Step{begin}, plan.Steps...), end)
	return plan
}

// TestAGuardWithNothingLeftIsNotBegun: what a guard interrupts is not interrupted for steps that cannot run any more.
func TestAGuardWithNothingLeftIsNotBegun(t *testing.T) {
	for name, test := range map[string]struct {
		fault fault
		want  []string
	}{
		"the step before it fails":     {fails, []string{"failed", "blocked", "blocked", "blocked", "blocked", "blocked"}},
		"the step before it goes well": {"", []string{"done", "done", "done", "done", "done", "done"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster("cp1", "cp2", "g1")
			plan := bracketedPlan(c)
			// The first step of the group goes before the guard, which is for the others.
			c.faults = map[string]fault{unguard(&plan).ID: test.fault}
			e := c.executor(&memoryJournal{dies: -1}, journal.History{})
			result, err := onTasks(e).Run(t.Context(), plan)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range result.Steps {
				got = append(got, string(s.Outcome))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s\n%+v", diff, result.Steps)
			}
		})
	}
}

func TestAGuardThatWasBegunIsEnded(t *testing.T) {
	const lower, raise = "sim.guard@g1/lower", "sim.guard@g1/raise"
	for name, test := range map[string]struct {
		faults map[string]fault
		stop   string // close Stop when this step acts
		want   []string
	}{
		"all goes well":                           {nil, "", []string{"done", "done", "done", "done", "done", "done"}},
		"a guarded step fails":                    {map[string]fault{"sim.it@cp1/renew": fails}, "", []string{"done", "failed", "blocked", "blocked", "blocked", "done"}},
		"a guarded node is gone":                  {map[string]fault{"sim.it@cp2/renew": unknown}, "", []string{"done", "done", "done", "refused", "blocked", "done"}},
		"the beginning took effect, and said no":  {map[string]fault{lower: halfway}, "", []string{"failed", "blocked", "blocked", "blocked", "blocked", "done"}},
		"the beginning was refused":               {map[string]fault{lower: unknown}, "", []string{"refused", "blocked", "blocked", "blocked", "blocked", "blocked"}},
		"a graceful stop":                         {nil, "sim.it@cp1/renew", []string{"done", "done", "done", "pending", "pending", "done"}},
		"a graceful stop before the guard begins": {nil, "before", []string{"pending", "pending", "pending", "pending", "pending", "pending"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster("cp1", "cp2", "g1")
			plan := bracketedPlan(c)
			if test.faults != nil {
				c.faults = test.faults
			}
			e := c.executor(&memoryJournal{dies: -1}, journal.History{})
			stop := make(chan struct{}, 2)
			e.Stop = stop
			if test.stop == "before" {
				stop <- struct{}{}
			}
			e.Events = func(event apply.Event) {
				if s, ok := event.(apply.StepStarted); ok && s.Step.ID == test.stop {
					stop <- struct{}{}
				}
			}
			result, err := onTasks(e).Run(t.Context(), plan)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range result.Steps {
				got = append(got, string(s.Outcome))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s\n%+v", diff, result.Steps)
			}
			if began, ended := slices.Contains(c.Acts, lower), slices.Contains(c.Acts, raise); began != ended {
				t.Errorf("the guard was begun: %v, and ended: %v", began, ended)
			}
		})
	}
}

// Locks that are gone stop everything, the end of a guard too: another run may be at work, and its first steps restore.
func TestALostLockDoesNotEndGuards(t *testing.T) {
	c := newCluster("cp1", "cp2", "g1")
	plan := bracketedPlan(c)
	ctx, cancel := context.WithCancelCause(t.Context())
	e := c.executor(&memoryJournal{dies: -1}, journal.History{})
	e.Events = func(event apply.Event) {
		if s, ok := event.(apply.StepStarted); ok && s.Step.ID == "sim.it@cp1/renew" {
			cancel(lostError{})
		}
	}
	if _, err := onTasks(e).Run(ctx, plan); !errors.As(err, &lostError{}) || slices.Contains(c.Acts, "sim.guard@g1/raise") {
		t.Errorf("%v; acts %v", err, c.Acts)
	}
}

// A plan that goes on after its guard was ended begins the guard again, although its journal says that this was done.
func TestAGuardBeginsAgainWhenItsPlanGoesOn(t *testing.T) {
	c := newCluster("cp1", "cp2", "g1")
	plan := bracketedPlan(c)
	// The guard's label is what it was before, once it is raised again.
	last := &plan.Steps[len(plan.Steps)-1]
	last.Operation = "sim.unlabel"
	first := &memoryJournal{dies: -1}
	c.faults["sim.it@cp1/restart"] = fails
	e := withUnlabel(c.executor(first, journal.History{}), c)
	if _, err := onTasks(e).Run(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	c.faults, c.Acts = map[string]fault{}, nil
	e = withUnlabel(c.executor(&memoryJournal{dies: -1}, journal.HistoryOf(first.records...)), c)
	result, err := onTasks(e).Run(t.Context(), plan)
	if err != nil || result.Outcome != apply.Complete {
		t.Fatalf("%s, %v, %+v", result.Outcome, err, result.Steps)
	}
	want := []string{"sim.guard@g1/lower", "sim.it@cp1/restart", "sim.it@cp2/renew", "sim.it@cp2/restart"}
	if diff := cmp.Diff(want, c.Acts); diff != "" {
		t.Errorf("acts of the second run (-want +got):\n%s", diff)
	}
	if got := c.World.Node("g1").System.Hostname; got != "g1" {
		t.Errorf("in the end the guard's label is %q", got)
	}
}

// unlabel gives a node its own name as its label again.
type unlabel struct{ effect }

func withUnlabel(e *apply.Executor, c *cluster) *apply.Executor {
	e.Effects["sim.unlabel"], e.Operations["sim.unlabel"] = unlabel{}, unlabelOperation{c}
	return e
}

func (unlabel) Ready(in providers.Input, step providers.Step) providers.Readiness {
	if in.World.Node(step.Node).System.Hostname == step.Node {
		return providers.Readiness{State: providers.Done, Why: "already so"}
	}
	return providers.Readiness{State: providers.Holds}
}

func (unlabel) Proved(_, after providers.Input, step providers.Step) error {
	if after.World.Node(step.Node).System.Hostname != step.Node {
		return errors.New("it is still labelled")
	}
	return nil
}

type unlabelOperation struct{ cluster *cluster }

func (o unlabelOperation) Run(_ context.Context, step providers.Step, _ providers.Progress) error {
	o.cluster.mu.Lock()
	defer o.cluster.mu.Unlock()
	n := o.cluster.World.Node(step.Node)
	n.System.Hostname = step.Node
	o.cluster.World = o.cluster.World.Clone()
	o.cluster.World.Nodes[step.Node] = &n
	return nil
}
