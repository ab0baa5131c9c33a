package apply_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/tasks"
	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/providers"
	"upkeep/state/journal"
)

// twoNodes renews and restarts a control plane and a worker side by side, each in a lane of its own, within one guard.
func twoNodes(c *cluster) planner.Plan {
	plan := planFor(c, nil, nil)
	for node, lane := range map[string]providers.Lane{
		"cp1": {Name: providers.ControlPlaneLane, Width: 1, Strict: true},
		"w1":  {Name: "fleet", Width: 3, Failures: 1, Selection: []string{"w1"}},
	} {
		renew := step("sim.renew", node, "", "OLD-"+node)
		restart := step("sim.restart", node, "", "container-"+node, renew.ID)
		renew.Lanes, restart.Lanes = append(renew.Lanes, lane), append(restart.Lanes, lane)
		plan.Steps = append(plan.Steps, renew, restart)
	}
	slices.SortFunc(plan.Steps, func(a, b providers.Step) int { return strings.Compare(a.ID, b.ID) })
	plan = surrounded(plan)
	plan.Steps[len(plan.Steps)-1].Operation = "sim.unlabel"
	return plan
}

// crossing is a boundary of one node, and how often it is crossed by then: a step is looked at more than once.
type crossing struct {
	boundary string // STEP/BOUNDARY
	times    int
}

func (c crossing) String() string {
	if c.times == 1 {
		return c.boundary
	}
	return fmt.Sprint(c.boundary, " ", c.times)
}

// boundaries sees every boundary that a run crosses. The first task that comes to one of two crossings stands still there;
// the one that comes to the other ends the process, and so all of its tasks.
type boundaries struct {
	*cluster
	journal *memoryJournal
	tasks   *tasks.Set
	// crossed are the crossings of the two nodes, in order.
	crossed []crossing
	times   map[string]int
	// kill are the two crossings; none: nobody is killed. there says which of them was reached.
	kill  []crossing
	there map[crossing]bool
	// sabotage breaks an executor; nil: it is left whole.
	sabotage func(*apply.Executor)
	// changing are the steps whose operation has begun and has not made its change.
	changing map[string]providers.Step
}

// died is what a process carries to its end.
type died struct{}

func (b *boundaries) at(boundary string) {
	if strings.Contains(boundary, "@g1/") {
		return // the guard's
	}
	b.times[boundary]++
	now := crossing{boundary, b.times[boundary]}
	b.crossed = append(b.crossed, now)
	if !slices.Contains(b.kill, now) {
		return
	}
	if b.there[now] = true; len(b.there) == len(b.kill) {
		panic(died{})
	}
	b.tasks.Wait(24 * time.Hour) // whoever comes to the other crossing comes sooner, or never
}

// Run is every operation: it takes a while, so that the two nodes are under way at once.
func (b *boundaries) Run(ctx context.Context, step providers.Step, progress providers.Progress) error {
	b.at(step.ID + "/begun")
	b.changing[step.ID] = step
	if err := b.tasks.Sleep(ctx, aMinute(step)); err != nil {
		return err
	}
	if err := b.cluster.Run(ctx, step, progress); err != nil {
		return err
	}
	delete(b.changing, step.ID)
	b.at(step.ID + "/changed")
	return nil
}

// Append is that of the journal. A record is on the disk before its writer is told so.
func (b *boundaries) Append(records ...journal.Record) error {
	cross := func(when string) {
		for _, r := range records {
			if r.Step != "" {
				b.at(r.Step + "/" + string(r.Kind) + " " + when)
			}
		}
	}
	cross("unwritten")
	err := b.journal.Append(records...)
	cross("written")
	return err
}

func (b *boundaries) look(ctx context.Context, steps ...providers.Step) (providers.Input, error) {
	b.at(steps[0].ID + "/looking")
	input, err := b.cluster.observe(ctx, steps...)
	b.at(steps[0].ID + "/looked")
	return input, err
}

// run applies the plan until it ends or dies at two crossings.
func (b *boundaries) run(t *testing.T, plan planner.Plan, history journal.History, kill ...crossing) (result apply.Result, killed bool) {
	t.Helper()
	b.crossed, b.times, b.kill, b.there = nil, map[string]int{}, kill, map[crossing]bool{}
	b.changing = map[string]providers.Step{}
	e := withUnlabel(b.cluster.executor(b, history), b.cluster)
	b.tasks = e.Tasks.(*tasks.Set)
	e.Observe, e.Trace = b.look, b.at
	for _, operation := range []string{"sim.renew", "sim.restart"} {
		e.Operations[operation] = b
	}
	if b.sabotage != nil {
		b.sabotage(e)
	}
	defer func() {
		if r := recover(); r == any(died{}) {
			killed = true
		} else if r != nil {
			panic(r)
		}
	}()
	result, err := onTasks(e).Run(t.Context(), plan)
	if err != nil {
		t.Errorf("%v: %+v", err, result.Steps)
	}
	return result, false
}

func newBoundaries() (*boundaries, planner.Plan) {
	c := newCluster("g1", "cp1", "w1")
	return &boundaries{cluster: c, journal: &memoryJournal{dies: -1}}, twoNodes(c)
}

// done says what is not as it must be when a plan was applied, however often that was cut short: each step was done once,
// the guard is ended, and the journal knows the beginning and the end of everything.
func (b *boundaries) done(plan planner.Plan, result apply.Result) (wrong []string) {
	if result.Outcome != apply.Complete {
		wrong = append(wrong, fmt.Sprintf("it is %s: %v", result.Outcome, outcomes(result)))
	}
	history := journal.HistoryOf(b.journal.records...)
	if open := history.InProgress(); len(open) > 0 {
		wrong = append(wrong, fmt.Sprintf("the journal has no end of %v", open))
	}
	for _, step := range plan.Steps {
		acts, starts := 0, 0
		for _, id := range b.Acts {
			if id == step.ID {
				acts++
			}
		}
		for _, r := range b.journal.records {
			if r.Step == step.ID && r.Kind == journal.StepStarted {
				starts++
			}
		}
		if acts != 1 && step.Operation != "sim.unlabel" {
			wrong = append(wrong, fmt.Sprintf("%s was done %d times", step.ID, acts))
		}
		if starts == 0 {
			wrong = append(wrong, fmt.Sprintf("the journal has no start of %s", step.ID))
		}
		if last, _ := history.Last(step.ID); last.Kind != journal.StepDone && last.Kind != journal.StepSkipped {
			wrong = append(wrong, fmt.Sprintf("the journal's last word on %s is %s", step.ID, last.Kind))
		}
	}
	if label := b.World.Node("g1").System.Hostname; label != "g1" {
		wrong = append(wrong, fmt.Sprintf("the guard's label is %q", label))
	}
	if last := b.journal.records[len(b.journal.records)-1]; last.Kind != journal.RunEnded || last.Outcome != string(apply.Complete) {
		wrong = append(wrong, fmt.Sprintf("the journal ends with %+v", last))
	}
	return wrong
}

// Two steps run at once, and upkeep is killed when the one has come to any boundary and the other to any other: each pair once,
// with helpers that die with it and with helpers that finish what they had begun. The next apply finishes the work; nothing is
// done twice, the guard ends, and the journal is complete.
func TestKillAtEveryPairOfBoundaries(t *testing.T) {
	unharmed, plan := newBoundaries()
	result, _ := unharmed.run(t, plan, journal.History{})
	if wrong := unharmed.done(plan, result); wrong != nil {
		t.Fatalf("nobody was killed: %v", wrong)
	}
	of := func(node string) (list []crossing) {
		for _, c := range unharmed.crossed {
			if strings.Contains(c.boundary, "@"+node+"/") {
				list = append(list, c)
			}
		}
		return list
	}
	ones, others := of("cp1"), of("w1")
	want := []string{"looking", "looked", "step_started unwritten", "step_started written", "acting", "begun", "changed", "acted", "proved",
		"step_done unwritten", "step_done written"}
	for _, list := range [][]crossing{ones, others} {
		for _, verb := range []string{"renew", "restart"} {
			var got []string
			for _, c := range list {
				if name, ok := strings.CutPrefix(c.boundary[strings.Index(c.boundary, "/")+1:], verb+"/"); ok && c.times == 1 {
					got = append(got, name)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("boundaries of %s (-want +got):\n%s", verb, diff)
			}
		}
	}
	for _, one := range ones {
		t.Run(one.String(), func(t *testing.T) {
			for _, other := range others {
				for _, lives := range []bool{false, true} {
					b, plan := newBoundaries()
					if _, killed := b.run(t, plan, journal.History{}, one, other); !killed {
						t.Fatalf("it did not come to %s as well: %v", other, b.crossed)
					}
					if lives {
						for _, id := range slices.Sorted(maps.Keys(b.changing)) {
							b.change(b.changing[id])
						}
					}
					result, _ := b.run(t, plan, journal.HistoryOf(b.journal.records...))
					for _, wrong := range b.done(plan, result) {
						t.Errorf("and %s, the helpers live on: %t: %s", other, lives, wrong)
					}
				}
			}
		})
	}
}

// holds is an effect that never sees that its step was done, unless it is asked for a proof.
type holds struct{ effect }

func (holds) Ready(providers.Input, providers.Step) providers.Readiness {
	return providers.Readiness{State: providers.Holds, Why: "as planned"}
}

// What the pairs are walked for is noticed where it is broken.
func TestAPairShowsWhatIsBroken(t *testing.T) {
	const renewCP, renewW = "sim.it@cp1/renew", "sim.it@w1/renew"
	for name, test := range map[string]struct {
		at       [2]string
		sabotage func(*apply.Executor)
		want     string
	}{
		"what was done is not seen": {[2]string{renewCP + "/changed", renewW + "/begun"}, func(e *apply.Executor) {
			e.Effects["sim.renew"] = holds{effect{"sim.renew"}}
		}, renewCP + " was done 2 times"},
		"the guard is not ended": {[2]string{renewCP + "/changed", renewW + "/changed"}, func(e *apply.Executor) {
			e.Operations["sim.unlabel"] = operation(func(context.Context, providers.Step, providers.Progress) error { return nil })
		}, `the guard's label is "sim.it@g1/begin"`},
		"starts are not recorded": {[2]string{renewCP + "/acting", renewW + "/acting"}, func(e *apply.Executor) {
			e.Journal = withoutStarts{e.Journal}
		}, "the journal has no start of " + renewCP},
	} {
		t.Run(name, func(t *testing.T) {
			b, plan := newBoundaries()
			b.sabotage = test.sabotage
			if _, killed := b.run(t, plan, journal.History{}, crossing{test.at[0], 1}, crossing{test.at[1], 1}); !killed {
				t.Fatal("it was not killed")
			}
			result, _ := b.run(t, plan, journal.HistoryOf(b.journal.records...))
			if wrong := b.done(plan, result); !slices.Contains(wrong, test.want) {
				t.Errorf("%q, want %q among it", wrong, test.want)
			}
		})
	}
}

// withoutStarts is a journal that loses the starts of steps.
type withoutStarts struct{ apply.Journal }

func (j withoutStarts) Append(records ...journal.Record) error {
	return j.Journal.Append(slices.DeleteFunc(slices.Clone(records), func(r journal.Record) bool { return r.Kind == journal.StepStarted })...)
}
