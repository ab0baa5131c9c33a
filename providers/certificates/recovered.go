package certificates

import (
	"errors"
	"fmt"
	"slices"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/etcd/health"
	"upkeep/providers/facts"
)

// recovered holds a cluster whose certificates expired to what a step on one node can have brought back by now:
// everything that what is still expired elsewhere does not explain. After the last node that is the complete cluster,
// and until then the nodes that are left are the next steps' work. What was broken otherwise before may still be, and
// so may what a step still to come restarts.
func recovered(before, after providers.Input, node string, nodes config.Selection, restarts ...string) error {
	was, is := outageOf(before, nodes, true), outageOf(after, nodes, true)
	if why := after.World.Kubernetes.Unknown; why != "" && !is.dark {
		return fmt.Errorf("the Kubernetes API does not answer yet: %s", why)
	}
	if sick := is.sick(); sick != "" {
		return fmt.Errorf("etcd is not healthy after the step on %s: %s", node, sick)
	}
	if !is.etcd {
		if why := health.Words(lost(before, after, is)); why != "" {
			return fmt.Errorf("etcd is not healthy after the step on %s: %s", node, why)
		}
	}
	old, now := before.World.Etcd, after.World.Etcd
	if old.ClusterID != "" && now.ClusterID != "" && old.ClusterID != now.ClusterID {
		return fmt.Errorf("etcd was cluster %s and is %s", old.ClusterID, now.ClusterID)
	}
	same := func(a, b facts.Member) bool { return a.ID == b.ID || b.ID == facts.New }
	if len(old.Members) > 0 && len(now.Members) > 0 && !slices.EqualFunc(old.Members, now.Members, same) {
		return errors.New("the members of etcd changed during the step")
	}
	for _, n := range is.nodes {
		old, now := before.World.Nodes[n.Name], after.World.Nodes[n.Name]
		if old == nil || now == nil || old.Unknown != "" || now.Unknown != "" {
			continue
		}
		otherwise := was.unexplained(old, controlPlaneTroubles(old, stackedEtcd(before)))
		left := is.unexplained(now, controlPlaneTroubles(now, stackedEtcd(after)))
		left = slices.DeleteFunc(left, func(t controlPlaneTrouble) bool {
			if n.Name == node {
				return slices.Contains(restarts, t.component)
			}
			return slices.ContainsFunc(otherwise, func(o controlPlaneTrouble) bool { return o.component == t.component })
		})
		if why := refusal(left); why != "" {
			return fmt.Errorf("the control plane of %s is not back yet: %s", n.Name, why)
		}
	}
	if after.World.Kubernetes.Unknown == "" && len(is.expired) == 0 {
		return joined(before, after, is)
	}
	return nil
}

// lost are the members that cost their vote now and did not before, or did so only because certificates had expired.
func lost(before, after providers.Input, is outage) []health.Trouble {
	was := standingOf(before)
	return slices.DeleteFunc(slices.Clone(standingOf(after).Out), func(t health.Trouble) bool {
		n := after.World.Nodes[t.Node]
		if n == nil {
			n = after.World.Nodes[t.Member]
		}
		switch {
		case n == nil || n.Unknown != "" || t.Kind == health.Unstarted:
			return true // its node is down
		case expiredOf(n, is.in.Clock(), ofEtcdMember...) != nil:
			return true // the next steps' work
		}
		// A member that was away while etcd had its majority, with valid certificates, was away for another reason.
		return majority(before.World.Etcd) && expiredOf(before.World.Nodes[n.Name], before.Clock(), ofEtcdMember...) == nil &&
			slices.ContainsFunc(was.Out, func(o health.Trouble) bool { return o.Member == t.Member })
	})
}

// joined holds the nodes of the control plane to be ready once nothing is expired any longer, but for those whose
// kubelet cannot join by itself: that is a finding of its own.
func joined(before, after providers.Input, is outage) error {
	find := func(in providers.Input, name string) (facts.KubernetesNode, bool) {
		i := slices.IndexFunc(in.World.Kubernetes.Nodes, func(k facts.KubernetesNode) bool { return k.Name == name })
		if i < 0 {
			return facts.KubernetesNode{}, false
		}
		return in.World.Kubernetes.Nodes[i], true
	}
	for _, n := range is.nodes {
		observed := after.World.Nodes[n.Name]
		if observed == nil || observed.Unknown != "" || kubeletExpired(observed, after) {
			continue
		}
		if was, known := find(before, n.Name); known && !was.Ready && before.World.Kubernetes.Unknown == "" {
			continue // for another reason
		}
		if now, known := find(after, n.Name); known && !now.Ready {
			return fmt.Errorf("node %s is not Ready yet", n.Name)
		}
	}
	return nil
}

// kubeletExpired reports whether the client certificate of a node's kubelet has expired.
func kubeletExpired(n *facts.Node, in providers.Input) bool {
	f := file(&n.Certificates, "kubelet-client")
	return f != nil && len(f.Blocks) > 0 && in.Clock().Passed(f.Blocks[0].NotAfter)
}
