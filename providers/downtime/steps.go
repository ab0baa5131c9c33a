package downtime

import (
	"fmt"
	"time"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// The operations.
const (
	OperationCordon   = "node.cordon"
	OperationDrain    = "node.drain"
	OperationReboot   = "node.reboot"
	OperationUncordon = "node.uncordon"
)

// Effects are the pure meaning of the operations.
func Effects() map[string]providers.Effect {
	out := map[string]providers.Effect{}
	for _, operation := range []string{OperationCordon, OperationDrain, OperationReboot, OperationUncordon} {
		out[operation] = effect{operation}
	}
	return out
}

// args are the arguments of all steps of a node. They are the same for the same due work on any day.
type args struct {
	// Object is the name of the node in Kubernetes.
	Object string `json:"object"`
	Policy Policy `json:"policy"`
	// Kernel is the release that the node runs afterwards; empty where that cannot be told.
	Kernel string `json:"kernel,omitempty"`
	// Plane: it is a control plane, or a member of etcd.
	Plane bool `json:"plane,omitempty"`
	// Reason is what the mark says.
	Reason string `json:"reason,omitempty"`
}

// Work is one node, and why it is taken down.
type Work struct {
	// Address is that of the block; Node the node's name, Object what Kubernetes says of it.
	Address providers.Address
	Node    string
	Object  facts.KubernetesNode
	Policy  Policy
	// Kernel is the release that boots next; empty where that cannot be told.
	Kernel string
	Plane  bool
	// Reason is for the mark, Why for the plan.
	Reason   string
	Why      []string
	Lanes    []providers.Lane
	Position config.Position
	// Prepared, Drained and Booted are further steps of the domain: before the node is cordoned, between its drain and
	// its reboot, and between its reboot and its return. What they are, the domain says; their order, lanes, reasons and
	// guards are the series' own.
	Prepared, Drained, Booted []providers.Step
}

// The estimates, in seconds, where no earlier run is remembered: requests to the API server, pods that end, and a
// machine that boots (15 to 30 minutes on metal, a minute for a virtual machine; fleet notes).
const (
	requestEstimate = 2
	drainEstimate   = 60
	rebootEstimate  = 600
)

// settle is how long after its operation a node may take until its kubelet says that it is Ready, and etcd is healthy.
const settle = 10 * time.Minute

// Reboot returns the steps that reboot a node: cordon it, drain it, reboot it, uncordon it. A node that another block
// of upkeep's has cordoned keeps that cordon.
func Reboot(in providers.Input, w Work) []providers.Step {
	s := series{in: in, work: w}
	s.place(w.Prepared)
	if !w.Object.Unschedulable {
		s.cordon()
	}
	s.drain()
	s.place(w.Drained)
	s.reboot()
	s.place(w.Booted)
	if !w.Object.Unschedulable || Ours(w.Object, w.Address) {
		s.uncordon()
	}
	s.steps[len(s.steps)-1].Rest = true
	return s.steps
}

// Return returns the steps that put a node back into service which an earlier run of the block left cordoned: those of
// Work.Booted, and the one that uncordons it.
func Return(in providers.Input, w Work) []providers.Step {
	s := series{in: in, work: w}
	s.place(w.Booted)
	s.uncordon()
	// What was left takes a place of its lanes: were it held back by them, nodes that were left would wait for one
	// another.
	for i := range s.steps {
		s.steps[i].Repairs = true
	}
	s.steps[len(s.steps)-1].Rest = true
	return s.steps
}

// Ours reports whether a node is cordoned under a mark of this block.
func Ours(n facts.KubernetesNode, block providers.Address) bool {
	return n.Unschedulable && n.Cordon != nil && n.Cordon.Unknown == "" && n.Cordon.By == block.Resource().String()
}

// series are the steps of one node, in their order.
type series struct {
	in    providers.Input
	work  Work
	steps []providers.Step
}

func (s *series) add(verb, operation string, estimate float64) *providers.Step {
	w := s.work
	a := args{Object: w.Object.Name, Policy: w.Policy, Kernel: w.Kernel, Plane: w.Plane, Reason: w.Reason}
	return s.append(providers.NewStep(s.in, w.Address.On(w.Node), verb, operation, a, estimate))
}

// place appends steps of the domain.
func (s *series) place(steps []providers.Step) {
	for _, step := range steps {
		placed := s.append(step)
		if placed.Disruption != "" {
			s.guards(placed)
		}
	}
}

// append puts a step behind the ones that there are.
func (s *series) append(step providers.Step) *providers.Step {
	step.Lanes, step.Position, step.Why = s.work.Lanes, s.work.Position.String(), s.work.Why
	// Nodes without tenants go first, and those that carry what many depend on last.
	step.Turn = Turn(s.in, s.work.Object.Name)
	if n := len(s.steps); n > 0 {
		step.After = []string{s.steps[n-1].ID}
	}
	s.steps = append(s.steps, step)
	return &s.steps[len(s.steps)-1]
}

// Turn is the turn of a node, by its name in Kubernetes: nodes of a lower turn go first.
func Turn(in providers.Input, object string) (turn int) {
	if t := in.World.Tenancies; t != nil && len(t.On(object)) > 0 {
		turn++
	}
	if r := in.World.Residents; r != nil && len(r.On(object)) > 0 {
		turn++
	}
	return turn
}

func (s *series) cordon() {
	step := s.add("cordon", OperationCordon, requestEstimate)
	step.Summary = "cordon " + s.work.Object.Name
	step.Changes = []providers.Change{{What: "schedulable", Before: "yes", After: "no, under a mark of upkeep's"}}
	step.Unaffected = "pods on the node keep running; no new pod is placed on the node"
	step.Proof = "the node is unschedulable and carries the mark of " + s.work.Address.String()
	step.Undo = "upkeep marks -undo cordon/" + s.work.Object.Name
	step.Reversal = providers.Reversal{Way: providers.ReverseByHand}
}

func (s *series) drain() {
	w := s.work
	step := s.add("drain", OperationDrain, drainEstimate)
	step.Limit = w.Policy.DrainTimeout.Seconds() + requestEstimate
	step.Summary = "drain " + w.Object.Name
	step.Disruption = "upkeep evicts the pods of " + w.Object.Name
	if d, asked := s.in.World.Drains[w.Object.Name]; asked && d.Unknown == "" {
		var names []string
		for _, p := range d.Pods {
			if !p.Tenant || w.Policy.Leases == LeasesInterrupt { // else they have left by then
				names = append(names, p.String())
			}
		}
		step.Disruption = "upkeep evicts " + providers.Count(len(names), "pod") + " of " + w.Object.Name
		if len(names) > 0 {
			step.Disruption += ": " + providers.Few(names)
		}
		step.Changes = []providers.Change{{What: "pods to evict", Before: fmt.Sprint(len(names)), After: "0"}}
	}
	if text := s.leases(); text != "" {
		step.Disruption += ". " + text
	}
	step.Unaffected = "pods of DaemonSets and static pods stay"
	step.Proof = "no pod is left that a drain evicts"
	step.Undo = "none is needed: the pods start on other nodes"
	step.Reversal = providers.Reversal{Way: providers.ReverseNone}
	s.guards(step)
}

// leases says what the step costs tenants; empty where there is none on the node.
func (s *series) leases() string {
	t := s.in.World.Tenancies
	if t == nil || s.work.Policy.Leases != LeasesInterrupt {
		return ""
	}
	on := t.On(s.work.Object.Name)
	if len(on) == 0 {
		return ""
	}
	gpus, kept := 0, 0
	for _, l := range on {
		for _, p := range l.Pods {
			if p.Node == s.work.Object.Name {
				gpus += p.GPUs
				if p.Persistent {
					kept++
				}
			}
		}
	}
	return fmt.Sprintf("%s with %s stop until their pods run again; data outside of volumes is lost (%s with a volume)",
		providers.Count(len(on), "lease"), providers.Count(gpus, "GPU"), providers.Count(kept, "pod"))
}

func (s *series) reboot() {
	w := s.work
	step := s.add("reboot", OperationReboot, rebootEstimate)
	step.Limit = w.Policy.RebootTimeout.Seconds()
	step.Settle = settle.Seconds()
	step.Summary = "reboot " + w.Node
	node := s.in.World.Node(w.Node)
	switch {
	case w.Kernel == "":
		step.Changes = []providers.Change{{What: "kernel", Before: node.System.Kernel, After: "unknown"}}
	case w.Kernel != node.System.Kernel:
		step.Changes = []providers.Change{{What: "kernel", Before: node.System.Kernel, After: w.Kernel, Always: true}}
	default:
		step.Changes = []providers.Change{{What: "boot", Before: "running", After: "another one"}}
	}
	step.Disruption = fmt.Sprintf("%s is down for about %s", w.Node,
		config.Duration(max(step.EstimateDuration(), time.Minute).Round(time.Minute)))
	if r := s.in.World.Residents; r != nil && r.Unknown == "" {
		if on := r.On(w.Object.Name); len(on) > 0 {
			step.Disruption += "; the node also runs " + ResidentsText(on)
		}
	}
	step.Unaffected = "other nodes keep running"
	step.Undo = "none is needed: the node boots the kernel that boots next"
	step.Reversal = providers.Reversal{Way: providers.ReverseNone}
	step.Proof = "another boot id; the kubelet says Ready since the boot"
	if w.Kernel != "" {
		step.Proof += "; the node runs kernel " + w.Kernel
	}
	if w.Plane {
		step.Proof += "; etcd is healthy"
	}
	s.guards(step)
}

// guards names what must be around a step that disrupts.
func (s *series) guards(step *providers.Step) {
	step.Guards = []providers.Need{{Name: GuardBackup}}
	if s.work.Policy.Leases == LeasesInterrupt {
		step.Guards = append(step.Guards, providers.Need{Name: GuardLeases, Optional: true})
	}
}

func (s *series) uncordon() {
	step := s.add("uncordon", OperationUncordon, requestEstimate)
	step.Summary = "uncordon " + s.work.Object.Name
	step.Changes = []providers.Change{{What: "schedulable", Before: "no, under a mark of upkeep's", After: "yes"}}
	step.Proof = "the node is schedulable and carries no mark"
	step.Undo = "kubectl cordon " + s.work.Object.Name
	step.Reversal = providers.Reversal{Way: providers.ReverseByHand}
}
