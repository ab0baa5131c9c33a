package apply_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/fixtures/tasks"
	"upkeep/fixtures/worlds"
	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/providers"
	"upkeep/providers/certificates"
	"upkeep/providers/facts"
	"upkeep/state/journal"
)

// planes is a cluster of control planes with the certificates domain, as kubeadm makes it. Operations do what their
// effects predict, unless the test says otherwise.
type planes struct {
	mu      sync.Mutex
	desired config.Desired
	world   facts.World
	clock   time.Time
	acts    []string
	// act, when not nil, is called after each step that acted.
	act func(step providers.Step)
}

// newPlanes has n control planes, each with an apiserver certificate and a controller-manager.conf that are due.
func newPlanes(n int) *planes {
	p := &planes{clock: time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)}
	p.world = worlds.ControlPlanes(n, p.clock)
	for _, node := range p.world.Nodes {
		worlds.Age(p.clock, 12*24*time.Hour, node, "apiserver", "controller-manager.conf")
	}
	p.desired = config.Desired{Nodes: worlds.Nodes(n), Resources: []config.Declared{{
		Type: "certificates", Name: "control_plane", Meta: config.Meta{Without: []config.Waiver{{Guard: "backup", Reason: "a test"}}}, Value: certificates.Spec{
			Name: "control_plane", Layout: "auto", Nodes: config.Selection{Roles: []string{"control-plane"}},
			RenewBefore: config.Duration(30 * 24 * time.Hour),
		},
	}}}
	return p
}

// down makes a node give no answer, while its control plane runs.
func (p *planes) down(name string) {
	p.world = worlds.Clone(p.world)
	p.world.Nodes[name] = &facts.Node{Name: name, Host: p.world.Node(name).Host, Unknown: "ssh: no answer in 10s"}
}

// dead takes a node away with all that runs on it.
func (p *planes) dead(name string) {
	p.down(name)
	for i := range p.world.Kubernetes.Nodes {
		if n := &p.world.Kubernetes.Nodes[i]; n.Name == name {
			n.Ready = false
		}
	}
	for i := range p.world.Etcd.Members {
		if m := &p.world.Etcd.Members[i]; m.Name == name {
			m.Unknown = "no answer"
		}
	}
}

func (p *planes) plan(t *testing.T, change func(*planner.Request)) planner.Plan {
	t.Helper()
	r := planner.Request{Desired: p.desired, World: worlds.Clone(p.world), Now: p.clock}
	if change != nil {
		change(&r)
	}
	plan, err := planner.Build(r, []providers.Type{certificates.Type()})
	if err != nil {
		t.Fatal(err)
	}
	plan.ID = "plan-1"
	return plan
}

func (p *planes) input() providers.Input {
	return providers.Input{World: worlds.Clone(p.world), Now: p.clock, Inventory: providers.NewInventory(p.desired, p.world)}
}

// Run is every operation.
func (p *planes) Run(_ context.Context, step providers.Step, _ providers.Progress) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acts = append(p.acts, step.ID)
	if n := p.world.Node(step.Node); n.Unknown != "" {
		return fmt.Errorf("%s: %s", step.Node, n.Unknown)
	}
	p.clock = p.clock.Add(3 * time.Second)
	in := p.input()
	in.World.Apply(certificates.Type().Effects[step.Operation].Predict(in, step))
	p.world = worlds.Concrete(in.World)
	for i := range p.world.Kubernetes.Leases { // leaders go on renewing
		p.world.Kubernetes.Leases[i].RenewedAt = p.clock.Add(time.Second)
	}
	p.world.ObservedAt = p.clock
	if p.act != nil {
		p.act(step)
	}
	return nil
}

func (p *planes) run(t *testing.T, plan planner.Plan, change func(*apply.Executor)) (apply.Result, error) {
	t.Helper()
	e := &apply.Executor{
		Effects: certificates.Type().Effects, Operations: map[string]providers.Operation{},
		Observe: func(context.Context, ...providers.Step) (providers.Input, error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.input(), nil
		},
		Identify: func(context.Context) (planner.Identity, error) {
			return planner.Request{World: p.world}.Identity(), nil
		},
		Journal: &memoryJournal{dies: -1}, History: journal.History{},
		Now:   func() time.Time { p.mu.Lock(); defer p.mu.Unlock(); return p.clock },
		Tasks: tasks.New(p, 1, 2),
	}
	for name := range e.Effects {
		e.Operations[name] = p
	}
	if change != nil {
		change(e)
	}
	return onTasks(e).Run(t.Context(), plan)
}

// Now and Advance implement tasks.Clock.
func (p *planes) Now() time.Time { p.mu.Lock(); defer p.mu.Unlock(); return p.clock }

func (p *planes) Advance(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clock = p.clock.Add(d)
}

// touched are the nodes that operations ran on, in order.
func (p *planes) touched() []string {
	var out []string
	for _, id := range p.acts {
		_, node, _ := strings.Cut(id, "@")
		node, _, _ = strings.Cut(node, "/")
		if !slices.Contains(out, node) {
			out = append(out, node)
		}
	}
	return out
}

func TestPartialTrouble(t *testing.T) {
	for name, test := range map[string]struct {
		before  func(*planes)          // before the plan
		request func(*planner.Request) // how the plan is asked for
		between func(*planes)          // between plan and apply
		during  func(*planes, string)  // after each step that acted
		touched []string               // in order
		outcome apply.Outcome
		left    []string // why of steps without success: "STEP OUTCOME: part of why"
		unknown []string // nodes that the plan calls unknown
		whole   bool     // the plan is complete
	}{
		"all is well": {touched: []string{"cp1", "cp2", "cp3"}, outcome: apply.Complete, whole: true},
		"the primary is down": {
			before:  func(p *planes) { p.down("cp1") },
			touched: []string{"cp2", "cp3"}, outcome: apply.Complete, unknown: []string{"cp1"},
		},
		"another is down": {
			before:  func(p *planes) { p.down("cp2") },
			touched: []string{"cp1", "cp3"}, outcome: apply.Complete, unknown: []string{"cp2"},
		},
		"the one marked primary is down": {
			before: func(p *planes) {
				p.desired.Nodes[2].Primary = true
				p.down("cp3")
			},
			touched: []string{"cp1", "cp2"}, outcome: apply.Complete, unknown: []string{"cp3"},
		},
		"one vanishes between plan and apply: the lane closes there": {
			between: func(p *planes) { p.down("cp2") },
			touched: []string{"cp1"}, outcome: apply.Partial, whole: true,
			left: []string{"cp2/renew refused: ssh: no answer", "cp2/restart blocked: step certificates.control_plane@cp2/renew must come first, and was refused", "cp3/renew blocked: lane \"control-plane\" is closed: step certificates.control_plane@cp2/renew was refused", "cp3/restart blocked: lane \"control-plane\""},
		},
		"the first vanishes between plan and apply": {
			between: func(p *planes) { p.down("cp1") },
			outcome: apply.Nothing, whole: true,
			left: []string{"cp1/renew refused: ssh: no answer", "cp1/restart blocked: ", "cp2/renew blocked: ", "cp2/restart blocked: ", "cp3/renew blocked: ", "cp3/restart blocked: "},
		},
		"one vanishes while it is worked on": {
			during: func(p *planes, id string) {
				if strings.HasSuffix(id, "@cp2/renew") {
					p.down("cp2")
				}
			},
			touched: []string{"cp1", "cp2"}, outcome: apply.Partial, whole: true,
			left: []string{"cp2/renew failed: ssh: no answer", "cp2/restart blocked: ", "cp3/renew blocked: is closed: step certificates.control_plane@cp2/renew failed", "cp3/restart blocked: "},
		},
		"one is dead, and its member of etcd: the others go on": {
			before:  func(p *planes) { p.dead("cp1") },
			touched: []string{"cp2", "cp3"}, outcome: apply.Complete, unknown: []string{"cp1"},
		},
		"two are dead, and with them the majority: nobody is touched, and why is said": {
			before:  func(p *planes) { p.dead("cp1"); p.dead("cp2") },
			outcome: apply.Nothing, unknown: []string{"cp1", "cp2"},
			left: []string{"cp3/renew refused: 1 of 3 members answer and follow a leader, which is no majority", "cp3/restart blocked: "},
		},
		"one dies between plan and apply": {
			between: func(p *planes) { p.dead("cp3") },
			touched: []string{"cp1", "cp2"}, outcome: apply.Partial, whole: true,
			left: []string{"cp3/renew refused: ssh: no answer", "cp3/restart blocked: "},
		},
		"a member of etcd is lost while another node is worked on": {
			during: func(p *planes, id string) {
				if strings.HasSuffix(id, "@cp1/renew") {
					p.dead("cp3")
				}
			},
			touched: []string{"cp1"}, outcome: apply.Nothing, whole: true,
			left: []string{"cp1/renew failed: etcd is not healthy after the step on cp1: member cp3 does not answer", "cp1/restart blocked: ", "cp2/renew blocked: ", "cp2/restart blocked: ", "cp3/renew blocked: ", "cp3/restart blocked: "},
		},
		"one is left out": {
			request: func(r *planner.Request) {
				r.Exclude = []providers.Address{{Type: "certificates", Name: "control_plane", Node: "cp2"}}
			},
			touched: []string{"cp1", "cp3"}, outcome: apply.Complete, whole: true,
		},
		"one is down and left out: what was asked for is whole": {
			before: func(p *planes) { p.down("cp2") },
			request: func(r *planner.Request) {
				r.Exclude = []providers.Address{{Type: "certificates", Name: "control_plane", Node: "cp2"}}
			},
			touched: []string{"cp1", "cp3"}, outcome: apply.Complete, unknown: []string{"cp2"}, whole: true,
		},
		"only one is asked for": {
			request: func(r *planner.Request) {
				r.Targets = []providers.Address{{Type: "certificates", Name: "control_plane", Node: "cp3"}}
			},
			touched: []string{"cp3"}, outcome: apply.Complete, whole: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlanes(3)
			if test.before != nil {
				test.before(p)
			}
			plan := p.plan(t, test.request)
			if test.between != nil {
				test.between(p)
			}
			if test.during != nil {
				p.act = func(step providers.Step) { test.during(p, step.ID) }
			}
			result, err := p.run(t, plan, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.touched, p.touched()); diff != "" || result.Outcome != test.outcome {
				t.Errorf("outcome %s, want %s; touched (-want +got):\n%s\n%+v", result.Outcome, test.outcome, diff, result.Steps)
			}
			var left []apply.StepResult
			for _, s := range result.Steps {
				if !s.Outcome.Succeeded() {
					left = append(left, s)
				}
			}
			for i, want := range test.left {
				what, why, _ := strings.Cut(want, ": ")
				if i >= len(left) || strings.TrimPrefix(left[i].Step, "certificates.control_plane@")+" "+string(left[i].Outcome) != what || !strings.Contains(left[i].Why, why) {
					t.Errorf("what is left: %+v, want at %d %q", left, i, want)
					break
				}
			}
			if len(left) != len(test.left) {
				t.Errorf("%d steps are left, want %d", len(left), len(test.left))
			}
			var unknown []string
			for _, u := range plan.Unknown() {
				unknown = append(unknown, u.Name)
			}
			if diff := cmp.Diff(test.unknown, unknown); diff != "" || plan.Complete != test.whole {
				t.Errorf("complete %v, want %v; unknown (-want +got):\n%s", plan.Complete, test.whole, diff)
			}
		})
	}
}

// A plan that stopped at a node that was gone goes on when it is back, and finishes.
func TestAPlanGoesOnWhenItsNodeIsBack(t *testing.T) {
	p := newPlanes(3)
	plan := p.plan(t, nil)
	whole := worlds.Clone(p.world)
	p.down("cp2")
	first := &memoryJournal{dies: -1}
	if result, err := p.run(t, plan, func(e *apply.Executor) { e.Journal = first }); err != nil || result.Outcome != apply.Partial {
		t.Fatalf("%s, %v", result.Outcome, err)
	}
	p.world = worlds.Clone(p.world)
	p.world.Nodes["cp2"] = whole.Nodes["cp2"]
	p.world.Etcd.Members = whole.Etcd.Members
	result, err := p.run(t, plan, func(e *apply.Executor) { e.History = journal.HistoryOf(first.records...) })
	if err != nil || result.Outcome != apply.Complete {
		t.Fatalf("%s, %v, %+v", result.Outcome, err, result.Steps)
	}
	if again := p.plan(t, nil); len(again.Steps) != 0 {
		t.Errorf("a plan after it still has %d steps", len(again.Steps))
	}
	if sorted := slices.Sorted(slices.Values(p.acts)); len(slices.Compact(sorted)) != len(p.acts) {
		t.Errorf("something ran twice: %v", p.acts)
	}
}

// refusing finds every ground unknown, and counts how often it looked.
type refusing struct {
	providers.Effect
	final bool
	looks *int
}

func (r refusing) Ready(providers.Input, providers.Step) providers.Readiness {
	*r.looks++
	return providers.Readiness{State: providers.Unknown, Why: "it cannot be told", Final: r.final}
}

// What does not pass is refused at once; what may pass is looked at again.
func TestWhatDoesNotPassIsNotWaitedFor(t *testing.T) {
	for _, final := range []bool{true, false} {
		p := newPlanes(1)
		plan := p.plan(t, nil)
		began, looks := p.clock, 0
		result, err := p.run(t, plan, func(e *apply.Executor) {
			e.Effects = map[string]providers.Effect{}
			for name, effect := range certificates.Type().Effects {
				e.Effects[name] = refusing{effect, final, &looks}
			}
		})
		if err != nil || result.Steps[0].Outcome != apply.Refused || result.Steps[0].Why != "it cannot be told" {
			t.Fatalf("%v, %+v", err, result.Steps)
		}
		if waited := p.clock.Sub(began); (looks == 1) != final || (waited == 0) != final {
			t.Errorf("final %t: %d looks in %s", final, looks, waited)
		}
	}
}

// A plan that is too old is not begun; one that was begun in time is continued.
func TestOldPlansAreNotBegun(t *testing.T) {
	for name, test := range map[string]struct {
		age   time.Duration
		begun time.Duration // how long ago; 0: never
		stale bool
	}{
		"young":                {age: time.Hour},
		"old":                  {age: 25 * time.Hour, stale: true},
		"old, begun in time":   {age: 200 * time.Hour, begun: 190 * time.Hour},
		"old, begun long ago":  {age: 1000 * time.Hour, begun: 990 * time.Hour, stale: true},
		"from an hour to come": {age: -time.Hour, stale: true},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster("cp1")
			plan := planFor(c, []string{"cp1"}, nil)
			plan.CreatedAt = c.clock.Add(-test.age)
			var history journal.History
			if test.begun > 0 {
				history = journal.HistoryOf(journal.Record{Seq: 1, At: c.clock.Add(-test.begun), Kind: journal.RunStarted, Plan: plan.ID, Digest: plan.Digest})
			}
			e := c.executor(&memoryJournal{dies: -1}, history)
			e.MaxAge = 24 * time.Hour
			result, err := onTasks(e).Run(t.Context(), plan)
			var refused *apply.RefusedError
			if stale := errors.As(err, &refused) && refused.Stale; stale != test.stale || !stale && (err != nil || result.Outcome != apply.Complete) {
				t.Errorf("%s, %v", result.Outcome, err)
			}
		})
	}
}
