package certificates

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/etcd/health"
	"upkeep/providers/facts"
)

// touch is what a step does to the control plane of its node.
type touch struct {
	renews   []string // certificates by kubeadm's names; nothing is interrupted by that
	restarts []string // components
	repairs  bool     // an outage that exists
}

// ofEtcdItself reports whether etcd loads a certificate. Its pair is exchanged one file after the other: a helper that dies in
// between leaves a member that cannot talk to its peers any more once their connections end. The certificates of its clients
// (apiserver-etcd-client, etcd-healthcheck-client) are nothing to the member.
func ofEtcdItself(name string) bool {
	return name == "etcd-server" || name == "etcd-peer" || name == etcdMember
}

// etcd reports whether the step could cost a member of etcd.
func (t touch) etcd() bool {
	return slices.ContainsFunc(t.renews, ofEtcdItself) || slices.Contains(t.restarts, etcdServer)
}

// settlePeriod is how long after its certificates were changed a control plane that is not whole counts as broken by that: what
// broke it there would break the next one. What is wrong with new certificates shows within it.
const settlePeriod = 24 * time.Hour

// holdBack is why a step must not disturb its control plane now. Lasting: it does not pass by itself.
type holdBack struct {
	why     string
	lasting bool
}

func (h holdBack) readiness() providers.Readiness {
	if h.why == "" {
		return providers.Readiness{State: providers.Holds}
	}
	// Unknown, not Moved: the plan still fits its ground, and it cannot be told whether acting is safe.
	return providers.Readiness{State: providers.Unknown, Why: h.why, Final: h.lasting}
}

func holdBackFor(format string, args ...any) holdBack {
	return holdBack{why: fmt.Sprintf(format, args...)}
}

// mayDisrupt says whether a step may disturb the control plane of its node now.
//
//   - Nothing is done while the API does not answer, while etcd has no leader that a majority of its members follows, or while
//     anything else is wrong with etcd than that a member takes no part (it does not answer, or follows no leader).
//   - While a member takes no part, no other member is touched: neither restarted nor given a new pair. The work on the
//     node of that member itself may go on, since its vote is lost already.
//   - A control plane that is down (it answers neither us nor Kubernetes) stops nothing else on the others.
//   - One that answers and is not whole stops the others where that may come of upkeep's own work, that is, for a day after
//     its certificates were changed; and it stops the restart of any component that does not run there.
//   - Nothing is restarted unless the same component on another control plane can take over, where there is another one. On
//     the first control plane of an outage no other one can, which its own work does not change.
//   - An interrupted renewal anywhere is repaired first.
//   - A control plane that is itself broken may be worked on whatever state the others are in: nothing is lost by repairing it.
//   - What is broken because certificates have expired that upkeep renews is no reason to refuse, anywhere (see outage): the
//     control planes are then taken one after the other all the same.
func mayDisrupt(in providers.Input, nodes config.Selection, step providers.Step, t touch) holdBack {
	stacked := stackedEtcd(in)
	planes := planesOf(in, nodes, stacked)
	outage := outage{in: in}
	standing := standingOf(in)
	if in.World.Kubernetes.Unknown != "" || len(planes.doubts) > 0 || standing.Sick != "" || len(standing.Out) > 0 {
		outage = outageOf(in, nodes, t.repairs)
	}
	if why := in.World.Kubernetes.Unknown; why != "" && !outage.dark {
		return holdBackFor("the Kubernetes API cannot be asked how the cluster is: %s", why)
	}
	if sick := outage.sick(); sick != "" {
		return holdBack{"etcd is not healthy, and no control plane is touched until it is: " + sick, standingOf(in).Lasting}
	}
	missing := outage.missing(step.Node)
	if t.etcd() && len(missing) > 0 {
		return holdBackFor("etcd is unhealthy: %[2]s. The member of %[1]s is not changed until etcd is healthy; plan again, for the work that does not change etcd", step.Node, health.Words(missing))
	}
	own := controlPlaneTroubles(in.World.Nodes[step.Node], stacked)
	broken := slices.ContainsFunc(own, func(t controlPlaneTrouble) bool { // what cannot be seen is not therefore broken
		return !t.unknown || outage.explains(in.World.Nodes[step.Node], t)
	})
	if broken && (len(missing) == 0 || len(t.restarts) == 0) {
		return holdBack{}
	}
	if planes.incomplete != "" {
		return holdBackFor("not all control planes are known: %s", planes.incomplete)
	}
	for _, name := range planes.doubtful(step.Node) {
		other := in.World.Nodes[name]
		if len(other.Certificates.Unfinished) > 0 {
			return holdBack{"an interrupted renewal on control plane " + name + " must be repaired first", true}
		}
		if why := objectionOf(in, other, t, outage.unexplained(other, controlPlaneTroubles(other, stacked))); why != "" {
			return holdBackFor("%s; repair it first (where certificates are the reason, `upkeep apply -target=%s`)", why, step.Address.On(name))
		}
	}
	for _, c := range t.restarts {
		if len(planes.nodes) > 1 && !outage.dark && !outage.alone(step.Node) && !planes.ableWithout(in, step.Node, c) {
			return holdBackFor("no other control plane can take over from %s on %s", c, step.Node)
		}
	}
	return holdBack{}
}

// controlPlanes are those of the cluster: what a block selects, and those that it leaves to other blocks or to nobody. What
// Kubernetes calls one is one, whatever role its block gives it.
func controlPlanes(in providers.Input, selection config.Selection) (planes []config.Node, incomplete string) {
	planes, incomplete = in.Inventory.Select(selection)
	others, unknown := in.Inventory.Select(config.Selection{Roles: []string{"control-plane"}})
	find := in.Inventory.Finder()
	for _, known := range in.World.Kubernetes.Nodes {
		if node, ok := find(known); ok && providers.Labelled(known, "control-plane") {
			others = append(others, node)
		}
	}
	there := make(map[string]bool, len(planes))
	for _, n := range planes {
		there[n.Name] = true
	}
	for _, n := range others {
		if !there[n.Name] {
			planes, there[n.Name] = append(planes, n), true
		}
	}
	return planes, cmp.Or(incomplete, unknown)
}

// objectionOf says why a control plane that answers keeps a step from another one; empty where it does not.
func objectionOf(in providers.Input, other *facts.Node, t touch, troubles []controlPlaneTrouble) string {
	if len(troubles) == 0 {
		return ""
	}
	why := "control plane " + other.Name + " is unhealthy, and only one may be disrupted at a time: " + refusal(troubles)
	if slices.ContainsFunc(troubles, func(t controlPlaneTrouble) bool { return t.unknown && t.component != apiServer }) {
		return why
	}
	for _, c := range t.restarts {
		if p := staticPod(&other.ControlPlane, c); p == nil || p.ContainerID == "" {
			return why
		}
	}
	if name, ago := changed(other, in.Now); name != "" {
		return fmt.Sprintf("%s; its %s was changed %s before, so that the same may happen here", why, name, span(ago))
	}
	return ""
}

// changed returns the certificate of a node that was changed last, if that is not long ago.
func changed(n *facts.Node, now time.Time) (name string, ago time.Duration) {
	ago, clock := settlePeriod, clockOf(n, now)
	for i := range n.Certificates.Files {
		f := &n.Certificates.Files[i]
		if since := clock.Sub(f.Modified); rank(f.Name) != notRenewable && !f.Modified.IsZero() && since < ago {
			name, ago = f.Name, since
		}
	}
	return name, max(ago, 0)
}

// takesOver reports whether a component of a node can do the work of its like on another one.
func takesOver(n *facts.Node, component string) bool {
	p := staticPod(&n.ControlPlane, component)
	return p != nil && p.ContainerID != "" && (component == etcdServer || n.ControlPlane.APIServer.Ready)
}

// spare takes out of a node's work what must wait until the members of etcd that take no part are back: planned, it would be
// refused, and close the lane with all the work that need not wait.
func (r *review) spare(w *work) {
	if r.standing.Sick != "" {
		return
	}
	// A member that its own certificates keep away is back by then: its node's turn is first.
	missing := slices.DeleteFunc(r.standing.Elsewhere(w.node.Name), func(t health.Trouble) bool {
		n := r.in.World.Nodes[cmp.Or(t.Node, t.Member)]
		return r.down && n != nil && n.Unknown == "" && t.Kind != health.Unstarted &&
			expiredOf(n, r.in.Clock(), ofEtcdMember...) != nil
	})
	if len(missing) == 0 {
		return
	}
	var waiting []string
	w.due = slices.DeleteFunc(w.due, func(f *facts.CertificateFile) bool {
		if ofEtcdItself(f.Name) {
			waiting = append(waiting, f.Name)
			return true
		}
		return false
	})
	w.restart = slices.DeleteFunc(w.restart, func(c string) bool {
		if c == etcdServer {
			waiting = append(waiting, "the restart of etcd")
			return true
		}
		return false
	})
	if len(waiting) == 0 {
		return
	}
	var members []string
	for _, t := range missing {
		members = append(members, t.Member)
	}
	r.on(w.node.Name, providers.Finding{
		ID: "ETCD_WORK_WAITS", Severity: providers.SeverityError, Object: etcdServer, Waits: true,
		Summary: strings.Join(waiting, ", ") + " must wait: no etcd member is changed while another etcd member is not serving (" + strings.Join(members, ", ") + ")",
		Hint:    "bring the member back. If its machine is lost, remove the member: `etcdctl member remove ID`, and its node out of the configuration; then plan again",
	})
}
