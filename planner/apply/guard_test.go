package apply_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/providers"
	"upkeep/state/journal"
)

const lower, raise = "sim.guard@g1/lower", "sim.guard@g1/raise"

// liftedPlan is a bracketedPlan whose end takes the guard's label away again.
func liftedPlan(c *cluster) planner.Plan {
	plan := bracketedPlan(c)
	plan.Steps[len(plan.Steps)-1].Operation = "sim.unlabel"
	return plan
}

// relabel is somebody else's hand on the guard.
func (c *cluster) relabel(label string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.World.Node("g1")
	n.System.Hostname = label
	c.World = c.World.Clone()
	c.World.Nodes["g1"] = &n
}

// within is an operation that must not run while the guard is not lowered.
type within struct {
	t interface{ Errorf(string, ...any) }
	c *cluster
}

func (w within) Run(ctx context.Context, step providers.Step, progress providers.Progress) error {
	if got := w.c.World.Node("g1").System.Hostname; got != lower {
		w.t.Errorf("%s acts while the label of the guard is %q", step.ID, got)
	}
	return w.c.Run(ctx, step, progress)
}

func guarded(t interface{ Errorf(string, ...any) }, c *cluster, j apply.Journal, history journal.History) *apply.Executor {
	e := withUnlabel(c.executor(j, history), c)
	e.Operations["sim.renew"], e.Operations["sim.restart"] = within{t, c}, within{t, c}
	return e
}

// Somebody undoes a guard while what it guards is under way: it begins again, or nothing that it guards runs any more;
// and it is ended in every case.
func TestAGuardStillHolds(t *testing.T) {
	all := []string{"done", "done", "done", "done", "done", "done"}
	stuck := []string{"done", "done", "done", "refused", "blocked", "done"}
	for name, test := range map[string]struct {
		// ended is told of each step that has ended.
		ended  func(c *cluster, step string)
		sleeps func(c *cluster)
		first  string // the guard's label at first
		want   []string
		lowers int
		why    string // stands in the why of the fourth step, or of the first one that did not succeed
	}{
		"nobody touches it": {ended: func(*cluster, string) {}, want: all, lowers: 1},
		"undone once": {ended: func(c *cluster, step string) {
			if step == "sim.it@cp1/restart" {
				c.relabel("g1")
			}
		}, want: all, lowers: 2},
		"undone before each step": {ended: func(c *cluster, step string) {
			if strings.HasPrefix(step, "sim.it@") {
				c.relabel("g1")
			}
		}, want: []string{"done", "done", "done", "done", "done", "skipped"}, lowers: 4},
		"undone and done again by others": {ended: func(c *cluster, step string) {
			if step == "sim.it@cp1/restart" {
				c.relabel("g1")
				c.relabel(lower)
			}
		}, want: all, lowers: 1},
		"undone as soon as it is done": {ended: func(c *cluster, step string) {
			if step == lower {
				c.relabel("g1")
			}
		}, want: []string{"done", "refused", "blocked", "blocked", "blocked", "skipped"}, lowers: 2,
			why: `the guard "leases", which step sim.guard@g1/lower began, no longer holds: g1 is as before; upkeep began it again, and it was undone again`},
		"changed to what it cannot begin from": {ended: func(c *cluster, step string) {
			if step == "sim.it@cp1/restart" {
				c.relabel("hers")
			}
		}, want: stuck, lowers: 1,
			why: `the guard "leases", which step sim.guard@g1/lower began, no longer holds and cannot begin again: it is hers, and was g1`},
		"it cannot be seen": {ended: func(c *cluster, step string) {
			if step == "sim.it@cp1/restart" {
				c.faults[lower] = unknown
			}
		}, want: stuck, lowers: 1,
			why: `whether the guard "leases", which step sim.guard@g1/lower began, still holds cannot be told: g1: ssh: no answer`},
		"it cannot be seen for a moment": {ended: func(c *cluster, step string) {
			if step == "sim.it@cp1/restart" {
				c.faults[lower] = unknown
			}
		}, sleeps: func(c *cluster) { delete(c.faults, lower) }, want: all, lowers: 1},
		"undone, and it fails to begin again": {ended: func(c *cluster, step string) {
			if step == "sim.it@cp1/restart" {
				c.relabel("g1")
				c.faults[lower] = fails
			}
		}, want: []string{"failed", "done", "done", "blocked", "blocked", "skipped"}, lowers: 1, why: "exit status 1"},
		"already so at first, and undone": {first: lower, ended: func(c *cluster, step string) {
			if step == "sim.it@cp1/restart" {
				c.relabel("g1")
			}
		}, want: all, lowers: 1},
		"already so at first, and left so": {first: lower, ended: func(*cluster, string) {},
			want: []string{"skipped", "done", "done", "done", "done", "done"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster("cp1", "cp2", "g1")
			plan := liftedPlan(c)
			if test.first != "" {
				c.relabel(test.first)
			}
			j := &memoryJournal{dies: -1}
			e := guarded(t, c, j, journal.History{})
			e.Events = func(event apply.Event) {
				if s, ok := event.(apply.StepEnded); ok {
					test.ended(c, s.Step.ID)
				}
			}
			if test.sleeps != nil {
				c.sleeps = func() { test.sleeps(c) }
			}
			result, err := onTasks(e).Run(t.Context(), plan)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			why := ""
			for _, s := range result.Steps {
				got = append(got, string(s.Outcome))
				if why == "" && !s.Outcome.Succeeded() {
					why = s.Why
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" || !strings.Contains(why, test.why) {
				t.Errorf("(-want +got):\n%s\n%+v\nwant why %q", diff, result.Steps, test.why)
			}
			lowers := 0
			for _, id := range c.Acts {
				if id == lower {
					lowers++
				}
			}
			if lowers != test.lowers {
				t.Errorf("the guard was lowered %d times, want %d: %v", lowers, test.lowers, c.Acts)
			}
			if label := c.World.Node("g1").System.Hostname; label != "g1" && label != "hers" {
				t.Errorf("in the end the guard's label is %q", label)
			}
			checkJournal(t, plan, j.records, result)
		})
	}
}

// What a guard without an end did is not looked at again: a backup that was taken stays taken.
func TestAGuardWithoutAnEndIsNotLookedAtAgain(t *testing.T) {
	c := newCluster("cp1", "cp2", "g1")
	plan := liftedPlan(c)
	plan.Steps = plan.Steps[:len(plan.Steps)-1]
	plan.Brackets[0].End = nil
	e := c.executor(&memoryJournal{dies: -1}, journal.History{})
	e.Events = func(event apply.Event) {
		if s, ok := event.(apply.StepEnded); ok && s.Step.ID == "sim.it@cp1/restart" {
			c.relabel("g1")
		}
	}
	result, err := onTasks(e).Run(t.Context(), plan)
	if err != nil || result.Outcome != apply.Complete || c.looks[lower] != 2 {
		t.Errorf("%s, %v, %d looks: %+v", result.Outcome, err, c.looks[lower], result.Steps)
	}
}

// A graceful stop while a guard begins again starts nothing that it guards, and ends it.
func TestAStopWhileAGuardBeginsAgain(t *testing.T) {
	c := newCluster("cp1", "cp2", "g1")
	plan := liftedPlan(c)
	j := &memoryJournal{dies: -1}
	e := guarded(t, c, j, journal.History{})
	stop := make(chan struct{}, 2)
	e.Stop = stop
	lowered := 0
	e.Events = func(event apply.Event) {
		switch event := event.(type) {
		case apply.StepEnded:
			if event.Step.ID == "sim.it@cp1/renew" {
				c.relabel("g1")
			}
		case apply.StepStarted:
			if event.Step.ID == lower {
				if lowered++; lowered == 2 {
					stop <- struct{}{}
				}
			}
		}
	}
	result, err := onTasks(e).Run(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"sim.guard@g1/lower done", "cp1/renew done", "cp1/restart done", "cp2/renew pending", "cp2/restart pending", "sim.guard@g1/raise done"}
	if diff := cmp.Diff(want, outcomes(result)); diff != "" || c.World.Node("g1").System.Hostname != "g1" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Whatever record the machine dies at while somebody undoes the guard, in the run or before the next one: the next
// apply finishes the work, nothing guarded ever runs without the guard, and in the end the guard is ended.
func TestEveryJournalPrefixResumesWithItsGuard(t *testing.T) {
	undo := func(c *cluster, e *apply.Executor) {
		e.Events = func(event apply.Event) {
			if s, ok := event.(apply.StepEnded); ok && s.Step.ID == "sim.it@cp1/restart" {
				c.relabel("g1")
			}
		}
	}
	whole := &memoryJournal{dies: -1}
	c := newCluster("cp1", "cp2", "g1")
	e := guarded(t, c, whole, journal.History{})
	undo(c, e)
	if result, err := onTasks(e).Run(t.Context(), liftedPlan(c)); err != nil || result.Outcome != apply.Complete {
		t.Fatal(result, err)
	}
	for dies := range whole.records {
		for variant := range 4 {
			early, between := variant&1 > 0, variant&2 > 0
			t.Run(fmt.Sprint(dies, early, between), func(t *testing.T) {
				c := newCluster("cp1", "cp2", "g1")
				plan := liftedPlan(c)
				j := &memoryJournal{dies: dies, early: early}
				e := guarded(t, c, j, journal.History{})
				undo(c, e)
				if _, err := onTasks(e).Run(t.Context(), plan); !errors.Is(err, errDied) {
					t.Fatal(err)
				}
				if between {
					c.relabel("g1")
				}
				result, err := onTasks(guarded(t, c, &memoryJournal{dies: -1}, journal.HistoryOf(j.records...))).Run(t.Context(), plan)
				if err != nil || result.Outcome != apply.Complete {
					t.Errorf("%s, %v, %+v", result.Outcome, err, result.Steps)
				}
				if label := c.World.Node("g1").System.Hostname; label != "g1" {
					t.Errorf("in the end the guard's label is %q", label)
				}
				for _, id := range []string{"sim.it@cp1/renew", "sim.it@cp1/restart", "sim.it@cp2/renew", "sim.it@cp2/restart"} {
					if i := slices.Index(c.Acts, id); i < 0 || slices.Contains(c.Acts[i+1:], id) {
						t.Errorf("%s did not run once: %v", id, c.Acts)
					}
				}
			})
		}
	}
}

// A guard that a killed run left begun is ended by the next run of the plan, also where that begins nothing.
func TestAGuardThatAKilledRunBeganIsEnded(t *testing.T) {
	for name, faults := range map[string]map[string]fault{
		"its beginning cannot be seen": {lower: unknown},
		"nothing is left for it":       {"sim.it@cp1/renew": unknown},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster("cp1", "cp2", "g1")
			plan := liftedPlan(c)
			// The first step of the group goes before the guard, which is for the others.
			unguard(&plan)
			j := &memoryJournal{dies: 5} // run_started, then start and end of both
			if _, err := onTasks(withUnlabel(c.executor(j, journal.History{}), c)).Run(t.Context(), plan); !errors.Is(err, errDied) {
				t.Fatal(err)
			}
			if label := c.World.Node("g1").System.Hostname; label != lower {
				t.Fatalf("the killed run left the label %q", label)
			}
			c.faults = faults
			result, err := onTasks(guarded(t, c, &memoryJournal{dies: -1}, journal.HistoryOf(j.records...))).Run(t.Context(), plan)
			if err != nil || c.World.Node("g1").System.Hostname != "g1" {
				t.Errorf("the guard was not ended: %v, %+v", err, result.Steps)
			}
		})
	}
}

// changing is a block whose guard is needed while g1 is called "restless".
type moody struct{}

func (moody) Address() providers.Address                 { return guardAddress }
func (moody) Needs() (none providers.Needs)              { return none }
func (moody) Diff(providers.Input) (o providers.Outcome) { return o }
func (moody) Guards() map[string]providers.Guard {
	return map[string]providers.Guard{"leases": {Before: restless}}
}

func restless(in providers.Input, guarded []providers.Step) []providers.Step {
	n := in.World.Node("g1")
	if n.Unknown == "" && n.System.Hostname != "restless" || len(guarded) == 0 {
		return nil
	}
	begin := step("sim.label", "g1", "", "restless")
	begin.ID, begin.Why = lower, []string{"it is restless"}
	return []providers.Step{begin}
}

// A guard that was not needed when the plan was made is asked again before each step that would go within it.
func TestAGuardThatIsNeededByNow(t *testing.T) {
	all := []string{"cp1/renew done", "cp1/restart done", "cp2/renew done", "cp2/restart done"}
	for name, test := range map[string]struct {
		strikes func(c *cluster)
		sleeps  func(c *cluster)
		want    []string
		why     string
	}{
		"not needed all the time": {want: all, strikes: func(*cluster) {}},
		"needed by now": {strikes: func(c *cluster) { c.relabel("restless") },
			want: []string{"cp1/renew done", "cp1/restart done", "cp2/renew refused", "cp2/restart blocked"},
			why:  `the guard "leases" of sim.guard was not needed when the plan was made, and is needed now: it is restless; make a new plan`},
		"needed for a moment": {want: all, strikes: func(c *cluster) { c.relabel("restless") }, sleeps: func(c *cluster) { c.relabel("g1") }},
		"cannot be told": {want: all, strikes: func(c *cluster) {
			c.mu.Lock()
			defer c.mu.Unlock()
			n := c.World.Node("g1")
			n.Unknown = "ssh: no answer"
			c.World = c.World.Clone()
			c.World.Nodes["g1"] = &n
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster("cp1", "cp2", "g1")
			plan := planFor(c, []string{"cp1", "cp2"}, nil)
			dormant := providers.Bracket{Guard: "leases", Of: guardAddress}
			for i := range plan.Steps {
				plan.Steps[i].Guards = []providers.Need{{Name: "leases", Optional: true}}
				dormant.Guarded = append(dormant.Guarded, plan.Steps[i].ID)
			}
			plan.Brackets = []providers.Bracket{dormant}
			plan.Request.Desired.Resources = []config.Declared{{Type: "sim", Name: "guard", Value: moody{}}}
			e := c.executor(&memoryJournal{dies: -1}, journal.History{})
			e.Events = func(event apply.Event) {
				if s, ok := event.(apply.StepEnded); ok && s.Step.ID == "sim.it@cp1/restart" {
					test.strikes(c)
				}
			}
			if test.sleeps != nil {
				c.sleeps = func() { test.sleeps(c) }
			}
			result, err := onTasks(e).Run(t.Context(), plan)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, outcomes(result)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if test.why != "" && result.Steps[2].Why != test.why {
				t.Errorf("it says %q", result.Steps[2].Why)
			}
		})
	}
}

// tidy is a block whose guard is a condition: the label of g1 is its name.
type tidy struct{ moody }

func (tidy) Guards() map[string]providers.Guard {
	return map[string]providers.Guard{"tidy": {Holds: func(in providers.Input, step providers.Step) providers.Readiness {
		switch label := in.World.Node("g1").System.Hostname; label {
		case "g1":
			return providers.Readiness{State: providers.Holds}
		case "settled":
			return providers.Readiness{State: providers.Done}
		case "gone":
			return providers.Readiness{State: providers.Moved, Why: "g1 is gone"}
		default:
			return providers.Readiness{State: providers.Unknown, Why: "g1 is " + label + " before " + step.ID}
		}
	}}}
}

// A guard that is a condition is asked before each step that it guards. What cannot be told is refused.
func TestAGuardThatIsACondition(t *testing.T) {
	all := []string{"cp1/renew done", "cp1/restart done", "cp2/renew done", "cp2/restart done"}
	stuck := []string{"cp1/renew done", "cp1/restart done", "cp2/renew refused", "cp2/restart blocked"}
	for name, test := range map[string]struct {
		label   string
		unknown bool // the block is none that provides the guard
		sleeps  func(c *cluster)
		want    []string
		why     string
	}{
		"it holds":                 {label: "g1", want: all},
		"it is so for good":        {label: "settled", want: all},
		"it holds again":           {label: "untidy", want: all, sleeps: func(c *cluster) { c.relabel("g1") }},
		"it does not hold":         {label: "untidy", want: stuck, why: `the guard "tidy" of sim.guard does not hold: g1 is untidy before sim.it@cp2/renew`},
		"it will never hold again": {label: "gone", want: stuck, why: `the guard "tidy" of sim.guard does not hold: g1 is gone`},
		"nobody can be asked": {label: "g1", unknown: true, want: []string{"cp1/renew refused", "cp1/restart blocked", "cp2/renew blocked", "cp2/restart blocked"},
			why: `the guard "tidy" of sim.guard does not hold: no block of the plan can be asked for it; make a new plan`},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster("cp1", "cp2", "g1")
			plan := planFor(c, []string{"cp1", "cp2"}, nil)
			bracket := providers.Bracket{Guard: "tidy", Of: guardAddress, Condition: true}
			for _, s := range plan.Steps {
				bracket.Guarded = append(bracket.Guarded, s.ID)
			}
			plan.Brackets = []providers.Bracket{bracket}
			plan.Request.Desired.Resources = []config.Declared{{Type: "sim", Name: "guard", Value: tidy{}}}
			if test.unknown {
				plan.Request.Desired.Resources[0].Value = moody{}
			}
			e := c.executor(&memoryJournal{dies: -1}, journal.History{})
			e.Events = func(event apply.Event) {
				if s, ok := event.(apply.StepEnded); ok && s.Step.ID == "sim.it@cp1/restart" {
					c.relabel(test.label)
				}
			}
			if test.sleeps != nil {
				c.sleeps = func() { test.sleeps(c) }
			}
			result, err := onTasks(e).Run(t.Context(), plan)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, outcomes(result)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			refused := slices.IndexFunc(result.Steps, func(s apply.StepResult) bool { return s.Outcome == apply.Refused })
			if (refused < 0) != (test.why == "") || refused >= 0 && result.Steps[refused].Why != test.why {
				t.Errorf("%+v; want why %q", result.Steps, test.why)
			}
		})
	}
}
