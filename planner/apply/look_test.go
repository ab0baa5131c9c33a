package apply_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/config"
	"upkeep/fixtures/tasks"
	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/observe"
	"upkeep/state/journal"
)

// labels is a block for a fleet that Kubernetes names; its steps are about one node each.
type labels struct{}

func (labels) Address() providers.Address             { return providers.Address{Type: "labels", Name: "gpu"} }
func (labels) Diff(providers.Input) providers.Outcome { return providers.Outcome{} }
func (labels) Needs() providers.Needs {
	return providers.Needs{Etcd: true, Nodes: []providers.NodeNeed{{Nodes: config.Selection{Fleets: []string{"gpu"}}, Question: facts.Question{NVIDIA: true}}}}
}

// SecondNeeds asks the same again, of the whole fleet.
func (l labels) SecondNeeds(facts.World, providers.Inventory, bool) providers.Needs { return l.Needs() }

// forgetful is an effect that asks for nothing.
type forgetful struct{ effect }

func (forgetful) Needs(providers.Input, providers.Step) providers.Needs { return providers.Needs{} }

// fleet is 1,000 nodes. It counts sessions, by node.
type fleet struct {
	mu       sync.Mutex
	facts    map[string]*facts.Node
	members  []facts.KubernetesNode
	sessions map[string]int
	// asked is what the nodes were asked.
	asked []facts.Question
}

const fleetAuthority = "ca-of-the-fleet"

func newFleet() *fleet {
	f := &fleet{facts: map[string]*facts.Node{}, sessions: map[string]int{}}
	for i := range 1000 {
		name := fmt.Sprintf("g%d", i)
		f.facts[name] = &facts.Node{Name: name, System: facts.System{MachineID: "machine-" + name, Hostname: "old"}, Authorities: []string{fleetAuthority}}
		f.members = append(f.members, facts.KubernetesNode{Name: name, Addresses: map[string]string{"InternalIP": "10.0.0.1"}})
	}
	return f
}

// Observe implements observe.Nodes: a node answers what it was asked, and its machine id.
func (f *fleet) Observe(_ context.Context, node config.Node, question facts.Question) (facts.Node, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sessions[node.Name]++
	f.asked = append(f.asked, question)
	n := *f.facts[node.Name]
	if !question.Authorities {
		n.Authorities = nil
	}
	return n, nil
}

func (f *fleet) Stored(context.Context, config.Node) (facts.ConfigurationSources, error) {
	return facts.ConfigurationSources{Unknown: "no member of etcd"}, nil
}

func (f *fleet) Reach(context.Context, config.Node, facts.EtcdEndpoint) (net.Conn, error) {
	return nil, errors.New("there is no etcd elsewhere")
}

func (f *fleet) Etcd(_ context.Context, node config.Node) (net.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sessions[node.Name]++
	return nil, fmt.Errorf("%s has no member of etcd", node.Name)
}

// Run is the operation: one session that changes the node.
func (f *fleet) Run(_ context.Context, step providers.Step, _ providers.Progress) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sessions[step.Node]++
	n := *f.facts[step.Node]
	n.System.Hostname = step.ID
	f.facts[step.Node] = &n
	return nil
}

// fleetAPI is the API server of the fleet.
type fleetAPI struct {
	observe.Kubernetes
	fleet *fleet
}

func (a fleetAPI) Observe(context.Context) facts.Kubernetes {
	return facts.Kubernetes{UID: "uid-1", Authority: fleetAuthority, Nodes: a.fleet.members}
}

func (a fleetAPI) Match(string, []facts.KubernetesNode) (names []string, err error) {
	for _, member := range a.fleet.members {
		names = append(names, member.Name)
	}
	return names, nil
}

// fleetEtcd dials every member that it is told of.
type fleetEtcd struct{ observe.Etcd }

func (fleetEtcd) Observe(ctx context.Context, nodes []string, dial func(context.Context, string) (net.Conn, error)) facts.Etcd {
	for _, node := range nodes {
		if conn, err := dial(ctx, node); err == nil {
			conn.Close()
		}
	}
	return facts.Etcd{Unknown: "no member answers"}
}

// run applies a plan of one step on one node, looking as the apply command does.
func (f *fleet) run(t *testing.T, of providers.Effect, meanwhile func()) apply.StepResult {
	t.Helper()
	desired := config.Desired{Fleets: []config.Fleet{{Name: "gpu", Address: "InternalIP", Selector: "gpu", Roles: []string{"etcd"}}}}
	now := newCluster()
	observer := &observe.Observer{Nodes: f, Kubernetes: fleetAPI{fleet: f}, Etcd: fleetEtcd{}, Now: now.now}
	world, err := observer.Resources(t.Context(), desired, []providers.Resource{labels{}})
	if err != nil {
		t.Fatal(err)
	}
	clear(f.sessions)
	f.asked = nil
	if meanwhile != nil {
		meanwhile()
	}
	step := providers.Step{
		ID: "labels.gpu@g500/label", Address: providers.Address{Type: "labels", Name: "gpu", Node: "g500"}, Node: "g500", Operation: "sim.label", Args: []byte(`{"before":"old"}`),
	}
	plan := planner.Plan{ID: "plan-1", Digest: "d", Applyable: true, Steps: []providers.Step{step}, Request: planner.Request{Desired: desired, World: world}}
	known := plan.Request.Input([]providers.Resource{labels{}})
	e := &apply.Executor{
		Effects: map[string]providers.Effect{"sim.label": of}, Operations: map[string]providers.Operation{"sim.label": f},
		Observe: func(ctx context.Context, steps ...providers.Step) (providers.Input, error) {
			world, err := observer.For(ctx, desired, known, func(in providers.Input) providers.Needs { return planner.Needs(of, in, steps[0]) })
			return providers.Input{World: world, Inventory: providers.NewInventory(desired, world), Now: world.ObservedAt}, err
		},
		Identify: func(context.Context) (planner.Identity, error) { return plan.Request.Identity(), nil },
		Journal:  &memoryJournal{dies: -1}, History: journal.History{}, Now: now.now, Tasks: tasks.New(now, 1, 2),
	}
	result, err := onTasks(e).Run(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	return result.Steps[0]
}

// A step on one node of 1,000 opens no session to another node, and three to its own: ground, act, proof.
func TestOneNodeOfAFleetIsLookedAtAlone(t *testing.T) {
	for name, of := range map[string]providers.Effect{"it asks its node": effect{"sim.label"}, "it asks nothing": forgetful{effect{"sim.label"}}} {
		f := newFleet()
		if got := f.run(t, of, nil); got.Outcome != apply.Done {
			t.Errorf("%s: %s, %s", name, got.Outcome, got.Why)
		}
		if diff := cmp.Diff(map[string]int{"g500": 3}, f.sessions); diff != "" {
			t.Errorf("%s: sessions (-want +got):\n%s", name, diff)
		}
	}
}

// Whatever an effect asks for, every look at a step shows which machine and whose cluster its node is: a host that
// became another cluster's since the plan was made is not touched.
func TestEveryLookAtAStepTellsTheCluster(t *testing.T) {
	for name, of := range map[string]providers.Effect{"it asks its node": effect{"sim.label"}, "it asks nothing": forgetful{effect{"sim.label"}}} {
		f := newFleet()
		got := f.run(t, of, func() {
			stranger := *f.facts["g500"]
			stranger.Authorities = []string{"ca-of-another"}
			f.facts["g500"] = &stranger
		})
		if got.Outcome != apply.Refused || !got.Moved || !strings.Contains(got.Why, "g500 is not of the cluster of the kubeconfig") {
			t.Errorf("%s: %s, %s", name, got.Outcome, got.Why)
		}
		for _, question := range f.asked {
			if !question.Authorities {
				t.Errorf("%s: the node was asked %+v, which does not tell its cluster", name, question)
			}
		}
		if diff := cmp.Diff(map[string]int{"g500": 1}, f.sessions); diff != "" {
			t.Errorf("%s: sessions (-want +got):\n%s", name, diff)
		}
	}
}

// A step that says how long its effect may take to show is looked at for that long.
func TestAStepsOwnTimeToSettle(t *testing.T) {
	for _, test := range []struct {
		settle float64 // seconds
		want   apply.Outcome
	}{{0, apply.Partial}, {60, apply.Partial}, {1200, apply.Complete}} {
		c := newCluster("cp1")
		c.break_(map[string]fault{"cp1/restart": tooSlow})
		plan := planFor(c, []string{"cp1"}, nil)
		for i := range plan.Steps {
			plan.Steps[i].Settle = test.settle
		}
		result, _, err := run(t, c, plan)
		if err != nil || result.Outcome != test.want {
			t.Errorf("with %.0f s to settle: %s, %v", test.settle, result.Outcome, err)
		}
	}
}

// A clock that stands still, as one that is set back does for a while, keeps nobody looking for ever.
func TestAClockThatStandsStill(t *testing.T) {
	for name, faults := range map[string]map[string]fault{
		"a proof that does not come": {"cp1/restart": tooSlow},
	} {
		c := newCluster("cp1")
		c.break_(faults)
		e := c.executor(&memoryJournal{dies: -1}, journal.History{})
		stands := c.clock
		e.Now = func() time.Time { return stands }
		result, err := onTasks(e).Run(t.Context(), planFor(c, []string{"cp1"}, nil))
		if err != nil || result.Outcome != apply.Partial {
			t.Errorf("%s: %s, %v", name, result.Outcome, err)
		}
	}
}
