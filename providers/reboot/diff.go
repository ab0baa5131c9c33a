package reboot

import (
	"fmt"
	"slices"
	"strings"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/downtime"
	"upkeep/providers/facts"
)

// The ids of the findings.
const (
	due     = "NODE_REBOOT_DUE"
	blocked = "NODE_REBOOT_BLOCKED"
	itself  = "NODE_REBOOT_ITSELF"
	unknown = "NODE_REBOOT_UNKNOWN"
	left    = "NODE_LEFT_CORDONED"
)

// review is one Diff in progress.
type review struct {
	spec    Spec
	in      providers.Input
	out     providers.Outcome
	objects map[string]*facts.KubernetesNode
	lane    providers.Lane
}

// Diff says which nodes are due, and plans their reboots.
func (s Spec) Diff(in providers.Input) providers.Outcome {
	r := &review{spec: s, in: in, objects: in.Objects()}
	nodes, wrong := in.Selected(s.Nodes)
	for _, f := range wrong {
		r.add(f)
	}
	nodes = slices.DeleteFunc(nodes, func(n config.Node) bool { return !providers.HasModel(in.World.Node(n.Name), s.Models) })
	var names []string
	for _, n := range nodes {
		if object := r.objects[n.Name]; object != nil {
			names = append(names, object.Name)
		}
	}
	r.lane = s.Limits.Lane(s.Address(), names)
	for _, n := range nodes {
		r.node(n)
	}
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
	r.add(providers.Finding{ID: id, Severity: severity, Address: r.spec.Address().On(n.Name), Object: "reboot",
		Summary: summary, Hint: hint, Unknown: id == unknown})
}

// watch lists a node for `status`.
func (r *review) watch(n config.Node, status, detail string) {
	if !r.in.NoObjects {
		r.out.Objects = append(r.out.Objects, providers.Object{Address: r.spec.Address().On(n.Name),
			Name: "reboot: " + detail, Status: status})
	}
}

// node judges one node, and plans its steps.
func (r *review) node(n config.Node) {
	observed := r.in.World.Node(n.Name)
	if observed.Unknown != "" {
		r.add(providers.Silent(r.spec.Address(), observed))
		r.watch(n, "unknown", "unknown")
		return
	}
	why, notKnown := r.spec.due(observed)
	object := r.objects[n.Name]
	switch {
	case object == nil && r.in.World.Kubernetes.Unknown != "":
		r.found(n, unknown, providers.SeverityError, "Kubernetes: "+r.in.World.Kubernetes.Unknown, "")
		r.watch(n, "unknown", "unknown")
		return
	case notKnown != "":
		r.found(n, unknown, providers.SeverityError, "whether the node must reboot is not known: "+notKnown, "")
		r.watch(n, "unknown", "unknown")
		return
	case len(why) == 0:
		r.watch(n, "ok", "none is due")
		if object != nil && downtime.Ours(*object, r.spec.Address()) {
			r.giveBack(n, *object, "an earlier run left the node cordoned after its reboot")
		}
		return
	}
	r.watch(n, "due", "due")
	if text := r.waits(object); text != "" {
		why = append(why, text)
	}
	r.found(n, due, providers.SeverityWarning, strings.Join(why, "; "), "")
	if object == nil {
		r.found(n, blocked, providers.SeverityError, "Kubernetes has no such node", "")
		return
	}
	if r.spec.When == OlderThan && observed.Boot.Next == "" {
		r.found(n, unknown, providers.SeverityError, "whether a reboot brings a newer kernel is not known: "+
			orElse(observed.Boot.NextUnknown, observed.Boot.Unknown), "")
		return
	}
	if r.spec.When == OlderThan &&
		facts.CompareKernels(observed.Boot.Next, r.spec.Kernel) < 0 {
		r.found(n, blocked, providers.SeverityError, fmt.Sprintf("kernel %s boots next, and is older than %s, too: a reboot changes nothing",
			observed.Boot.Next, r.spec.Kernel), "install a newer kernel on the node")
		return
	}
	if r.stopped(n, observed, *object) {
		return
	}
	r.out.Steps = append(r.out.Steps, downtime.Reboot(r.in, r.work(n, *object, why))...)
}

// waits says for which leases a node waits; empty where there are none, or they are not waited for.
func (r *review) waits(object *facts.KubernetesNode) string {
	t := r.in.World.Tenancies
	if object == nil || t == nil || r.spec.Policy.Leases != downtime.LeasesWait {
		return ""
	}
	if on := t.On(object.Name); len(on) > 0 {
		return "the reboot waits for " + downtime.LeasesText(object.Name, on)
	}
	return ""
}

// work is the node as package downtime takes it.
func (r *review) work(n config.Node, object facts.KubernetesNode, why []string) downtime.Work {
	return downtime.Work{
		Address: r.spec.Address(), Node: n.Name, Object: object, Policy: r.spec.Policy,
		Kernel: r.in.World.Node(n.Name).Boot.Next, Plane: providers.IsPlane(n, object), Reason: "the node reboots",
		Why:   append(slices.Clone(why), fmt.Sprintf("%s.when = %q (%s)", r.spec.Address(), r.spec.When, r.spec.Position)),
		Lanes: []providers.Lane{r.lane}, Position: r.spec.Position,
	}
}

// giveBack plans to uncordon a node that an earlier run of the block left cordoned.
func (r *review) giveBack(n config.Node, object facts.KubernetesNode, why string) {
	r.found(n, left, providers.SeverityWarning, why, "")
	w := r.work(n, object, []string{why})
	// Which kernel runs does not matter: the node is not down for one.
	w.Kernel = ""
	r.out.Steps = append(r.out.Steps, downtime.Return(r.in, w)...)
}

// stopped says what keeps a node that is due from being taken down now, and reports whether anything does.
func (r *review) stopped(n config.Node, observed facts.Node, object facts.KubernetesNode) bool {
	if r.in.World.Here.Is(observed) {
		r.found(n, itself, providers.SeverityError, downtime.SelfText, "")
		return true
	}
	stop := downtime.Stops(r.in, r.work(n, object, nil))
	switch {
	case stop == nil:
		return false
	case stop.GiveBack:
		r.giveBack(n, object, stop.Why)
	case stop.Unknown:
		r.found(n, unknown, providers.SeverityError, stop.Why, stop.Hint)
	default:
		r.found(n, blocked, providers.SeverityError, stop.Why, stop.Hint)
	}
	return true
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
