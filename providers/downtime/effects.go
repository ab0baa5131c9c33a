package downtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/etcd/health"
	"upkeep/providers/facts"
)

// SelfText is why the node is refused that upkeep runs on.
const SelfText = "upkeep runs on this node, and a reboot ends upkeep: run upkeep from another machine"

// effect is the pure meaning of one of the operations.
type effect struct{ operation string }

// Needs is the step's own node, the cluster, its tenants, what a drain would do and, for a control plane, etcd.
func (e effect) Needs(_ providers.Input, step providers.Step) providers.Needs {
	needs := providers.Needs{
		Nodes:      []providers.NodeNeed{{Nodes: config.Selection{Names: []string{step.Node}}}},
		Kubernetes: providers.KubernetesNeeds{Cluster: true, Tenancies: true},
	}
	a, err := providers.ArgsOf[args](step)
	if err != nil {
		return needs // Ready says so
	}
	if e.operation == OperationCordon || e.operation == OperationDrain {
		needs.Kubernetes.Drains = []facts.DrainQuestion{{Node: a.Object, Try: true}}
	}
	needs.Kubernetes.Maintenance = e.operation == OperationCordon
	needs.Etcd = a.Plane
	return needs
}

// ground is the boot that a step is made for.
type ground struct {
	Node   string `json:"node,omitempty"`
	BootID string `json:"boot_id,omitempty"`
}

// Lines renders it.
func (g ground) Lines() []string { return []string{"boot id of " + g.Node + " = " + g.BootID} }

// Ground is the boot that the node is in.
func (e effect) Ground(in providers.Input, step providers.Step) providers.Ground {
	boot := in.World.Node(step.Node).System.BootID
	if e.operation == OperationUncordon || boot == "" || boot == facts.New {
		return nil
	}
	return ground{step.Node, boot}
}

// Predict returns the parts of the world that the step changes.
func (e effect) Predict(in providers.Input, step providers.Step) facts.Update {
	a, err := providers.ArgsOf[args](step)
	if err != nil {
		return facts.Update{}
	}
	k := in.World.Kubernetes
	k.Nodes = slices.Clone(k.Nodes)
	i := slices.IndexFunc(k.Nodes, func(n facts.KubernetesNode) bool { return n.Name == a.Object })
	if i < 0 {
		return facts.Update{}
	}
	u := facts.Update{Kubernetes: &k}
	switch e.operation {
	case OperationCordon:
		if !k.Nodes[i].Unschedulable {
			k.Nodes[i].Unschedulable = true
			k.Nodes[i].Cordon = &facts.Cordon{By: step.Address.Resource().String(), Run: facts.New, Why: a.Reason,
				Since: in.Now.UTC()}
		}
		if a.Policy.Leases == LeasesWait { // it is not cordoned before they have left
			u.Tenancies = without(in.World.Tenancies, a.Object)
			u.Drains = withoutTenants(in.World.Drains, a.Object)
		}
	case OperationDrain:
		u.Drains = map[string]facts.Drain{a.Object: {Tried: in.World.Drains[a.Object].Tried}}
		u.Tenancies = without(in.World.Tenancies, a.Object)
	case OperationReboot:
		k.Nodes[i].Boot, k.Nodes[i].Ready = facts.New, true
		if node, known := in.World.Nodes[step.Node]; known {
			u.Nodes = []facts.Node{booted(*node, a.Kernel, in.Now)}
		}
	case OperationUncordon:
		k.Nodes[i].Unschedulable, k.Nodes[i].Cordon = false, nil
	}
	return u
}

// without returns tenancies none of whose pods is on a node.
func without(t *facts.Tenancies, node string) *facts.Tenancies {
	if t == nil || len(t.On(node)) == 0 {
		return t
	}
	out := *t
	out.Leases = slices.Clone(t.Leases)
	for i := range out.Leases {
		l := &out.Leases[i]
		l.Pods = slices.DeleteFunc(slices.Clone(l.Pods), func(p facts.TenantPod) bool { return p.Node == node })
	}
	return &out
}

// withoutTenants returns what draining a node would do once its tenants have left; nil where that is the same.
func withoutTenants(drains map[string]facts.Drain, node string) map[string]facts.Drain {
	d := drains[node]
	if !slices.ContainsFunc(d.Pods, func(p facts.DrainPod) bool { return p.Tenant }) {
		return nil
	}
	d.Pods = slices.DeleteFunc(slices.Clone(d.Pods), func(p facts.DrainPod) bool { return p.Tenant })
	return map[string]facts.Drain{node: d}
}

// booted is a node after a reboot: what it starts by itself has a new start.
func booted(n facts.Node, kernel string, now time.Time) facts.Node {
	n.System.BootID = facts.New
	if kernel != "" {
		n.System.Kernel = kernel
	}
	n.Boot.Reboot = facts.Reboot{}
	n.ControlPlane.StaticPods = slices.Clone(n.ControlPlane.StaticPods)
	for i := range n.ControlPlane.StaticPods {
		p := &n.ControlPlane.StaticPods[i]
		p.ContainerID, p.StartedAt = facts.New, now.UTC()
	}
	n.Services = slices.Clone(n.Services)
	for i := range n.Services {
		if s := &n.Services[i]; s.Unknown == "" {
			s.Invocation, s.Started = facts.New, now.UTC()
		}
	}
	if module := n.NVIDIA.ModuleOf(kernel); n.NVIDIA.Module.Loaded && module.Unknown == "" && !module.Missing {
		n.NVIDIA.Module.Version = module.Version
	}
	return n
}

// look is what a world says of a step's node.
type look struct {
	args
	in      providers.Input
	step    providers.Step
	was     ground
	node    facts.Node
	object  facts.KubernetesNode
	tenants []facts.TenantLease
}

// lookAt returns what a world says of a step's node, or why nothing can be decided.
func lookAt(in providers.Input, step providers.Step) (l look, not *providers.Readiness) {
	refuse := func(r providers.Readiness) (look, *providers.Readiness) { return l, &r }
	var err error
	if l.args, err = providers.ArgsOf[args](step); err != nil {
		return refuse(providers.Unreadable(err))
	}
	if l.was, err = providers.GroundOf[ground](step); err != nil {
		return refuse(providers.Unreadable(err))
	}
	if why := in.World.Kubernetes.Unknown; why != "" {
		return refuse(providers.Unknown.Because("Kubernetes: %s", why))
	}
	i := slices.IndexFunc(in.World.Kubernetes.Nodes, func(n facts.KubernetesNode) bool { return n.Name == l.Object })
	if i < 0 {
		return refuse(providers.Moved.Because("Kubernetes has no node %s", l.Object))
	}
	l.in, l.step, l.object, l.node = in, step, in.World.Kubernetes.Nodes[i], in.World.Node(step.Node)
	if l.node.Unknown != "" {
		return refuse(providers.Unknown.Because("nothing is known of %s: %s", step.Node, l.node.Unknown))
	}
	switch t := in.World.Tenancies; {
	case t == nil:
		return refuse(providers.Unknown.Because("nobody asked for the leases of tenants"))
	case t.Unknown != "":
		return refuse(providers.Unknown.Because("the leases of tenants: %s", t.Unknown))
	default:
		l.tenants = t.On(l.Object)
	}
	return l, nil
}

// ours reports whether the node is cordoned under a mark of the step's block.
func (l look) ours() bool { return Ours(l.object, l.step.Address) }

// Down says why work must not begin on a node that the series has drained: it has booted since the plan was made, its
// cordon is not as it should be, or nothing is known. Nil: the work may begin. The step is one of Work.Drained, object
// the node's name in Kubernetes.
func Down(in providers.Input, step providers.Step, object string, policy Policy) *providers.Readiness {
	data, err := json.Marshal(args{Object: object, Policy: policy})
	if err != nil {
		r := providers.Unreadable(err)
		return &r
	}
	step.Args = data
	l, not := lookAt(in, step)
	switch {
	case not != nil:
		return not
	case in.World.Here.Is(l.node):
		r := providers.Moved.Because("%s", SelfText)
		return &r
	}
	if r := l.rebooted(); r != nil {
		return r
	}
	return l.held()
}

// GroundOf is what every step of a series relies on: the boot that the node is in. A step of Work.Drained has it, too.
func GroundOf(in providers.Input, step providers.Step) providers.Ground {
	return effect{}.Ground(in, step)
}

// rebooted says what it means that the node has booted since the plan was made; nil: it has not.
func (l look) rebooted() *providers.Readiness {
	if l.was.BootID == "" || l.node.System.BootID == l.was.BootID {
		return nil
	}
	r := providers.Done.Because("the node has booted since the plan was made")
	if l.Kernel != "" && l.node.System.Kernel != l.Kernel {
		r = providers.Moved.Because("the node has booted since the plan was made, and runs kernel %s, not %s",
			l.node.System.Kernel, l.Kernel)
	}
	return &r
}

// LeasesText names leases: "2 leases on gpu7: akash1.../5/1/1, akash1.../6/1/1".
func LeasesText(node string, leases []facts.TenantLease) string {
	var names []string
	for _, l := range leases {
		names = append(names, strings.TrimSuffix(l.ID(), "/"+l.Provider))
	}
	return fmt.Sprintf("%s on %s: %s", providers.Count(len(leases), "lease"), node, providers.Few(names))
}

// Forbidden says why the pods of a node are not evicted as the policy has it, and what to write; "" where they may be.
func (p Policy) Forbidden(d facts.Drain) (why, hint string) {
	var bare, data []string
	for _, pod := range d.Pods {
		switch {
		case pod.Owner == "" && !p.Bare:
			bare = append(bare, pod.String())
		case pod.EmptyDir && !pod.Tenant && !p.EmptyDir:
			data = append(data, pod.String())
		}
	}
	switch {
	case len(bare) > 0:
		return "no controller makes these pods again: " + providers.Few(bare),
			"remove the pods, or write drain { bare = true }"
	case len(data) > 0:
		return "these pods have data in emptyDir volumes: " + providers.Few(data),
			"write drain { emptydir = true } to lose the data"
	}
	return "", ""
}

// Refusals names the pods whose eviction is refused now, and why; "" where none is.
func Refusals(d facts.Drain) string {
	var out []string
	for _, pod := range d.Pods {
		if pod.Refused != "" {
			out = append(out, pod.String()+": "+pod.Refused)
		}
	}
	return providers.Few(out)
}

// PlaneTrouble says why a control plane or member of etcd must not go down now: etcd is not healthy, it would lose its
// majority, or another control plane is down. Empty: it may.
func PlaneTrouble(in providers.Input, node string) string {
	troubles := slices.DeleteFunc(health.Troubles(in.World.Etcd), func(t health.Trouble) bool { return t.Kind == health.Learner })
	if len(troubles) > 0 {
		return "etcd is not healthy: " + health.Words(troubles)
	}
	voters, member := 0, false
	for _, m := range in.World.Etcd.Members {
		if !m.Learner {
			voters++
		}
		member = member || m.Node == node || m.Name == node
	}
	if member && voters < 3 {
		return fmt.Sprintf("etcd has %s and loses its majority with this node", providers.Count(voters, "member"))
	}
	find := in.Inventory.Finder()
	for _, k := range in.World.Kubernetes.Nodes {
		n, is := find(k)
		if is && n.Name != node && (slices.Contains(n.Roles, "control-plane") || slices.Contains(n.Roles, "etcd")) && !k.Ready {
			return n.Name + " is not Ready, and control planes go down one at a time"
		}
	}
	return ""
}

// Ready says whether the step can run in the observed world.
func (e effect) Ready(in providers.Input, step providers.Step) providers.Readiness {
	l, not := lookAt(in, step)
	if not != nil {
		return *not
	}
	if e.operation == OperationUncordon {
		return l.uncordon()
	}
	if r := l.rebooted(); r != nil {
		return *r
	}
	if in.World.Here.Is(l.node) {
		return providers.Moved.Because("%s", SelfText)
	}
	var r providers.Readiness
	switch e.operation {
	case OperationCordon:
		r = l.cordon()
	case OperationDrain:
		r = l.drain()
	default:
		r = l.reboot()
	}
	if r.State == providers.Holds && l.Plane {
		if why := PlaneTrouble(in, step.Node); why != "" {
			return providers.Unknown.Because("%s", why)
		}
	}
	return r
}

// claimed says that another program has the node for its work, or that nobody knows; nil where none has. Two programs
// that take one node down would each uncordon what the other still works on.
func (l look) claimed() *providers.Readiness {
	m := l.in.World.Maintenance
	if m == nil {
		m = &facts.Maintenance{Unknown: "not asked"}
	}
	var r providers.Readiness
	if on := m.On(l.Object, l.in.Now); len(on) > 0 {
		r = waits("another program has %s for its work: %s (%s)", l.Object, on[0].By, on[0].Evidence)
	} else if m.Unknown != "" {
		r = providers.Unknown.Because("whether another program has %s for its work is not known: %s", l.Object, m.Unknown)
	} else {
		return nil
	}
	return &r
}

func (l look) cordon() providers.Readiness {
	switch c := l.object.Cordon; {
	case l.object.Unschedulable && c == nil:
		return providers.Moved.Because("somebody else has cordoned %s", l.Object)
	case l.object.Unschedulable && c.Unknown != "":
		return providers.Moved.Because("%s is cordoned, and the mark cannot be read: %s", l.Object, c.Unknown)
	case l.object.Unschedulable:
		return providers.Done.Because("%s has cordoned %s already", c.By, l.Object)
	case !l.object.Ready:
		return providers.Unknown.Because("%s is not Ready", l.Object)
	case len(l.object.Maintainers) > 0:
		m := l.object.Maintainers[0]
		return waits("another program changes %s: %s (%s)", l.Object, m.Name, m.Evidence)
	}
	if r := l.claimed(); r != nil {
		return *r
	}
	if len(l.tenants) > 0 {
		switch l.Policy.Leases {
		case LeasesInterrupt:
		case LeasesWait:
			r := waits("%s", LeasesText(l.Object, l.tenants))
			r.AtMost = time.Duration(l.Policy.WaitAtMost)
			return r
		default:
			return providers.Moved.Because("leases = %q: %s", l.Policy.Leases, LeasesText(l.Object, l.tenants))
		}
	}
	if r := l.pods(); r != nil {
		return *r
	}
	// Tenants that may be interrupted are evicted whatever holds them.
	if d := l.in.World.Drains[l.Object]; Refusals(d) != "" {
		return waits("evictions on %s are refused now: %s", l.Object, Refusals(d))
	}
	return providers.Holds.Because("")
}

// waits is the readiness of a step that waits for something that passes by itself.
func waits(format string, a ...any) providers.Readiness {
	text := fmt.Sprintf(format, a...)
	return providers.Readiness{State: providers.Waits, Why: text, For: text}
}

// pods says why the pods of the node may not be evicted; nil: they may.
func (l look) pods() *providers.Readiness {
	d, asked := l.in.World.Drains[l.Object]
	var r providers.Readiness
	switch why, _ := l.Policy.Forbidden(d); {
	case !asked:
		r = providers.Unknown.Because("nobody asked for the pods of %s", l.Object)
	case d.Unknown != "":
		r = providers.Unknown.Because("the pods of %s: %s", l.Object, d.Unknown)
	case why != "":
		r = providers.Moved.Because("%s", why)
	default:
		return nil
	}
	return &r
}

// held says why the node may not be taken further down; nil: it may.
func (l look) held() *providers.Readiness {
	var r providers.Readiness
	switch c := l.object.Cordon; {
	case !l.object.Unschedulable:
		r = providers.Moved.Because("somebody has uncordoned %s", l.Object)
	case c == nil:
		r = providers.Moved.Because("the cordon of %s is not upkeep's", l.Object)
	case c.Unknown != "":
		r = providers.Moved.Because("the mark on %s cannot be read: %s", l.Object, c.Unknown)
	case len(l.tenants) > 0 && l.Policy.Leases != LeasesInterrupt:
		r = providers.Moved.Because("tenants came just before the cordon: %s; apply again, which gives the node back until they leave",
			LeasesText(l.Object, l.tenants))
	default:
		return nil
	}
	return &r
}

func (l look) drain() providers.Readiness {
	if r := l.held(); r != nil {
		return *r
	}
	if r := l.pods(); r != nil {
		return *r
	}
	if len(l.in.World.Drains[l.Object].Pods) == 0 {
		return providers.Done.Because("%s has no pod that a drain evicts", l.Object)
	}
	return providers.Holds.Because("")
}

func (l look) reboot() providers.Readiness {
	if r := l.held(); r != nil {
		return *r
	}
	if next := l.node.Boot.Next; l.Kernel != "" && next != "" && next != l.Kernel {
		return providers.Moved.Because("kernel %s boots next, and the plan was made for %s", next, l.Kernel)
	}
	return providers.Holds.Because("")
}

func (l look) uncordon() providers.Readiness {
	switch c := l.object.Cordon; {
	case !l.object.Unschedulable && c == nil:
		return providers.Done.Because("%s is schedulable", l.Object)
	case c == nil:
		return providers.Moved.Because("somebody else has cordoned %s since: the node stays cordoned", l.Object)
	case c.Unknown != "":
		return providers.Moved.Because("the mark on %s cannot be read: %s", l.Object, c.Unknown)
	case c.By != l.step.Address.Resource().String():
		return providers.Moved.Because("%s has cordoned %s: the node stays cordoned", c.By, l.Object)
	case !l.object.Ready:
		return providers.Unknown.Because("%s is not Ready", l.Object)
	case l.Kernel != "" && l.node.System.Kernel != l.Kernel:
		return providers.Moved.Because("%s runs kernel %s, not %s: the node stays cordoned", l.step.Node,
			l.node.System.Kernel, l.Kernel)
	}
	return providers.Holds.Because("")
}

// Proved says whether what was predicted happened.
func (e effect) Proved(before, after providers.Input, step providers.Step) error {
	l, not := lookAt(after, step)
	if not != nil {
		return errors.New(not.Why)
	}
	switch e.operation {
	case OperationCordon:
		if !l.ours() {
			return fmt.Errorf("%s does not carry the mark of %s", l.Object, step.Address.Resource())
		}
	case OperationDrain:
		if d := after.World.Drains[l.Object]; d.Unknown != "" || len(d.Pods) > 0 {
			return fmt.Errorf("%s is not drained: %s", l.Object, notDrained(d))
		}
	case OperationReboot:
		return l.back(before)
	case OperationUncordon:
		if l.object.Unschedulable || l.object.Cordon != nil {
			return fmt.Errorf("%s is still cordoned or marked", l.Object)
		}
	}
	return nil
}

func notDrained(d facts.Drain) string {
	if d.Unknown != "" {
		return d.Unknown
	}
	var names []string
	for _, p := range d.Pods {
		names = append(names, p.String())
	}
	return providers.Few(names)
}

// back says why a node is not back from a reboot.
func (l look) back(before providers.Input) error {
	was := before.World.Node(l.step.Node).System.BootID
	switch {
	case l.node.System.BootID == "" || was == "":
		return fmt.Errorf("the boot id of %s is not known", l.step.Node)
	case l.node.System.BootID == was:
		return fmt.Errorf("%s is not rebooted: its boot id is unchanged", l.step.Node)
	case l.Kernel != "" && l.node.System.Kernel != l.Kernel:
		return fmt.Errorf("%s runs kernel %s, not %s", l.step.Node, l.node.System.Kernel, l.Kernel)
	case l.object.Boot != "" && l.object.Boot != l.node.System.BootID:
		return fmt.Errorf("the kubelet of %s has said nothing since the boot", l.step.Node)
	case !l.object.Ready:
		return fmt.Errorf("%s is not Ready", l.Object)
	}
	if l.Plane {
		troubles := slices.DeleteFunc(health.Troubles(l.in.World.Etcd), func(t health.Trouble) bool { return t.Kind == health.Learner })
		if len(troubles) > 0 {
			return fmt.Errorf("etcd is not healthy: %s", health.Words(troubles))
		}
	}
	return nil
}
