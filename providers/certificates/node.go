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

// reloadTime is how long a process that reloads certificates may take: kube-apiserver re-reads its files each minute at the
// latest (k8s.io/apiserver dynamiccertificates, FileRefreshDuration). A port that serves an older certificate for longer is
// stuck.
const reloadTime = 2 * time.Minute

// unrenewed is how much of the life of a kubelet's client certificate is left when its rotation must have happened: the kubelet
// rotates after 70 to 90 percent (k8s.io/client-go/util/certificate, jitteryDuration).
const unrenewed = 10 // a tenth

// work is what one node needs.
type work struct {
	node       *facts.Node
	unfinished []facts.Unfinished
	due        []*facts.CertificateFile
	asked      bool // -replace names this node
	why        string
	stale      []*facts.CertificateFile // copies of admin.conf that must follow
	restart    []string
	sans       map[string][]string      // names that certificates lack and repair_sans adds
	renewed    []*facts.CertificateFile // what the node's service renews when it starts
	aside      []string                 // those of them that are set aside first
	etcdUnit   string                   // why etcd.service must be restarted; empty: it need not be
	restartWhy string
	waits      bool   // renewals here wait for a maintenance window
	outage     bool   // the cluster is down because certificates expired, here as well
	turn       int    // among the nodes of the lane
	last       string // the id of the node's last step so far
	lastAt     int    // its index among the steps
}

func (w *work) any() bool {
	return len(w.unfinished)+len(w.due)+len(w.stale)+len(w.restart)+len(w.renewed)+len(w.sans) > 0 || w.etcdUnit != ""
}

func (r *review) reviewNode(n config.Node) work {
	observed := r.in.World.Nodes[n.Name]
	why := ""
	switch {
	case observed == nil:
		why = "not observed"
	case observed.Unknown != "":
		why = observed.Unknown
	}
	if why != "" {
		// The same words for every node, so that many that are silent fold into one line.
		hint := "its part of this plan is unknown; see whether `ssh` reaches it from here"
		if observed != nil && len(observed.Work.InProgress) > 0 {
			hint = "" // it answered
		}
		r.on(n.Name, providers.Finding{
			ID: "NODE_UNREACHABLE", Severity: providers.SeverityError, Unknown: true,
			Summary: why, Cause: facts.SilentCause(n.Name),
			Hint: hint,
		})
		r.out.Objects = append(r.out.Objects, providers.Object{Address: r.address.On(n.Name), Name: "certificates", Status: "unknown", Detail: why})
		return work{}
	}
	w := work{node: observed}
	if why := observed.Certificates.Unknown; why != "" {
		r.on(n.Name, providers.Finding{
			ID: "CERT_LAYOUT_UNKNOWN", Severity: providers.SeverityError, Unknown: true, Summary: why,
			Hint: `set layout to "kubeadm", "kubespray", "k3s" or "rke2", or take the node out of nodes`,
		})
		r.out.Objects = append(r.out.Objects, providers.Object{Address: r.address.On(n.Name), Name: "certificates", Status: "unknown", Detail: why})
		return work{}
	}
	r.reviewLayout(&w)
	r.reviewUnfinished(&w)
	blocked := r.reviewAuthorities(&w)
	r.reviewFiles(&w, blocked)
	r.reviewServiceAccount(&w)
	r.reviewDoubles(&w)
	for _, t := range controlPlaneTroubles(observed, r.stacked()) {
		if t.down && doubled(&observed.ControlPlane, t.component) {
			continue // NODE_MANIFEST_DOUBLE says why, and what to do
		}
		r.on(n.Name, providers.Finding{
			ID: "NODE_CONTROL_PLANE_BROKEN", Severity: providers.SeverityError, Object: t.component,
			Summary: t.what, Unknown: t.unknown,
			Hint: "look at `crictl ps -a` and `journalctl -u kubelet` on " + n.Name + "; until then upkeep changes no other control plane",
		})
	}
	r.reviewServed(&w)
	r.reviewReaders(&w)
	w.outage = r.down && expiredOf(observed, r.in.Clock()) != nil
	r.settle(&w)
	r.spare(&w)
	r.reviewOpenings(&w)
	w.turn = r.turnOf(&w)
	return w
}

// turnOf returns when it is a node's turn.
func (r *review) turnOf(w *work) int {
	if r.down && expiredOf(w.node, r.in.Clock(), ofEtcdMember...) != nil && r.away(w.node.Name) {
		return turnMember
	}
	turn := turnHealthy
	for _, t := range controlPlaneTroubles(w.node, r.stacked()) {
		switch {
		case t.unknown && t.component == "":
		case startable(w.node, t.component, r.clock, func(*facts.CertificateFile) bool { return false }) != "" && r.startable(w, t.component) == "":
			return turnRepair
		default:
			turn = turnUnhealthy
		}
	}
	return turn
}

// away reports whether the member of a node is missing among those that serve.
func (r *review) away(node string) bool {
	for _, m := range r.members[node] {
		if !m.Learner {
			return !health.Follows(*m)
		}
	}
	return false
}

// readMembers fills members.
func (r *review) readMembers() {
	all := r.in.World.Etcd.Members
	r.members = make(map[string][]*facts.Member, len(all))
	for i := range all {
		node := cmp.Or(all[i].Node, all[i].Name)
		r.members[node] = append(r.members[node], &all[i])
	}
}

// settle puts the node's work into the order in which it is done, and adds the restarts that the renewals entail.
func (r *review) settle(w *work) {
	w.stale = slices.DeleteFunc(w.stale, func(f *facts.CertificateFile) bool { return !r.canFollow(w, f) })
	if len(w.due)+len(w.restart)+len(w.unfinished) == 0 {
		return
	}
	for _, f := range w.due {
		w.restartReader(f)
	}
	if len(w.unfinished) > 0 {
		for i := range 2 {
			name := kubeconfigOf([...]string{controllerManager, scheduler}[i])
			if f := file(&w.node.Certificates, name); f != nil && rewritten(w.unfinished, f) {
				w.restartReader(f)
			}
		}
	}
	order := func(name string) int {
		if w.outage && ofEtcdItself(name) {
			return rank(name) - 100 // without etcd nothing else comes back
		}
		return rank(name)
	}
	slices.SortFunc(w.due, func(a, b *facts.CertificateFile) int { return cmp.Compare(order(a.Name), order(b.Name)) })
	slices.SortFunc(w.restart, func(a, b string) int { return cmp.Compare(restartRank(a), restartRank(b)) })
}

// restartReader adds the restart of the component that reads a file only when it starts. One that does not run reads the new
// file when it does.
func (w *work) restartReader(f *facts.CertificateFile) {
	c := reader(f.Name)
	if c == "" || slices.Contains(w.restart, c) {
		return
	}
	cp := &w.node.ControlPlane
	if pod := staticPod(cp, c); pod != nil && (pod.ContainerID != "" || cp.ContainersUnknown != "" || w.outage) {
		w.restart = append(w.restart, c)
	}
}

// canFollow reports whether a copy may take over its source's certificate: that is whole, or about to be, and the node's
// authority is the cluster's, without which apply would refuse the step and leave the nodes after it as they are.
func (r *review) canFollow(w *work, copied *facts.CertificateFile) bool {
	from := source(&w.node.Certificates, copied)
	return r.policyUnknown == "" && r.authorityHolds(w.node) && (whole(from) == nil || slices.Contains(w.due, from) || halfDone(w.unfinished, from.Name))
}

func (r *review) reviewUnfinished(w *work) {
	for _, u := range w.node.Certificates.Unfinished {
		summary := "a renewal was interrupted"
		switch {
		case u.Unknown != "":
			summary += "; its record cannot be read: " + u.Unknown
		case len(u.Remaining) > 0:
			summary += "; not yet in place: " + strings.Join(u.Remaining, ", ")
		}
		r.on(w.node.Name, providers.Finding{ID: "CERT_UNFINISHED", Severity: providers.SeverityError, Object: u.ID,
			Summary: summary, Unknown: u.Unknown != ""})
		w.unfinished = append(w.unfinished, u)
	}
}

// blocks says for each authority of a node why nothing can be renewed under it; empty where it can.
type blocks struct{ ca, etcd, frontProxy string }

func (b *blocks) under(authority string) string {
	switch authority {
	case "etcd-ca":
		return b.etcd
	case "front-proxy-ca":
		return b.frontProxy
	}
	return b.ca
}

func (b *blocks) set(authority, why string) {
	switch authority {
	case "ca":
		b.ca = why
	case "etcd-ca":
		b.etcd = why
	case "front-proxy-ca":
		b.frontProxy = why
	}
}

// reviewAuthorities looks at the CAs of a node: their end, and whether they are those of the other control planes.
func (r *review) reviewAuthorities(w *work) blocks {
	var b blocks
	files := w.node.Certificates.Files
	for i := range files {
		f := &files[i]
		if f.Kind != facts.Authority {
			continue
		}
		leaf, ok := f.Leaf()
		if f.Missing || f.Unknown != "" || !ok {
			b.set(f.Name, "its authority "+f.Name+" cannot be read")
			if isClusterCA(f.Name) {
				why := "its authority " + f.Name +
					" cannot be read, so that it cannot be told whether it is a node of this cluster"
				b = blocks{ca: why, etcd: why, frontProxy: why}
			}
			continue // reviewFiles reports it
		}
		switch {
		case f.Key == "missing":
			b.set(f.Name, "the key of its authority "+f.Name+" is not on this node: the holder of the CA key must issue the certificate")
		case f.Key == "mismatch":
			b.set(f.Name, "the key of its authority "+f.Name+" does not belong to it")
		case f.Chain != "":
			b.set(f.Name, "its authority "+f.Name+": "+f.Chain)
		}
		left, ended := leaf.NotAfter.Sub(r.in.Now), r.clock.Passed(leaf.NotAfter)
		if ended {
			b.set(f.Name, "its authority "+f.Name+" has expired")
		}
		if r.clock.Passed(leaf.NotAfter.Add(-max(r.before, r.policy.validity))) {
			severity, summary := providers.SeverityWarning, fmt.Sprintf("%s left; a certificate issued now would outlive it", span(max(left, 0)))
			if ended {
				severity, summary = providers.SeverityError, ends(leaf.NotAfter, r.in.Now)
			} else if left > r.policy.validity {
				summary = span(left) + " left"
			}
			r.on(w.node.Name, providers.Finding{
				ID: "CERT_AUTHORITY_EXPIRES_SOON", Severity: severity, Object: f.Name, Summary: summary,
				Hint: "upkeep does not renew authorities: plan a rotation by hand, see https://kubernetes.io/docs/tasks/tls/manual-rotation-of-ca-certificates/",
			})
		}
		if isClusterCA(f.Name) && !r.ofCluster(f) {
			const why = "its authority is not the one that cluster.kubeconfig trusts"
			b = blocks{ca: why, etcd: why, frontProxy: why}
			r.on(w.node.Name, providers.Finding{
				ID: "CERT_AUTHORITY_DIFFERS", Severity: providers.SeverityError, Object: f.Name,
				Summary: "this is not the authority that cluster.kubeconfig trusts; nothing is renewed here",
				Hint:    "does this node belong to another cluster? Compare `openssl x509 -noout -fingerprint -sha256 -in " + f.Path + "` with the kubeconfig",
			})
			continue
		}
		if r.reference == nil || r.reference == w.node {
			if r.disputed(f) {
				b.set(f.Name, "other control planes have another authority "+f.Name+", and which is right cannot be told")
			}
			continue
		}
		other := file(&r.reference.Certificates, f.Name)
		if other == nil || len(other.Blocks) == 0 {
			continue
		}
		switch {
		case sameBytes(f, other):
		case sameBlocks(f, other):
			r.on(w.node.Name, providers.Finding{
				ID: "CERT_AUTHORITY_DIFFERS", Severity: providers.SeverityWarning, Object: f.Name,
				Summary: "the same CA key as on " + r.reference.Name + ", in another certificate",
				Hint:    "the CA was issued again with its old key. Copy the newer " + f.Path + " to all control planes",
			})
		default:
			b.set(f.Name, "its authority "+f.Name+" is not that of "+r.reference.Name)
			r.on(w.node.Name, providers.Finding{
				ID: "CERT_AUTHORITY_DIFFERS", Severity: providers.SeverityError, Object: f.Name,
				Summary: "not the certificates that " + r.reference.Name + " has; nothing is renewed under it here",
				Hint:    "find out which is right before anything is renewed: compare " + f.Path + " on all control planes",
			})
		}
	}
	return b
}

// disputed reports whether the reference has an authority that most control planes of the cluster do not have: then who is
// right cannot be told, and nothing is issued under it on either side. For the cluster's own CA the operator's kubeconfig tells.
func (r *review) disputed(f *facts.CertificateFile) bool {
	if isClusterCA(f.Name) && r.in.World.Kubernetes.Authority != "" {
		return false
	}
	alike, known := 0, 0
	for _, n := range r.nodes {
		observed := r.in.World.Nodes[n.Name]
		if observed == nil || !r.authorityHolds(observed) {
			continue
		}
		if other := file(&observed.Certificates, f.Name); other != nil && len(other.Blocks) > 0 {
			known++
			if sameBlocks(f, other) {
				alike++
			}
		}
	}
	return 2*alike <= known
}

// sameBlocks reports whether two files hold the same CAs. A CA is its key: one that was issued again with its old key, for a later
// end, signs and is trusted as before.
func sameBlocks(a, b *facts.CertificateFile) bool {
	if len(a.Blocks) != len(b.Blocks) {
		return false
	}
	for i := range a.Blocks {
		if a.Blocks[i].SHA256 != b.Blocks[i].SHA256 && (a.Blocks[i].KeyID == "" || a.Blocks[i].KeyID != b.Blocks[i].KeyID) {
			return false
		}
	}
	return true
}

// sameBytes reports whether two files hold the same certificates, not only the same keys.
func sameBytes(a, b *facts.CertificateFile) bool {
	return slices.EqualFunc(a.Blocks, b.Blocks, func(x, y facts.Certificate) bool { return x.SHA256 == y.SHA256 })
}

// reviewServed compares what the ports serve with what is on disk.
func (r *review) reviewServed(w *work) {
	clock := clockOf(w.node, r.in.Now)
	for i := range w.node.Certificates.Served {
		s := &w.node.Certificates.Served[i]
		if s.Unknown != "" {
			r.on(w.node.Name, providers.Finding{
				ID: "CERT_SERVED_UNKNOWN", Severity: providers.SeverityError, Unknown: true, Object: s.Component + " " + s.Address,
				Summary: "cannot be told what it serves: " + s.Unknown,
			})
			continue
		}
		f := file(&w.node.Certificates, s.Name)
		if f == nil || len(f.Blocks) == 0 || f.Blocks[0].SHA256 == s.SHA256 {
			continue
		}
		finding := providers.Finding{
			ID: "CERT_SERVED_DIFFERS", Severity: providers.SeverityError, Object: s.Component + " " + s.Address,
			Summary: fmt.Sprintf("serves %s, not %s as on disk", s.Serial, f.Blocks[0].Serial),
		}
		switch {
		case s.Component == kubelet:
			finding.Severity = providers.SeverityWarning
			finding.Hint = "upkeep leaves the kubelet alone: `systemctl restart kubelet` on " + w.node.Name
		case !stuck(w.node, s, r.clock):
			finding.Severity = providers.SeverityWarning
			finding.Hint = "it reloads by itself within a minute or two; look again"
			if f.Key == "mismatch" {
				finding.Hint = "it cannot load a key that does not belong to its certificate"
			}
		default:
			if why := r.startable(w, s.Component); why != "" {
				finding.Hint = "upkeep does not restart it, since it would not come back: " + why
			} else if unit := w.node.Service(etcdUnit); s.Component == etcdServer && unit != nil && unit.Invocation != "" {
				w.etcdUnit = fmt.Sprintf("etcd on %s still serves %s at %s, replaced on disk %s ago",
					w.node.Name, s.Serial, s.Address, span(clock.Sub(f.Modified)))
			} else if pod := staticPod(&w.node.ControlPlane, s.Component); pod != nil && pod.ContainerID != "" && !slices.Contains(w.restart, s.Component) {
				w.restart = append(w.restart, s.Component)
				w.restartWhy = fmt.Sprintf("%s on %s still serves %s at %s, replaced on disk %s ago", s.Component, w.node.Name, s.Serial, s.Address, span(clock.Sub(f.Modified)))
			}
		}
		r.on(w.node.Name, finding)
	}
}

// clockOf returns a node's own clock when it was observed, by which the times of its files are.
func clockOf(n *facts.Node, now time.Time) time.Time {
	if n.System.Clock.IsZero() {
		return now
	}
	return n.System.Clock
}

// clockOn is clockOf for decisions: of a node's own clock nothing is noted, which stands still in a world that does.
func clockOn(n *facts.Node, clock providers.Clock) providers.Clock {
	if n.System.Clock.IsZero() {
		return clock
	}
	return providers.ClockAt(n.System.Clock)
}

// stuck reports whether a port serves an older certificate than the one on disk and has had the time to reload it.
func stuck(n *facts.Node, s *facts.Served, clock providers.Clock) bool {
	f := file(&n.Certificates, s.Name)
	return s.Unknown == "" && f != nil && len(f.Blocks) > 0 && f.Blocks[0].SHA256 != s.SHA256 && f.Key != "mismatch" &&
		clockOn(n, clock).Beyond(f.Modified.Add(reloadTime))
}

// reviewReaders finds components that read their kubeconfig once and run since before it was changed.
func (r *review) reviewReaders(w *work) {
	cp := &w.node.ControlPlane
	for i := range 2 {
		component := [...]string{controllerManager, scheduler}[i]
		pod, f := staticPod(cp, component), file(&w.node.Certificates, kubeconfigOf(component))
		if pod == nil || pod.ContainerID == "" || f == nil || f.Missing || f.Unknown != "" || cp.ContainersUnknown != "" {
			continue // reported already
		}
		if pod.StartedAt.IsZero() || f.Modified.IsZero() {
			r.on(w.node.Name, providers.Finding{
				ID: "CERT_SERVED_UNKNOWN", Severity: providers.SeverityError, Unknown: true, Object: component,
				Summary: "cannot be told whether it runs with the certificate on disk: the container's start or the file's time is not known",
			})
			continue
		}
		if !f.Modified.After(pod.StartedAt) {
			continue
		}
		why := fmt.Sprintf("runs since %s before its kubeconfig was changed", span(f.Modified.Sub(pod.StartedAt)))
		finding := providers.Finding{ID: "CERT_SERVED_DIFFERS", Severity: providers.SeverityError, Object: component,
			Summary: why}
		if not := r.startable(w, component); not != "" {
			finding.Hint = "upkeep does not restart it, since it would not come back: " + not
		} else {
			w.restart = append(w.restart, component)
			w.restartWhy = component + " on " + w.node.Name + " " + why
		}
		r.on(w.node.Name, finding)
	}
}

// startable says why a component would not come back from a restart after the work on its node is done; empty when it would.
func (r *review) startable(w *work, component string) string {
	return startable(w.node, component, r.clock, func(f *facts.CertificateFile) bool {
		if slices.Contains(w.due, f) {
			return true
		}
		// What the repair puts right: keys and chains, but never an end.
		repaired := f.Unknown == "" && !f.Missing && halfDone(w.unfinished, f.Name)
		return repaired && (f.Key == "mismatch" || f.Chain != "" && len(f.Blocks) > 0 && !r.clock.Passed(f.Blocks[0].NotAfter))
	})
}
