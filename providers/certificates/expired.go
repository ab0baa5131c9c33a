package certificates

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/etcd/health"
	"upkeep/providers/facts"
	"upkeep/providers/layout"
)

// outage tells what is broken because certificates have expired, and what is broken otherwise. The first is what a
// renewal repairs, so it is no reason to refuse one. Only certificates count that upkeep can renew where they are.
type outage struct {
	in    providers.Input
	nodes []config.Node
	// expired are the control planes on which certificates have expired.
	expired []string
	// etcd: certificates that have expired leave etcd without a majority.
	etcd bool
	// dark: the API does not answer, and expired certificates are why.
	dark bool
}

// The certificates that a component needs to serve and to reach others. A kubeconfig is its reader's alone.
var (
	ofEtcdMember = []string{"etcd-server", "etcd-peer", etcdMember, "etcd/server-client", "etcd/peer-server-client"}
	ofAPIServer  = []string{
		"apiserver", "apiserver-kubelet-client", "front-proxy-client", "apiserver-etcd-client",
		"etcd-server", "etcd-peer", etcdMember, etcdNode,
		// Of k3s and RKE2, whose service is all of these at once.
		"serving-kube-apiserver", layout.DynamicCertificate, "client-kube-apiserver", "client-admin", "client-supervisor",
		"client-controller", "client-scheduler", "client-auth-proxy",
		"etcd/server-client", "etcd/peer-server-client", "etcd/client",
	}
)

// outageOf says what expired certificates explain of the cluster that a selection is of. Where the step repairs an
// outage, the end of upkeep's own kubeconfig is one more reason why the API says nothing.
func outageOf(in providers.Input, selection config.Selection, repairs bool) outage {
	nodes, _ := controlPlanes(in, selection)
	nodes = slices.DeleteFunc(slices.Clone(nodes), func(n config.Node) bool {
		observed := in.World.Nodes[n.Name]
		return observed != nil && rancher(observed) && !server(observed) // an agent, whatever its role
	})
	o := outage{in: in, nodes: nodes}
	api := false
	for _, n := range nodes {
		observed := in.World.Nodes[n.Name]
		if observed == nil || observed.Unknown != "" {
			continue
		}
		if expiredOf(observed, in.Clock()) != nil {
			o.expired = append(o.expired, n.Name)
		}
		api = api || expiredOf(observed, in.Clock(), ofAPIServer...) != nil
	}
	o.etcd = (stackedEtcd(in) || etcdOnHosts(in.World)) && o.noMajority()
	o.dark = in.World.Kubernetes.Unknown != "" && (api || o.etcd || repairs && o.strange())
	return o
}

// any reports whether the cluster is down, or a part of it is, because certificates have expired.
func (o *outage) any() bool {
	if o.dark || o.etcd {
		return true
	}
	for _, name := range o.expired {
		n := o.in.World.Nodes[name]
		if troubles := controlPlaneTroubles(n, stackedEtcd(o.in)); len(o.unexplained(n, troubles)) < len(troubles) {
			return true
		}
	}
	return false
}

// strange reports whether upkeep's own kubeconfig has expired: the API then refuses upkeep, whatever it is like.
func (o *outage) strange() bool {
	leaf, ok := o.in.World.Kubernetes.Kubeconfig.Leaf()
	return ok && o.in.Clock().Passed(leaf.NotAfter)
}

// renewable reports whether a step of upkeep's renews a certificate of a node.
func renewable(n *facts.Node, f *facts.CertificateFile) bool {
	if rancher(n) {
		return f.Kind != facts.Authority && !selfMade(f.Name) && !isCopy(f)
	}
	return rank(f.Name) != notRenewable
}

// expiredOf returns the first certificate of a node, among some by name or all that are renewed, that has expired
// and can be renewed there; nil where there is none.
func expiredOf(n *facts.Node, clock providers.Clock, names ...string) *facts.CertificateFile {
	var first *facts.CertificateFile
	for i := range n.Certificates.Files {
		f := &n.Certificates.Files[i]
		if !renewable(n, f) || len(f.Blocks) == 0 || !clock.Passed(f.Blocks[0].NotAfter) {
			continue
		}
		if len(names) > 0 && !slices.Contains(names, f.Name) {
			continue
		}
		ca := file(&n.Certificates, f.Authority)
		if ca == nil || len(ca.Blocks) == 0 || ca.Key != "match" && ca.Key != "" || clock.Passed(ca.Blocks[0].NotAfter) {
			continue
		}
		if first == nil || rank(f.Name) < rank(first.Name) {
			first = f
		}
	}
	return first
}

// noMajority reports whether etcd has no majority, and would have one were the certificates that have expired renewed.
func (o *outage) noMajority() bool {
	voters, fit, expired := 0, 0, 0
	count := func(n *facts.Node, fine bool) {
		voters++
		switch {
		case n != nil && n.Unknown == "" && expiredOf(n, o.in.Clock(), ofEtcdMember...) != nil:
			expired++
		case fine:
			fit++
		}
	}
	if members := o.in.World.Etcd.Members; len(members) > 0 {
		for i := range members {
			if m := &members[i]; !m.Learner {
				n := o.in.World.Nodes[cmp.Or(m.Node, m.Name)]
				count(n, m.Unknown == "" || n != nil && n.Unknown == "")
			}
		}
	} else {
		for _, node := range o.nodes {
			n := o.in.World.Nodes[node.Name]
			count(n, n != nil && n.Unknown == "")
		}
	}
	return expired > 0 && fit <= voters/2 && fit+expired > voters/2 && !majority(o.in.World.Etcd)
}

// majority reports whether most members of etcd are seen to follow a leader: connections that began while certificates
// were valid outlive them.
func majority(e facts.Etcd) bool {
	voters, follow := 0, 0
	for i := range e.Members {
		if m := &e.Members[i]; !m.Learner {
			voters++
			if m.Unknown == "" && health.Follows(*m) {
				follow++
			}
		}
	}
	return e.Unknown == "" && voters > 0 && follow > voters/2
}

// alone reports whether certificates have expired on every other control plane that is seen: none of them can take
// over, and each is repaired after this one.
func (o *outage) alone(node string) bool {
	seen := 0
	for _, n := range o.nodes {
		observed := o.in.World.Nodes[n.Name]
		if n.Name == node || observed == nil || observed.Unknown != "" {
			continue
		}
		if seen++; !slices.Contains(o.expired, n.Name) {
			return false
		}
	}
	return seen > 0
}

// sick says what is wrong with etcd that no renewal repairs; empty where there is nothing.
func (o *outage) sick() string {
	if withoutEtcd(o.in.World) {
		return ""
	}
	if !o.etcd {
		return standingOf(o.in).Sick
	}
	return health.Words(slices.DeleteFunc(health.Troubles(o.in.World.Etcd), func(t health.Trouble) bool {
		return t.Kind == health.Learner || t.Kind == health.Unreachable || t.Out
	}))
}

// missing are the members beside a node's that cost their vote, while there is a vote to lose.
func (o *outage) missing(node string) []health.Trouble {
	if o.etcd {
		return nil
	}
	standing := standingOf(o.in)
	own := o.in.World.Nodes[node]
	out := slices.ContainsFunc(standing.Out, func(t health.Trouble) bool { return cmp.Or(t.Node, t.Member) == node })
	if out && own != nil && own.Unknown == "" && expiredOf(own, o.in.Clock(), ofEtcdMember...) != nil {
		return nil // its own vote is lost already, and its renewal brings it back
	}
	return standing.Elsewhere(node)
}

// unexplained returns those troubles of a node's control plane that expired certificates do not explain.
func (o *outage) unexplained(n *facts.Node, troubles []controlPlaneTrouble) []controlPlaneTrouble {
	return slices.DeleteFunc(slices.Clone(troubles), func(t controlPlaneTrouble) bool { return o.explains(n, t) })
}

// explains reports whether a component of a node is down because certificates have expired: its own, those of what it
// needs on its node, or those of etcd as a body.
func (o *outage) explains(n *facts.Node, t controlPlaneTrouble) bool {
	if !t.down {
		return false
	}
	clock := o.in.Clock()
	api := o.etcd || expiredOf(n, clock, ofAPIServer...) != nil
	if rancher(n) {
		return api // its service is everything
	}
	switch t.component {
	case etcdServer:
		return o.etcd || expiredOf(n, clock, ofEtcdMember...) != nil
	case apiServer:
		return api
	case controllerManager, scheduler:
		return api || expiredOf(n, clock, kubeconfigOf(t.component)) != nil
	}
	return false
}

// since is when the first certificate ended whose end explains the outage.
func (o *outage) since() (at time.Time) {
	for _, name := range o.expired {
		n := o.in.World.Nodes[name]
		for i := range n.Certificates.Files {
			f := &n.Certificates.Files[i]
			if !renewable(n, f) || len(f.Blocks) == 0 {
				continue
			}
			if end := f.Blocks[0].NotAfter; o.in.Clock().Passed(end) && (at.IsZero() || end.Before(at)) {
				at = end
			}
		}
	}
	return at
}

// left names the control planes whose certificates have still expired.
func (o *outage) left() string { return strings.Join(o.expired, ", ") }
