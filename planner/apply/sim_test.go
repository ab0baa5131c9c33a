package apply_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"upkeep/fixtures/tasks"
	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/state/durable"
	"upkeep/state/journal"
)

// The test domain has two operations on a control plane: sim.renew replaces a certificate, and sim.restart its
// container, which then serves the new one; and sim.label, which disturbs nobody.

var due = time.Date(2026, 12, 4, 0, 0, 0, 0, time.UTC)
var renewed = time.Date(2027, 11, 22, 0, 0, 0, 0, time.UTC)

type args struct {
	Before string `json:"before"`
}

type effect struct{ operation string }

func certificate(n facts.Node) facts.Certificate {
	f, _ := n.Certificates.File("apiserver")
	leaf, _ := f.Leaf()
	return leaf
}

func (e effect) Predict(in providers.Input, step providers.Step) facts.Update {
	n := in.World.Node(step.Node)
	switch e.operation {
	case "sim.renew":
		n.Certificates = facts.Certificates{Layout: "kubeadm", Served: n.Certificates.Served, Files: []facts.CertificateFile{
			{Name: "apiserver", Blocks: []facts.Certificate{{Serial: facts.New, NotAfter: renewed}}},
		}}
	case "sim.restart":
		n.ControlPlane.StaticPods = []facts.StaticPod{{Component: "kube-apiserver", ContainerID: facts.New}}
		n.Certificates.Served = []facts.Served{{Name: "apiserver", Serial: certificate(n).Serial}}
	case "sim.label":
		n.System.Hostname = step.ID
	}
	return facts.Update{Nodes: []facts.Node{n}}
}

func (e effect) Needs(in providers.Input, step providers.Step) providers.Needs {
	return providers.NeedsOfNode(in, step)
}

func (e effect) Ground(providers.Input, providers.Step) providers.Ground { return nil }

func (e effect) Ready(in providers.Input, step providers.Step) providers.Readiness {
	n := in.World.Node(step.Node)
	if n.Unknown != "" {
		return providers.Readiness{State: providers.Unknown, Why: step.Node + ": " + n.Unknown}
	}
	a, err := providers.ArgsOf[args](step)
	if err != nil {
		return providers.Unreadable(err)
	}
	var done bool
	var now string
	switch e.operation {
	case "sim.renew":
		now, done = certificate(n).Serial, certificate(n).NotAfter.Equal(renewed)
	case "sim.restart":
		pod, _ := n.ControlPlane.StaticPod("kube-apiserver")
		now, done = pod.ContainerID, n.Certificates.Served[0].Serial == certificate(n).Serial
	case "sim.label":
		now, done = n.System.Hostname, n.System.Hostname == step.ID
	}
	switch {
	case done:
		return providers.Readiness{State: providers.Done, Why: "already so"}
	case now == a.Before:
		return providers.Readiness{State: providers.Holds, Why: "as planned"}
	default:
		return providers.Readiness{State: providers.Moved, Why: fmt.Sprintf("it is %s, and was %s", now, a.Before)}
	}
}

func (e effect) Proved(before, after providers.Input, step providers.Step) error {
	a, b := before.World.Node(step.Node), after.World.Node(step.Node)
	if b.Unknown != "" {
		return errors.New(b.Unknown)
	}
	unproved := false
	switch e.operation {
	case "sim.renew":
		unproved = certificate(a).Serial == certificate(b).Serial || !certificate(b).NotAfter.Equal(renewed)
	case "sim.restart":
		x, _ := a.ControlPlane.StaticPod("kube-apiserver")
		y, _ := b.ControlPlane.StaticPod("kube-apiserver")
		unproved = x.ContainerID == y.ContainerID || b.Certificates.Served[0].Serial != certificate(b).Serial
	case "sim.label":
		unproved = b.System.Hostname != step.ID
	}
	if unproved {
		return fmt.Errorf("%s is as before", step.Node)
	}
	return nil
}

func (e effect) ByHand(providers.Input, providers.Step) []providers.Command { return nil }

// fault is what goes wrong with one step.
type fault string

const (
	fails    fault = "fails"    // the operation returns an error and changes nothing
	lies     fault = "lies"     // the operation returns nil and changes nothing
	slow     fault = "slow"     // the change is seen only after a while
	tooSlow  fault = "too slow" // the change is seen only after the executor has given up
	halfway  fault = "halfway"  // the operation makes its change, then returns an error
	moved    fault = "moved"    // somebody else changed the ground since the plan was made
	unknown  fault = "unknown"  // the node does not answer
	flickers fault = "flickers" // the node does not answer the first time
	hangs    fault = "hangs"    // the operation waits for its context to end
)

// cluster is a simulated world. With a file it survives its process.
type cluster struct {
	mu     sync.Mutex
	file   string
	trace  durable.Tracer
	faults map[string]fault // by step id

	saved
	clock   time.Time
	visible map[string]time.Time // by node: when its latest change is seen
	shown   map[string]facts.Node
	looks   map[string]int
	sleeps  func() // nil, or told whenever time goes by
	log     []string
}

// saved is what a real cluster keeps when upkeep dies.
type saved struct {
	World facts.World
	Count int
	Acts  []string // steps whose change was made, in order
}

func newCluster(names ...string) *cluster {
	c := &cluster{faults: map[string]fault{}, clock: time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC),
		visible: map[string]time.Time{}, shown: map[string]facts.Node{}, looks: map[string]int{}}
	c.World.Kubernetes.UID, c.World.Kubernetes.Authority, c.World.Etcd.ClusterID = "uid-1", "ca-1", "etcd-1"
	c.World.Nodes = map[string]*facts.Node{}
	for _, name := range names {
		serial := "OLD-" + name
		c.World.Nodes[name] = &facts.Node{Name: name,
			System: facts.System{Hostname: name},
			Certificates: facts.Certificates{Layout: "kubeadm",
				Files:  []facts.CertificateFile{{Name: "apiserver", Blocks: []facts.Certificate{{Serial: serial, NotAfter: due}}}},
				Served: []facts.Served{{Name: "apiserver", Serial: serial}}},
			ControlPlane: facts.ControlPlane{StaticPods: []facts.StaticPod{{Component: "kube-apiserver", ContainerID: "container-" + name}}},
		}
	}
	return c
}

func (c *cluster) load() {
	data, err := os.ReadFile(c.file)
	if err == nil {
		c.saved = saved{}
		err = json.Unmarshal(data, &c.saved)
	}
	if err != nil {
		panic(err)
	}
}

func (c *cluster) save() {
	if c.file == "" {
		return
	}
	data, err := json.Marshal(c.saved)
	if err == nil {
		err = durable.Replace(c.file, data, 0o600, nil)
	}
	if err != nil {
		panic(err)
	}
}

// concrete replaces every facts.New by a value of its own.
func (c *cluster) concrete(u facts.Update) facts.Update {
	c.Count++
	data, err := json.Marshal(u)
	if err == nil {
		err = json.Unmarshal([]byte(strings.ReplaceAll(string(data), strconv.Quote(facts.New), strconv.Quote(fmt.Sprint("VALUE-", c.Count)))), &u)
	}
	if err != nil {
		panic(err)
	}
	return u
}

func (c *cluster) change(step providers.Step) {
	c.World = c.World.Clone()
	c.World.Apply(c.concrete(effect{step.Operation}.Predict(providers.Input{World: c.World}, step)))
	c.Acts = append(c.Acts, step.ID)
	c.save()
}

// Run is every operation of the cluster.
func (c *cluster) Run(ctx context.Context, step providers.Step, progress providers.Progress) error {
	progress("working on " + step.Node)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log = append(c.log, "act "+step.ID)
	c.trace.At("operation:begun")
	switch c.faults[step.ID] {
	case fails:
		return errors.New("exit status 1")
	case lies:
		return nil
	case hangs:
		c.mu.Unlock()
		<-ctx.Done()
		c.mu.Lock()
		return ctx.Err()
	case slow:
		c.shown[step.Node], c.visible[step.Node] = c.World.Node(step.Node), c.clock.Add(20*time.Second)
	case tooSlow:
		c.shown[step.Node], c.visible[step.Node] = c.World.Node(step.Node), c.clock.Add(10*time.Minute)
	}
	c.change(step)
	c.trace.At("operation:changed")
	if c.faults[step.ID] == halfway {
		return errors.New("connection closed")
	}
	return nil
}

func (c *cluster) observe(_ context.Context, steps ...providers.Step) (providers.Input, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, step := range steps {
		c.looks[step.ID]++
	}
	world := c.World.Clone()
	for name := range world.Nodes {
		if c.clock.Before(c.visible[name]) {
			n := c.shown[name]
			world.Nodes[name] = &n
		}
	}
	for _, step := range steps {
		switch f := c.faults[step.ID]; {
		case f == unknown, f == flickers && c.looks[step.ID] == 1:
			world.Nodes[step.Node] = &facts.Node{Name: step.Node, Unknown: "ssh: no answer"}
		}
	}
	return providers.Input{World: world, Now: c.clock}, nil
}

func (c *cluster) identify(context.Context) (planner.Identity, error) {
	return planner.Request{World: c.World}.Identity(), nil
}

func (c *cluster) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.clock
}

// Now and Advance implement tasks.Clock.
func (c *cluster) Now() time.Time { return c.now() }

func (c *cluster) Advance(d time.Duration) {
	if c.sleeps != nil {
		c.sleeps()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock = c.clock.Add(d)
}

// task runs an executor on its tasks, one thing at a time.
type task struct{ *apply.Executor }

func onTasks(e *apply.Executor) task { return task{e} }

func (s task) Run(ctx context.Context, plan planner.Plan) (result apply.Result, err error) {
	s.Tasks.(*tasks.Set).Run(func() { result, err = s.Executor.Run(ctx, plan) })
	return result, err
}

// executor returns an executor on the cluster that writes to j and knows history.
func (c *cluster) executor(j apply.Journal, history journal.History) *apply.Executor {
	e := &apply.Executor{
		Effects: map[string]providers.Effect{}, Operations: map[string]providers.Operation{},
		Observe: c.observe, Identify: c.identify, Journal: j, History: history, Who: "ops@admin", Generation: 3,
		Now: c.now, Tasks: tasks.New(c, 1, 2),
	}
	for _, operation := range []string{"sim.renew", "sim.restart", "sim.label"} {
		e.Effects[operation] = watched{effect{operation}, c}
		e.Operations[operation] = c
	}
	return e
}

// watched logs what was proved.
type watched struct {
	effect
	cluster *cluster
}

func (w watched) Proved(before, after providers.Input, step providers.Step) error {
	err := w.effect.Proved(before, after, step)
	if err == nil {
		w.cluster.mu.Lock()
		defer w.cluster.mu.Unlock()
		w.cluster.log = append(w.cluster.log, "proved "+step.ID)
	}
	return err
}

func step(operation, node, group, before string, after ...string) providers.Step {
	data, err := json.Marshal(args{before})
	if err != nil {
		panic(err)
	}
	address := providers.Address{Type: "sim", Name: "it", Node: node}
	lanes := []providers.Lane{providers.NodeLane(node)}
	if group != "" {
		lanes = append(lanes, providers.Lane{Name: group, Width: 1, Strict: true})
	}
	return providers.Step{ID: address.String() + "/" + strings.TrimPrefix(operation, "sim."), Address: address, Node: node,
		Operation: operation, Args: data, Lanes: lanes, After: after, Proof: "looked at " + node, Estimate: 3}
}

// planFor renews and restarts the control planes one at a time and labels the workers.
func planFor(c *cluster, controlPlanes, workers []string) planner.Plan {
	plan := planner.Plan{FormatVersion: planner.FormatVersion, ID: "plan-1", Digest: "sha256:0123", Applyable: true, Complete: true}
	plan.Request.World = c.World
	for _, name := range controlPlanes {
		renew := step("sim.renew", name, "control-plane", "OLD-"+name)
		plan.Steps = append(plan.Steps, renew, step("sim.restart", name, "control-plane", "container-"+name, renew.ID))
	}
	for _, name := range workers {
		plan.Steps = append(plan.Steps, step("sim.label", name, "", name))
	}
	return plan
}

// memoryJournal keeps records in memory, and dies after as many as it is told.
type memoryJournal struct {
	records []journal.Record
	// dies: no record after this many is kept, and the executor is told so; -1: it lives.
	dies int
	// early: the last record is kept, and its caller told otherwise (it died after the fsync, before it could go on).
	early bool
}

var errDied = errors.New("power failure")

func (j *memoryJournal) Append(records ...journal.Record) error {
	for _, r := range records {
		if err := j.append(r); err != nil {
			return err
		}
	}
	return nil
}

func (j *memoryJournal) append(r journal.Record) error {
	if j.dies >= 0 && len(j.records) >= j.dies {
		return errDied
	}
	r.Seq = uint64(len(j.records)) + 1
	j.records = append(j.records, r)
	if j.early && len(j.records) == j.dies {
		return errDied
	}
	return nil
}

func run(t testing.TB, c *cluster, plan planner.Plan) (apply.Result, *memoryJournal, error) {
	t.Helper()
	j := &memoryJournal{dies: -1}
	result, err := onTasks(c.executor(j, journal.History{})).Run(t.Context(), plan)
	return result, j, err
}

// outcomes is "STEP OUTCOME" for each step, for short comparisons.
func outcomes(r apply.Result) []string {
	var list []string
	for _, s := range r.Steps {
		list = append(list, strings.TrimPrefix(s.Step, "sim.it@")+" "+string(s.Outcome))
	}
	return list
}
