package certificates

import (
	"slices"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// healed adds to the update of a step what comes back by itself once expired certificates no longer explain why it is
// down: the components of every control plane, members of etcd, the API. Left are those that a later step restarts.
func healed(in providers.Input, u facts.Update, nodes config.Selection, node string, left []string) facts.Update {
	was := outageOf(in, nodes, true)
	next := in
	next.World = in.World.Clone()
	next.World.Apply(u)
	is := outageOf(next, nodes, true)
	if was.etcd && !is.etcd || !was.etcd && len(standingOf(in).Out) > 0 {
		e := in.World.Etcd
		e.Unknown, e.Members = "", is.members()
		u.Etcd = &e
		next.World.Apply(u)
		is = outageOf(next, nodes, true)
	}
	for _, name := range is.names() {
		old, now := in.World.Nodes[name], next.World.Nodes[name]
		if now == nil || now.Unknown != "" {
			continue
		}
		n, changed := *now, name == node
		n.ControlPlane.StaticPods = slices.Clone(n.ControlPlane.StaticPods)
		n.Certificates.Served = slices.Clone(n.Certificates.Served)
		for _, t := range controlPlaneTroubles(old, stackedEtcd(in)) {
			if !was.explains(old, t) || is.explains(now, t) || name == node && slices.Contains(left, t.component) {
				continue
			}
			changed = true
			if p := staticPod(&n.ControlPlane, t.component); p != nil && p.ContainerID == "" {
				p.ContainerID, p.StartedAt = facts.New, in.Now
				for i := range n.Certificates.Served { // what starts now serves what is on disk
					if s := &n.Certificates.Served[i]; s.Component == t.component && s.Unknown == "" {
						serve(s, &n.Certificates)
					}
				}
			}
			if t.component == apiServer {
				n.ControlPlane.APIServer = facts.APIServer{Ready: true}
			}
		}
		if changed {
			u.Nodes = slices.DeleteFunc(u.Nodes, func(o facts.Node) bool { return o.Name == name })
			u.Nodes = append(u.Nodes, n)
		}
	}
	if was.dark && !is.any() && !is.strange() {
		k := in.World.Kubernetes
		k.Unknown = ""
		if k.ClusterConfiguration == "" { // the API has it, and it is what the renewal was planned with
			k.ClusterConfiguration, k.ClusterConfigurationUnknown = configurationOf(in).text, ""
		}
		u.Kubernetes = &k
	}
	return u
}

func (o *outage) names() []string {
	out := make([]string, len(o.nodes))
	for i, n := range o.nodes {
		out[i] = n.Name
	}
	return out
}

// members are those of etcd once their nodes' certificates are valid: they follow the first of them.
func (o *outage) members() []facts.Member {
	members := slices.Clone(o.in.World.Etcd.Members)
	if len(members) == 0 {
		for _, n := range o.nodes {
			members = append(members, facts.Member{ID: facts.New, Name: n.Name, Node: n.Name, Unknown: o.in.World.Etcd.Unknown})
		}
	}
	leader := ""
	for i := range members {
		m := &members[i]
		n := o.in.World.Nodes[m.Node]
		if n == nil || n.Unknown != "" || expiredOf(n, o.in.Clock(), ofEtcdMember...) != nil {
			continue
		}
		if leader == "" {
			leader = m.ID
		}
		m.Unknown, m.Leader, m.Errors = "", leader, nil
	}
	return members
}
