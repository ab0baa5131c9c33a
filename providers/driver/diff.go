package driver

import (
	"fmt"
	"slices"
	"strings"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/downtime"
	"upkeep/providers/facts"
)

// review is one Diff in progress.
type review struct {
	spec     Spec
	in       providers.Input
	out      providers.Outcome
	objects  map[string]*facts.KubernetesNode
	accepted map[string]facts.AcceptedNode
	lane     providers.Lane
	version  string
	// work is what there is to do, by node, in the order of the nodes; cohorts are the nodes by model.
	work     []*candidate
	cohorts  []*cohort
	cohortOf map[string]*cohort
	// unreadable is why the memory of the block cannot be read; empty: it can.
	unreadable string
}

// Diff says which nodes have another driver, and plans how they come to theirs.
func (s Spec) Diff(in providers.Input) providers.Outcome {
	r := &review{spec: s, in: in, objects: in.Objects()}
	var err error
	if r.accepted, err = in.Memory.Accepted(); err != nil {
		r.add(providers.Finding{ID: unknown, Severity: providers.SeverityError, Unknown: true, Object: "accepted nodes",
			Summary: err.Error()})
	}
	nodes, wrong := in.Selected(s.Nodes)
	for _, f := range wrong {
		r.add(f)
	}
	nodes = slices.DeleteFunc(nodes, func(n config.Node) bool {
		return !providers.HasModel(in.World.Node(n.Name),
			s.Models)
	})
	var names []string
	for _, n := range nodes {
		if object := r.objects[n.Name]; object != nil {
			names = append(names, object.Name)
		}
	}
	r.lane = s.Limits.Lane(s.Address(), names)
	var why string
	if r.version, why = s.resolveVersion(in, nodes); why != "" {
		r.add(providers.Finding{ID: disagree, Severity: providers.SeverityError, Object: "version", Summary: why,
			Hint: "apt-get update on each of these nodes, or write a complete version"})
	}
	r.sort(nodes)
	if r.version != "" {
		r.recall(nodes)
	}
	elsewhere := r.others()
	for _, n := range nodes {
		r.node(n, elsewhere[n.Name])
	}
	r.plan()
	r.undeclared()
	return r.out
}

func (r *review) add(f providers.Finding) {
	if f.Address == (providers.Address{}) {
		f.Address = r.spec.Address()
	}
	f.Position = r.spec.Position.String()
	r.out.Findings = append(r.out.Findings, f)
}

// found adds a finding of a node.
func (r *review) found(n config.Node, id string, severity providers.Severity, summary, hint string) {
	r.add(providers.Finding{ID: id, Severity: severity, Address: r.spec.Address().On(n.Name), Object: "driver",
		Summary: summary, Hint: hint, Unknown: id == unknown})
}

// watch lists a node for `status`.
func (r *review) watch(n config.Node, status, detail string) {
	if !r.in.NoObjects {
		r.out.Objects = append(r.out.Objects, providers.Object{Address: r.spec.Address().On(n.Name),
			Name: "driver: " + detail, Status: status})
	}
}

// others returns the other blocks of this type that select a node, by the node's name.
func (r *review) others() map[string]providers.Address {
	out := map[string]providers.Address{}
	for _, declared := range r.in.Declared {
		other, is := declared.(Spec)
		if !is || other.Address() == r.spec.Address() {
			continue
		}
		for _, n := range other.nodes(r.in) {
			out[n.Name] = other.Address()
		}
	}
	return out
}

// undeclared notes the nodes with GPUs that no block of this type selects. The first of the blocks does so.
func (r *review) undeclared() {
	selected := map[string]bool{}
	first := true
	for _, declared := range r.in.Declared {
		other, is := declared.(Spec)
		if !is {
			continue
		}
		if first && other.Address() != r.spec.Address() {
			return
		}
		first = false
		for _, n := range other.nodes(r.in) {
			selected[n.Name] = true
		}
	}
	if first {
		return // nobody said what is declared
	}
	for _, n := range r.in.Inventory.Nodes {
		observed := r.in.World.Nodes[n.Name]
		if observed == nil || observed.Unknown != "" || selected[n.Name] || operatedByOther(*observed) ||
			observed.NVIDIA.Unknown != "" || len(observed.NVIDIA.Devices.GPUs) == 0 {
			continue
		}
		r.found(n, unclaimed, providers.SeverityNote, fmt.Sprintf("no nvidia_driver block selects %s, which runs driver %s",
			n.Name,
			orElse(observed.NVIDIA.Driver(), "of unknown version")), "add the node to the nodes of an nvidia_driver block")
	}
}

// node judges one node, and plans its steps.
func (r *review) node(n config.Node, elsewhere providers.Address) {
	observed := r.in.World.Node(n.Name)
	object := r.objects[n.Name]
	switch {
	case observed.Unknown != "":
		r.add(providers.Silent(r.spec.Address(), observed))
		r.watch(n, "unknown", "unknown")
		return
	case elsewhere != (providers.Address{}):
		r.found(n, twice, providers.SeverityError,
			elsewhere.String()+" selects the node, too: upkeep changes nothing on the node",
			"name each node in one nvidia_driver block")
		r.watch(n, "problem", "declared twice")
		return
	case operatedByOther(observed):
		r.found(n, operated, providers.SeverityError, "NVIDIA's GPU Operator runs the driver of the node in a container: "+
			"packages on the host would break the driver",
			"remove the node from the block; set driver.version of the operator's chart instead")
		r.watch(n, "problem", "run by the GPU Operator")
		return
	case r.version == "":
		r.watch(n, "unknown", "wanted version unknown")
		return
	}
	v := judge(r.spec, r.version, observed)
	switch {
	case v.absent:
		r.watch(n, "ok", "no GPU")
		return
	case v.unknown != "":
		r.found(n, unknown, providers.SeverityError, "whether the node has driver "+r.version+" is not known: "+v.unknown, "")
		r.watch(n, "unknown", "unknown")
		return
	case len(v.why) == 0:
		r.watch(n, "ok", r.version)
		switch {
		case object == nil:
		case downtime.Ours(*object, r.spec.Address()):
			r.giveBack(n, *object, "an earlier run left the node cordoned after its driver changed", true)
		case notWorking(r.wanted(observed, r.gpus(observed)), observed, *object) == "":
			c := r.cohortOf[n.Name]
			c.working = append(c.working, &candidate{node: n, object: *object, has: true})
		}
		return
	}
	r.watch(n, "due", orElse(observed.NVIDIA.Driver(), "none")+" -> "+r.version)
	why := slices.Clone(v.why)
	for _, text := range []string{r.waits(object), r.soaks(r.cohortOf[n.Name])} {
		if text != "" {
			why = append(why, text)
		}
	}
	r.found(n, due, providers.SeverityWarning, strings.Join(why, "; "), "")
	switch {
	case object == nil && r.in.World.Kubernetes.Unknown != "":
		r.found(n, unknown, providers.SeverityError, "Kubernetes: "+r.in.World.Kubernetes.Unknown, "")
		return
	case object == nil:
		r.found(n, blocked, providers.SeverityError, "Kubernetes has no such node", "")
		return
	}
	problems := v.problems
	if change := v.packages.change; len(problems) == 0 && !change.Empty() {
		problems = trialProblems(observed, r.version, change)
	}
	for _, p := range problems {
		id := blocked
		if p.unknown {
			id = unknown
		}
		r.found(n, id, providers.SeverityError, p.text, p.hint)
	}
	if r.stopped(n, observed, *object) || len(problems) > 0 {
		r.stuck(n, *object)
		return
	}
	if v.packages.dkms && observed.Boot.SecureBoot == facts.SecureBootEnabled {
		r.found(n, signing, providers.SeverityNote, "Secure Boot is enabled, and DKMS builds the kernel module: "+
			"the key of DKMS must stay enrolled, or the kernel refuses the module", "mokutil --list-enrolled")
	}
	r.take(&candidate{node: n, object: *object, verdict: v, why: why})
}

// waits says for which leases a node waits; empty where there are none, or they are not waited for.
func (r *review) waits(object *facts.KubernetesNode) string {
	t := r.in.World.Tenancies
	if object == nil || t == nil || r.spec.Policy.Leases != downtime.LeasesWait {
		return ""
	}
	if on := t.On(object.Name); len(on) > 0 {
		return "the change waits for " + downtime.LeasesText(object.Name, on)
	}
	return ""
}

// stopped says what keeps a node that is due from being taken down now, and reports whether anything does.
func (r *review) stopped(n config.Node, observed facts.Node, object facts.KubernetesNode) bool {
	if r.in.World.Here.Is(observed) {
		r.found(n, itself, providers.SeverityError, downtime.SelfText, "")
		return true
	}
	stop := downtime.Stops(r.in, downtime.Work{
		Address: r.spec.Address(), Node: n.Name, Object: object, Policy: r.spec.Policy, Plane: providers.IsPlane(n, object),
	})
	switch {
	case stop == nil:
		return false
	case stop.GiveBack:
		r.giveBack(n, object, stop.Why, false)
	case stop.Unknown:
		r.found(n, unknown, providers.SeverityError, stop.Why, stop.Hint)
	default:
		r.found(n, blocked, providers.SeverityError, stop.Why, stop.Hint)
	}
	return true
}
