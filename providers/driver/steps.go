package driver

import (
	"fmt"
	"slices"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/downtime"
	"upkeep/providers/facts"
)

// args are the arguments of the domain's own steps. They are the same for the same due work on any day.
type args struct {
	// Object is the name of the node in Kubernetes.
	Object string          `json:"object"`
	Policy downtime.Policy `json:"policy"`
	// Version is the driver's, Open the kernel module's kind, Kernel what boots next; GPUs is how many GPUs the node must
	// have afterwards, and Fabric that it needs a fabric manager.
	Version string `json:"version"`
	Open    bool   `json:"open,omitempty"`
	Kernel  string `json:"kernel,omitempty"`
	GPUs    int    `json:"gpus,omitempty"`
	Fabric  bool   `json:"fabric,omitempty"`
	// Set are all packages of the driver, Change what of them is to do, and Installs and Removes all that apt would do.
	Set      []facts.PackageAt     `json:"set,omitempty"`
	Change   facts.AptChange       `json:"change,omitzero"`
	Installs []facts.PackageChange `json:"installs,omitempty"`
	Removes  []facts.PackageAt     `json:"removes,omitempty"`
	Hold     []string              `json:"hold,omitempty"`
	// Products: each GPU must compute something in the end.
	Products bool `json:"products,omitempty"`
}

// The estimates, in seconds, where no earlier run is remembered: some 400 MiB over the network, dpkg with a build of
// the module, and a fabric manager that starts (12 s to 3 minutes).
const (
	downloadEstimate = 120
	packagesEstimate = 300
	proveEstimate    = 60
)

// The limits of the operations, and how long the proof may take, in seconds.
const (
	aptLimit    = 3600
	proveSettle = 300
)

// take adds to what there is to do.
func (r *review) take(w *candidate) {
	w.left, w.turn = downtime.Ours(w.object, r.spec.Address()), downtime.Turn(r.in, w.object.Name)
	r.work = append(r.work, w)
	c := r.cohortOf[w.node.Name]
	c.work = append(c.work, w)
}

// build returns the steps of a candidate: those that bring it to its driver, or that give it back. With remember, the
// memory learns from them that the driver works on its model.
func (r *review) build(c *candidate, remember bool) []providers.Step {
	w := r.downtime(c)
	a := r.args(c.node, c.object, c.verdict)
	if c.returns {
		// Which kernel runs does not matter: the node is not down for one.
		w.Kernel, a.Kernel = "", r.in.World.Node(c.node.Name).System.Kernel
	}
	if !c.returns && !c.verdict.packages.change.Empty() {
		t := r.in.World.Node(c.node.Name).Apt.Trial // the one that trialProblems has seen
		a.Installs, a.Removes = t.Installs, t.Removes
		if t.Missing > 0 {
			w.Prepared = append(w.Prepared, r.download(c.node, a, *t))
		}
		w.Drained = append(w.Drained, r.packages(c.node, a))
	}
	if !c.returns || c.proved {
		w.Booted = append(w.Booted, r.prove(c.node, a))
	}
	var steps []providers.Step
	if c.returns {
		steps = downtime.Return(r.in, w)
	} else {
		steps = downtime.Reboot(r.in, w)
	}
	if !remember {
		return steps
	}
	// Behind the uncordon: on a node that is left cordoned no pod tries the driver.
	last, step := steps[len(steps)-1], r.record(c)
	step.After, step.Lanes, step.Turn, step.Repairs, step.Rest = []string{last.ID}, last.Lanes, last.Turn, last.Repairs, true
	step.Why = last.Why
	return append(steps, step)
}

// downtime is the node of a candidate as package downtime takes it.
func (r *review) downtime(c *candidate) downtime.Work {
	return downtime.Work{
		Address: r.spec.Address(), Node: c.node.Name, Object: c.object, Policy: r.spec.Policy,
		Kernel: r.in.World.Node(c.node.Name).Boot.Next, Plane: providers.IsPlane(c.node, c.object),
		Reason: "driver " + r.version,
		Why: append(slices.Clone(c.why), fmt.Sprintf("%s.version = %q (%s)", r.spec.Address(), r.spec.Version,
			r.spec.Position)),
		Lanes: []providers.Lane{r.lane, r.cohortOf[c.node.Name].lane}, Position: r.spec.Position,
	}
}

func (r *review) args(n config.Node, object facts.KubernetesNode, v verdict) args {
	observed := r.in.World.Node(n.Name)
	open, _ := moduleOf(r.spec.KernelModule, branchOf(r.version), observed)
	return args{
		Object: object.Name, Policy: r.spec.Policy, Version: r.version, Open: open, Kernel: observed.Boot.Next,
		GPUs: r.gpus(observed), Fabric: observed.NVIDIA.Fabric.Manager == facts.Needed,
		Set: v.packages.set, Change: v.packages.change, Hold: v.packages.hold,
		Products: r.spec.Validate != None,
	}
}

// gpus is how many GPUs a node must have afterwards: as many as work now; where the driver lists none now, as many as a
// person accepted, else as many as there are on the bus.
func (r *review) gpus(n facts.Node) int {
	working := 0
	for _, g := range n.NVIDIA.NVML.GPUs {
		if g.Unknown == "" {
			working++
		}
	}
	if working > 0 {
		return working
	}
	onBus := len(n.NVIDIA.Devices.GPUs)
	if accepted := len(r.accepted[n.Name].GPUs); accepted > 0 {
		return min(accepted, onBus)
	}
	return onBus
}

// giveBack plans to uncordon a node that an earlier run of the block left cordoned; with proved, once its driver is
// proved.
func (r *review) giveBack(n config.Node, object facts.KubernetesNode, why string, proved bool) {
	r.found(n, left, providers.SeverityWarning, why, "")
	r.take(&candidate{node: n, object: object, why: []string{why}, returns: true, proved: proved})
}

func (r *review) step(n config.Node, verb, operation string, a args, estimate float64) providers.Step {
	return providers.NewStep(r.in, r.spec.Address().On(n.Name), verb, operation, a, estimate)
}

func (r *review) download(n config.Node, a args, t facts.AptTrial) providers.Step {
	step := r.step(n, "download", OperationDownload, a, downloadEstimate)
	step.Limit = aptLimit
	step.Summary = "download driver " + a.Version
	step.Changes = []providers.Change{{What: "archives", Before: fmt.Sprintf("%d missing", t.Missing),
		After: fmt.Sprintf("all there, %d MiB more", t.Bytes>>20)}}
	step.Unaffected = "nothing is installed; pods keep running"
	step.Proof = "apt has each archive in its cache"
	step.Undo = "apt-get clean"
	step.Reversal = providers.Reversal{Way: providers.ReverseNone}
	step.Rest = true
	return step
}

func (r *review) packages(n config.Node, a args) providers.Step {
	step := r.step(n, "packages", OperationPackages, a, packagesEstimate)
	step.Limit = aptLimit
	step.Summary = "install driver " + a.Version
	observed := r.in.World.Node(n.Name)
	step.Changes = []providers.Change{
		{What: "driver", Before: orElse(observed.NVIDIA.Driver(), "none"), After: a.Version, Always: true},
	}
	if had := observed.NVIDIA.Module; !had.Loaded || had.Open != a.Open {
		before := "none"
		if had.Loaded {
			before = moduleText(had.Open)
		}
		step.Changes = append(step.Changes, providers.Change{What: "kernel module", Before: before,
			After: moduleText(a.Open), Always: true})
	}
	for _, p := range a.Installs {
		step.Changes = append(step.Changes, providers.Change{What: p.Name, Before: orElse(p.From, "not installed"),
			After: p.To})
	}
	for _, p := range a.Removes {
		step.Changes = append(step.Changes, providers.Change{What: p.Name, Before: p.Version, After: "removed"})
	}
	step.Disruption = "no program on " + n.Name + " can use a GPU until the node has rebooted"
	step.Unaffected = "other nodes keep running"
	step.Proof = "each package has its version; the module on disk for kernel " + a.Kernel + " is " + a.Version
	step.Undo = undo(a)
	step.Reversal = providers.Reversal{Way: providers.ReverseByHand}
	return step
}

// undo is how a person puts the packages back that were there, in words.
func undo(a args) string {
	var back facts.AptChange
	for _, p := range a.Installs {
		if p.From == "" {
			back.Remove = append(back.Remove, p.Name)
		} else {
			back.Install = append(back.Install, facts.PackageAt{Name: p.Name, Version: p.From})
		}
	}
	back.Install = append(back.Install, a.Removes...)
	return "apt-get --allow-downgrades install " + commandText(back)
}

func (r *review) prove(n config.Node, a args) providers.Step {
	// What the packages are is proved; the proof is the same whoever installed them.
	a.Set, a.Change, a.Installs, a.Removes, a.Hold = nil, facts.AptChange{}, nil, nil, nil
	step := r.step(n, "prove", OperationProve, a, proveEstimate)
	step.Action, step.Settle = "no-op", proveSettle
	step.Summary = "prove driver " + a.Version
	step.Changes = []providers.Change{{What: "driver", Before: "not proved", After: "proved"}}
	step.Proof = fmt.Sprintf("loaded module, module on disk and libraries are %s; cuInit works; NVML lists %s",
		a.Version, providers.Count(a.GPUs, "GPU"))
	if a.Fabric {
		step.Proof += "; the fabric manager is " + a.Version + " and runs; each GPU has registered in the fabric"
	}
	step.Proof += "; " + r.spec.validated()
	step.Undo = "none is needed: upkeep only looks"
	step.Reversal = providers.Reversal{Way: providers.ReverseNone}
	return step
}
