package apply_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/state"
	"upkeep/state/journal"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "crash-child" {
		crashChild(os.Args[2], os.Args[3])
		return
	}
	goleak.VerifyTestMain(m)
}

func TestRunOutcomes(t *testing.T) {
	for name, test := range map[string]struct {
		faults  map[string]fault // by step without its resource
		outcome apply.Outcome
		steps   []string
		why     string // stands in the why of the first step that did not succeed
	}{
		"all well": {nil, apply.Complete,
			[]string{"cp1/renew done", "cp1/restart done", "cp2/renew done", "cp2/restart done", "w1/label done"}, ""},
		"an operation fails: its group ends, others go on": {map[string]fault{"cp1/renew": fails}, apply.Partial,
			[]string{"cp1/renew failed", "cp1/restart blocked", "cp2/renew blocked", "cp2/restart blocked", "w1/label done"}, "exit status 1"},
		"an operation lies": {map[string]fault{"cp1/restart": lies}, apply.Partial,
			[]string{"cp1/renew done", "cp1/restart failed", "cp2/renew blocked", "cp2/restart blocked", "w1/label done"}, "its effect was not proved within 2m0s: cp1 is as before"},
		"the effect comes late": {map[string]fault{"cp1/restart": slow}, apply.Complete,
			[]string{"cp1/renew done", "cp1/restart done", "cp2/renew done", "cp2/restart done", "w1/label done"}, ""},
		"the effect comes too late": {map[string]fault{"cp1/restart": tooSlow}, apply.Partial,
			[]string{"cp1/renew done", "cp1/restart failed", "cp2/renew blocked", "cp2/restart blocked", "w1/label done"}, "not proved within 2m0s"},
		"the ground of one step moved": {map[string]fault{"cp2/renew": moved}, apply.Partial,
			[]string{"cp1/renew done", "cp1/restart done", "cp2/renew refused", "cp2/restart blocked", "w1/label done"}, "it is MOVED, and was OLD-cp2"},
		"all ground moved": {map[string]fault{"cp1/renew": moved, "w1/label": moved}, apply.Stale,
			[]string{"cp1/renew refused", "cp1/restart blocked", "cp2/renew blocked", "cp2/restart blocked", "w1/label refused"}, "it is MOVED"},
		"some moved and some unknown": {map[string]fault{"cp1/renew": moved, "w1/label": unknown}, apply.Nothing,
			[]string{"cp1/renew refused", "cp1/restart blocked", "cp2/renew blocked", "cp2/restart blocked", "w1/label refused"}, "it is MOVED"},
		"a node is unknown": {map[string]fault{"cp1/renew": unknown}, apply.Partial,
			[]string{"cp1/renew refused", "cp1/restart blocked", "cp2/renew blocked", "cp2/restart blocked", "w1/label done"}, "cp1: ssh: no answer"},
		"a node is unknown for a moment": {map[string]fault{"cp2/renew": flickers}, apply.Complete,
			[]string{"cp1/renew done", "cp1/restart done", "cp2/renew done", "cp2/restart done", "w1/label done"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster("cp1", "cp2", "w1")
			plan := planFor(c, []string{"cp1", "cp2"}, []string{"w1"})
			c.break_(test.faults)
			result, j, err := run(t, c, plan)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.steps, outcomes(result)); diff != "" || result.Outcome != test.outcome {
				t.Errorf("outcome %s, want %s; steps (-want +got):\n%s", result.Outcome, test.outcome, diff)
			}
			i := slices.IndexFunc(result.Steps, func(s apply.StepResult) bool { return !s.Outcome.Succeeded() })
			if i >= 0 != (test.why != "") || i >= 0 && !strings.Contains(result.Steps[i].Why, test.why) {
				t.Errorf("the first step without success: %+v, want why %q", result.Steps, test.why)
			}
			checkRuleTwo(t, plan, c.log)
			checkJournal(t, plan, j.records, result)
			for _, s := range result.Steps {
				ran := slices.Contains(c.log, "act "+s.Step)
				if want := s.Outcome == apply.Done || s.Outcome == apply.Failed; ran != want {
					t.Errorf("step %s is %s; ran: %v", s.Step, s.Outcome, ran)
				}
			}
		})
	}
}

// break_ sets faults by step without its resource, and moves the ground where they say so.
func (c *cluster) break_(faults map[string]fault) {
	for id, f := range faults {
		c.faults["sim.it@"+id] = f
		if f != moved {
			continue
		}
		name, _, _ := strings.Cut(id, "/")
		n := c.World.Node(name)
		n.System.Hostname = "MOVED"
		n.Certificates.Files = []facts.CertificateFile{{Name: "apiserver", Blocks: []facts.Certificate{{Serial: "MOVED", NotAfter: due}}}}
		c.World = c.World.Clone()
		c.World.Nodes[name] = &n
	}
}

// narrow is the lane of a step that holds one node at a time, beside that of its own node; empty: none.
func narrow(s providers.Step) string {
	for _, lane := range s.Lanes {
		if lane.Width == 1 && !strings.HasPrefix(lane.Name, providers.NodeLanePrefix) {
			return lane.Name
		}
	}
	return ""
}

// checkRuleTwo reads what happened in the cluster: of a lane that is 1 wide, a node is touched only when all that ran
// on other nodes before was proved.
func checkRuleTwo(t interface{ Errorf(string, ...any) }, plan planner.Plan, log []string) {
	steps := map[string]providers.Step{}
	for _, s := range plan.Steps {
		steps[s.ID] = s
	}
	open := map[string]providers.Step{}
	for _, line := range log {
		verb, id, _ := strings.Cut(line, " ")
		s := steps[id]
		switch verb {
		case "act":
			for _, other := range open {
				if narrow(s) != "" && narrow(other) == narrow(s) && other.Node != s.Node {
					t.Errorf("%s acted while %s was not proved: %v", id, other.ID, log)
				}
			}
			open[id] = s
		case "proved":
			delete(open, id)
		}
	}
}

// checkJournal compares what the journal says with the result, and that Replay would accept its order.
func checkJournal(t *testing.T, plan planner.Plan, records []journal.Record, result apply.Result) {
	t.Helper()
	h := journal.HistoryOf(records...)
	for _, s := range result.Steps {
		last, ok := h.Last(s.Step)
		if !ok || string(last.Kind) != "step_"+string(s.Outcome) || last.Text != s.Why {
			t.Errorf("step %s is %s (%s); the journal says %+v", s.Step, s.Outcome, s.Why, last)
		}
		started := slices.IndexFunc(records, func(r journal.Record) bool { return r.Step == s.Step && r.Kind == journal.StepStarted })
		if ran := s.Outcome == apply.Done || s.Outcome == apply.Failed; ran != (started >= 0) {
			t.Errorf("step %s is %s; its start stands at %d", s.Step, s.Outcome, started)
		}
	}
	first, last := records[0], records[len(records)-1]
	if first.Kind != journal.RunStarted || first.Plan != plan.ID || first.Digest != plan.Digest || first.Who != "ops@admin" || first.Generation != 3 {
		t.Errorf("the journal begins with %+v", first)
	}
	if last.Kind != journal.RunEnded || last.Outcome != string(result.Outcome) {
		t.Errorf("the journal ends with %+v", last)
	}
	if len(h.InProgress()) > 0 {
		t.Errorf("steps %v have no end", h.InProgress())
	}
}

// An operation acts only after the journal has its start: looked at from inside the operation.
func TestStartIsRecordedBeforeTheAct(t *testing.T) {
	c := newCluster("cp1")
	plan := planFor(c, []string{"cp1"}, nil)
	j := &memoryJournal{dies: -1}
	e := c.executor(j, journal.History{})
	acts := 0
	for name := range e.Operations {
		e.Operations[name] = operation(func(ctx context.Context, s providers.Step, p providers.Progress) error {
			acts++
			if last := j.records[len(j.records)-1]; last.Kind != journal.StepStarted || last.Step != s.ID {
				t.Errorf("%s acts, and the journal's last record is %+v", s.ID, last)
			}
			return c.Run(ctx, s, p)
		})
	}
	if _, err := onTasks(e).Run(t.Context(), plan); err != nil || acts != 2 {
		t.Errorf("%d acts, %v", acts, err)
	}
}

type operation func(context.Context, providers.Step, providers.Progress) error

func (o operation) Run(ctx context.Context, s providers.Step, p providers.Progress) error {
	return o(ctx, s, p)
}

func TestPlansThatAreNotBegun(t *testing.T) {
	for name, test := range map[string]struct {
		edit    func(*planner.Plan)
		history []journal.Record
		want    string
		stale   bool
	}{
		"refusals":                {func(p *planner.Plan) { p.Refusals = []string{"no guard provides \"backup\""} }, nil, "no guard provides", false},
		"recorded facts":          {func(p *planner.Plan) { p.Request.Recorded = true }, nil, "recorded facts", false},
		"not applyable":           {func(p *planner.Plan) { p.Applyable = false }, nil, "not applyable", false},
		"another uid":             {func(p *planner.Plan) { p.Request.World.Kubernetes.UID = "uid-2" }, nil, "another cluster", true},
		"another CA":              {func(p *planner.Plan) { p.Request.World.Kubernetes.Authority = "ca-2" }, nil, "another cluster", true},
		"another etcd":            {func(p *planner.Plan) { p.Request.World.Etcd.ClusterID = "etcd-2" }, nil, "another cluster", true},
		"an unknown operation":    {func(p *planner.Plan) { p.Steps[0].Operation = "sim.reboot" }, nil, `operation "sim.reboot"`, false},
		"the same step twice":     {func(p *planner.Plan) { p.Steps[1].ID = p.Steps[0].ID }, nil, "is there twice", false},
		"a step without id":       {func(p *planner.Plan) { p.Steps[4].ID = "" }, nil, "has no id", false},
		"after a later step":      {func(p *planner.Plan) { p.Steps[0].After = []string{p.Steps[1].ID} }, nil, "not before it", false},
		"after itself":            {func(p *planner.Plan) { p.Steps[0].After = []string{p.Steps[0].ID} }, nil, "not before it", false},
		"after a missing step":    {func(p *planner.Plan) { p.Steps[0].After = []string{"elsewhere"} }, nil, "not before it", false},
		"another plan's journal":  {func(p *planner.Plan) {}, []journal.Record{{Seq: 1, Kind: journal.RunStarted, Plan: "plan-2", Digest: "sha256:0123"}}, "journal belongs to plan plan-2", false},
		"another digest's record": {func(p *planner.Plan) {}, []journal.Record{{Seq: 1, Kind: journal.RunStarted, Plan: "plan-1", Digest: "sha256:9"}}, "was changed after it was started", false},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster("cp1", "cp2", "w1")
			plan := planFor(c, []string{"cp1", "cp2"}, []string{"w1"})
			test.edit(&plan)
			j := &memoryJournal{dies: -1}
			_, err := onTasks(c.executor(j, journal.HistoryOf(test.history...))).Run(t.Context(), plan)
			var refused *apply.RefusedError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), test.want) || refused.Stale != test.stale {
				t.Errorf("got %v, want a refusal with %q", err, test.want)
			}
			if len(c.log)+len(j.records) > 0 {
				t.Errorf("something was done: %v, %v", c.log, j.records)
			}
		})
	}
}

func TestIdentityComparesOnlyWhatBothKnow(t *testing.T) {
	c := newCluster("cp1")
	plan := planFor(c, []string{"cp1"}, nil)
	plan.Request.World.Kubernetes.UID = ""
	c.World.Etcd.ClusterID = ""
	if result, _, err := run(t, c, plan); err != nil || result.Outcome != apply.Complete {
		t.Errorf("%s, %v", result.Outcome, err)
	}
}

// The cluster is another one from the second step on: an address was moved while the run went on.
func TestAnotherClusterInTheMiddle(t *testing.T) {
	c := newCluster("cp1")
	plan := planFor(c, []string{"cp1"}, nil)
	e := c.executor(&memoryJournal{dies: -1}, journal.History{})
	e.Events = func(event apply.Event) {
		if ended, ok := event.(apply.StepEnded); ok && ended.Number == 1 {
			c.World.Kubernetes.UID = "uid-2"
		}
	}
	result, err := onTasks(e).Run(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"cp1/renew done", "cp1/restart refused"}, outcomes(result)); diff != "" || !strings.Contains(result.Steps[1].Why, "another cluster") {
		t.Errorf("%s\n%+v", diff, result.Steps)
	}
}

func TestNothingToDo(t *testing.T) {
	c := newCluster("cp1")
	plan := planFor(c, nil, nil)
	plan.Applyable = false
	if result, j, err := run(t, c, plan); err != nil || result.Outcome != apply.Complete || len(j.records) > 0 {
		t.Errorf("%+v, %v, %v", result, j.records, err)
	}
	plan = planFor(c, []string{"cp1"}, nil)
	for _, s := range plan.Steps {
		c.change(s)
	}
	result, _, err := run(t, c, plan)
	if err != nil || result.Outcome != apply.Complete || result.Count(apply.Skipped) != 2 || len(c.log) > 0 {
		t.Errorf("%+v, %v, %v", result, c.log, err)
	}
}

func TestOperationsAreBounded(t *testing.T) {
	c := newCluster("cp1", "w1")
	plan := planFor(c, []string{"cp1"}, []string{"w1"})
	for i := range plan.Steps {
		plan.Steps[i].Estimate = 0.001
	}
	c.break_(map[string]fault{"cp1/renew": hangs})
	e := c.executor(&memoryJournal{dies: -1}, journal.History{})
	e.Limits.Act = 20 * time.Millisecond
	result, err := onTasks(e).Run(t.Context(), plan)
	if err != nil || result.Outcome != apply.Partial || !strings.Contains(result.Steps[0].Why, "not finished after 20ms") {
		t.Errorf("%+v, %v", result, err)
	}
}

// A step that says how long it may take gets that time.
func TestOperationsHaveTheirOwnLimit(t *testing.T) {
	c := newCluster("cp1")
	plan := planFor(c, []string{"cp1"}, nil)
	for i := range plan.Steps {
		plan.Steps[i].Estimate, plan.Steps[i].Limit = 0.001, 0.03
	}
	c.break_(map[string]fault{"cp1/renew": hangs})
	e := c.executor(&memoryJournal{dies: -1}, journal.History{})
	e.Limits.Act = 20 * time.Millisecond
	result, err := onTasks(e).Run(t.Context(), plan)
	if err != nil || !strings.Contains(result.Steps[0].Why, "not finished after 30ms") {
		t.Errorf("%+v, %v", result, err)
	}
}

// What was done and proved, and is now undone, is not done again: somebody undid it, and a person must look.
func TestDoneStepsNeverRunAgain(t *testing.T) {
	c := newCluster("cp1", "w1")
	plan := planFor(c, nil, []string{"w1"})
	_, j, err := run(t, c, plan)
	if err != nil {
		t.Fatal(err)
	}
	c.World.Nodes["w1"].System.Hostname = "w1"
	result, err := onTasks(c.executor(&memoryJournal{dies: -1}, journal.HistoryOf(j.records...))).Run(t.Context(), plan)
	if err != nil || result.Outcome != apply.Stale || !strings.Contains(result.Steps[0].Why, "something undid it") {
		t.Errorf("%+v, %v", result, err)
	}
	if len(c.Acts) != 1 {
		t.Errorf("acts: %v", c.Acts)
	}
}

func TestEvents(t *testing.T) {
	c := newCluster("cp1", "w1")
	plan := planFor(c, []string{"cp1"}, []string{"w1"})
	c.break_(map[string]fault{"cp1/renew": lies})
	e := c.executor(&memoryJournal{dies: -1}, journal.History{})
	var got []string
	e.Events = func(event apply.Event) {
		switch x := event.(type) {
		case apply.RunStarted:
			got = append(got, fmt.Sprintf("run %s %d", x.Plan, x.Steps))
		case apply.StepChecking:
			got = append(got, fmt.Sprintf("checking %d/%d", x.Number, x.Of))
		case apply.StepStarted:
			got = append(got, fmt.Sprintf("started %d/%d", x.Number, x.Of))
		case apply.StepProgress:
			got = append(got, x.Line)
		case apply.StepEnded:
			got = append(got, fmt.Sprintf("%s %d/%d", x.Result.Outcome, x.Number, x.Of))
		case apply.RunEnded:
			got = append(got, string(x.Result.Outcome))
		}
	}
	if _, err := onTasks(e).Run(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	want := []string{"run plan-1 3",
		"checking 1/3", "started 1/3", "working on cp1", "not proved yet: cp1 is as before",
		"checking 3/3", "started 3/3", "working on w1", "done 3/3", // beside the first
		"failed 1/3", "blocked 2/3",
		"partial"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLearn(t *testing.T) {
	before := facts.Memory{Durations: map[string]float64{"a": 10, "b": 1}}
	got := apply.Learn(before, apply.Result{Steps: []apply.StepResult{
		{Operation: "a", Outcome: apply.Done, Seconds: 20},
		{Operation: "b", Outcome: apply.Failed, Seconds: 120},
		{Operation: "c", Outcome: apply.Done, Seconds: 4},
		{Operation: "d", Outcome: apply.Skipped},
		{Operation: "c", Outcome: apply.Done, Seconds: 36_000, Slept: true},
	}})
	if diff := cmp.Diff(map[string]float64{"a": 13, "b": 1, "c": 4}, got.Durations); diff != "" || before.Durations["a"] != 10 {
		t.Errorf("%s (before: %v)", diff, before)
	}
	if diff := cmp.Diff(map[string][]float64{"a": {20}, "c": {4}}, got.History); diff != "" {
		t.Error(diff)
	}
	if got := apply.Learn(facts.Memory{}, apply.Result{}); got.Durations != nil || got.History != nil {
		t.Errorf("learnt from nothing: %v", got)
	}
}

func TestRunRecord(t *testing.T) {
	c := newCluster("cp1", "cp2", "w1")
	plan := planFor(c, []string{"cp1", "cp2"}, []string{"w1"})
	c.break_(map[string]fault{"cp1/restart": fails})
	e := c.executor(&memoryJournal{dies: -1}, journal.History{})
	begun := e.Begun(plan)
	result, err := onTasks(e).Run(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	want := state.RunRecord{PlanID: "plan-1", Digest: "sha256:0123", Who: "ops@admin", Generation: 3, StartedAt: result.StartedAt,
		EndedAt: result.EndedAt, Outcome: "partial", Done: 2, Failed: 1, Blocked: 2}
	if diff := cmp.Diff(want, apply.Ended(begun, result)); diff != "" {
		t.Error(diff)
	}
}
