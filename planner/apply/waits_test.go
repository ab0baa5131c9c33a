package apply_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/providers"
	"upkeep/state/journal"
	"upkeep/state/seen"
)

// tenanted is a label that waits for tenants of its node until a time.
type tenanted struct {
	effect
	cluster *cluster
	until   time.Time
}

func (e tenanted) Ready(in providers.Input, step providers.Step) providers.Readiness {
	if e.cluster.now().Before(e.until) {
		return providers.Readiness{State: providers.Waits, For: "1 lease on " + step.Node}
	}
	return e.effect.Ready(in, step)
}

// long is an operation that takes a while.
type long struct {
	providers.Operation
	takes func(providers.Step) time.Duration
	sleep func(context.Context, time.Duration) error
}

func always(d time.Duration) func(providers.Step) time.Duration {
	return func(providers.Step) time.Duration { return d }
}

func (l long) Run(ctx context.Context, step providers.Step, progress providers.Progress) error {
	if err := l.sleep(ctx, l.takes(step)); err != nil {
		return err
	}
	return l.Operation.Run(ctx, step, progress)
}

// waitingPlan labels w1 and w2 within a guard that labels g1 first and gives g1 its own name back at the end. w2 waits
// for its tenants.
func waitingPlan(c *cluster, until time.Time, takes time.Duration, j apply.Journal, history journal.History) (*apply.Executor, planner.Plan) {
	plan := surrounded(planFor(c, nil, []string{"w1", "w2"}))
	last := &plan.Steps[len(plan.Steps)-1]
	last.Operation = "sim.unlabel"
	plan.Steps[2].Operation = "sim.tenanted"
	e := withUnlabel(c.executor(j, history), c)
	e.Effects["sim.tenanted"], e.Operations["sim.tenanted"] = tenanted{effect{"sim.label"}, c, until}, labelling{c}
	e.Operations["sim.label"] = long{c, always(takes), e.Tasks.Sleep}
	return e, plan
}

// labelling labels as sim.label does.
type labelling struct{ cluster *cluster }

func (l labelling) Run(ctx context.Context, step providers.Step, progress providers.Progress) error {
	step.Operation = "sim.label"
	return l.cluster.Run(ctx, step, progress)
}

// A step that waits holds nothing up: the rest is done, the guard ends, and the run says what is left and why. Applied
// again when that has passed, the plan goes on.
func TestOnlyWaitsAreLeft(t *testing.T) {
	c := newCluster("g1", "w1", "w2")
	j := &memoryJournal{dies: -1}
	e, plan := waitingPlan(c, c.clock.Add(24*time.Hour), time.Second, j, journal.History{})
	began := c.clock
	result, err := onTasks(e).Run(t.Context(), plan)
	if err != nil || result.Outcome != apply.Waits {
		t.Fatalf("%s, %v, %+v", result.Outcome, err, result.Steps)
	}
	want := []string{"g1/begin done", "w1/label done", "w2/label waiting", "g1/end done"}
	if diff := cmp.Diff(want, outcomes(result)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s := result.Steps[2]; s.Why != "waits for 1 lease on w2" || s.Since.Before(began) || s.Since.After(c.clock) {
		t.Errorf("it says %q since %s", s.Why, s.Since)
	}
	if took := c.clock.Sub(began); took > time.Minute {
		t.Errorf("the run took %s: it waited under its locks", took)
	}
	if !slices.ContainsFunc(j.records, func(r journal.Record) bool { return r.Kind == journal.StepWaiting && r.Step == plan.Steps[2].ID }) {
		t.Errorf("the journal does not say that %s waits", plan.Steps[2].ID)
	}

	c.clock = c.clock.Add(48 * time.Hour)
	e, plan = waitingPlan(c, began, time.Second, &memoryJournal{dies: -1}, journal.HistoryOf(j.records...))
	plan.Steps[2].Args = []byte(`{"before":"w2"}`)
	if result, err = onTasks(e).Run(t.Context(), plan); err != nil || result.Outcome != apply.Complete {
		t.Fatalf("applied again: %s, %v, %+v", result.Outcome, err, result.Steps)
	}
	if got := c.World.Node("g1").System.Hostname; got != "g1" {
		t.Errorf("in the end the guard's label is %q", got)
	}
}

// What passes beside other work is gone on with in the same run, at most a minute later.
func TestAWaitThatPassesBesideOtherWork(t *testing.T) {
	c := newCluster("g1", "w1", "w2")
	began := c.clock
	e, plan := waitingPlan(c, began.Add(3*time.Minute), 10*time.Minute, &memoryJournal{dies: -1}, journal.History{})
	var at time.Duration
	e.Events = func(event apply.Event) {
		if s, ok := event.(apply.StepStarted); ok && s.Step.Node == "w2" {
			at = s.At.Sub(began)
		}
	}
	result, err := onTasks(e).Run(t.Context(), plan)
	if err != nil || result.Outcome != apply.Complete {
		t.Fatalf("%s, %v, %+v", result.Outcome, err, result.Steps)
	}
	if limit := 10*time.Minute + 3*time.Minute + time.Minute; at == 0 || at > limit {
		t.Errorf("w2 was started %s after the beginning; the guard begins after 10 minutes, and the wait was over before", at)
	}
}

// A guard that has ended begins once more in the same run where what waited goes on, and ends again.
func TestAGuardBeginsAndEndsTwice(t *testing.T) {
	c := newCluster("g1", "w1", "w2", "w3")
	j := &memoryJournal{dies: -1}
	e, plan := waitingPlan(c, c.clock.Add(30*time.Minute), time.Second, j, journal.History{})
	beside := step("sim.slow", "w3", "", "w3") // outside the guard, and long enough for the run to be there when the wait is over
	plan.Steps = append(plan.Steps, beside)
	e.Effects["sim.slow"], e.Operations["sim.slow"] = effect{"sim.label"}, long{labelling{c}, always(time.Hour), e.Tasks.Sleep}
	result, err := onTasks(e).Run(t.Context(), plan)
	if err != nil || result.Outcome != apply.Complete {
		t.Fatalf("%s, %v, %+v", result.Outcome, err, result.Steps)
	}
	var got []string
	for _, r := range j.records {
		if r.Kind == journal.StepStarted {
			got = append(got, r.Step)
		}
	}
	want := []string{plan.Steps[0].ID, plan.Steps[1].ID, plan.Steps[3].ID, plan.Steps[0].ID, plan.Steps[2].ID, plan.Steps[3].ID}
	if diff := cmp.Diff(want, slices.DeleteFunc(got, func(id string) bool { return id == beside.ID })); diff != "" {
		t.Errorf("started (-want +got):\n%s", diff)
	}
	if got := c.World.Node("g1").System.Hostname; got != "g1" {
		t.Errorf("in the end the guard's label is %q", got)
	}
}

// A run that stops does not look again at what waits: it sleeps until what is under way has ended.
func TestAStoppedRunLooksAtNoWaits(t *testing.T) {
	c := newCluster("g1", "w1", "w2", "w3")
	e, plan := waitingPlan(c, c.clock.Add(24*time.Hour), time.Second, &memoryJournal{dies: -1}, journal.History{})
	plan.Steps = append(plan.Steps, step("sim.slow", "w3", "", "w3"))
	e.Effects["sim.slow"], e.Operations["sim.slow"] = effect{"sim.label"}, long{labelling{c}, always(time.Hour), e.Tasks.Sleep}
	stop := make(chan struct{}, 2)
	e.Stop = stop
	e.Events = func(event apply.Event) {
		if s, ok := event.(apply.StepStarted); ok && s.Step.Node == "w3" {
			stop <- struct{}{}
			stop <- struct{}{}
		}
	}
	result, err := onTasks(e).Run(t.Context(), plan)
	if err != nil || result.Outcome != apply.Interrupted {
		t.Fatalf("%s, %v, %+v", result.Outcome, err, result.Steps)
	}
}

// patient is a label that waits for its tenants, for a while at most.
type patient struct {
	tenanted
	most time.Duration
}

func (e patient) Ready(in providers.Input, step providers.Step) providers.Readiness {
	r := e.tenanted.Ready(in, step)
	r.AtMost = e.most
	return r
}

// A step that has waited for longer than it may is refused, by what earlier runs saw; one whose wait begins now is not.
func TestAWaitEnds(t *testing.T) {
	for name, test := range map[string]struct {
		since time.Duration
		want  apply.StepOutcome
		says  string
	}{
		"it begins to wait":  {0, apply.Waiting, ""},
		"it may wait longer": {47 * time.Hour, apply.Waiting, ""},
		"it waited too long": {49 * time.Hour, apply.Refused, "may wait for 2d: 1 lease on w2"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster("g1", "w1", "w2")
			e, plan := waitingPlan(c, c.clock.Add(100*24*time.Hour), time.Second, &memoryJournal{dies: -1}, journal.History{})
			e.Effects["sim.tenanted"] = patient{e.Effects["sim.tenanted"].(tenanted), 48 * time.Hour}
			if test.since > 0 {
				e.Waited = map[string]seen.Wait{plan.Steps[2].ID: {For: "1 lease on w2", Sighting: seen.Sighting{First: c.clock.Add(-test.since)}}}
			}
			result, err := onTasks(e).Run(t.Context(), plan)
			if err != nil {
				t.Fatal(err)
			}
			if got := result.Steps[2]; got.Outcome != test.want || !strings.Contains(got.Why, test.says) {
				t.Errorf("%s, %q; want %s, %q", got.Outcome, got.Why, test.want, test.says)
			}
		})
	}
}
