package certificates

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"unsafe"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
)

// planes are the control planes of a cluster, and what a step on one of them must know of the others. They are worked out once,
// and follow every change of a node, so that a step costs the same however many there are.
type planes struct {
	nodes      []config.Node
	incomplete string
	stacked    bool
	place      map[string]int // of each in nodes
	silent     map[string]bool
	doubts     map[string]bool // those that answer, and are not plainly well
	able       map[string]int  // how many that answer could take over, by component
}

// planesOf returns the control planes of a selection, and those that it leaves to other blocks or to nobody.
func planesOf(in providers.Input, selection config.Selection, stacked bool) *planes {
	type of struct {
		roles, fleets, names string
		known                *facts.KubernetesNode
		labelled             int
		stacked              bool
	}
	list := func(words []string) string { return strings.Join(words, "\n") }
	key := of{list(selection.Roles), list(selection.Fleets), list(selection.Names), unsafe.SliceData(in.World.Kubernetes.Nodes), len(in.World.Kubernetes.Nodes), stacked}
	return providers.Followed(in, "certificates: control planes", key, func() *planes {
		p := &planes{stacked: stacked, silent: map[string]bool{}, doubts: map[string]bool{}, able: map[string]int{}}
		p.nodes, p.incomplete = controlPlanes(in, selection)
		p.place = make(map[string]int, len(p.nodes))
		for i, n := range p.nodes {
			p.place[n.Name] = i
			p.count(n.Name, in.World.Nodes[n.Name], 1)
		}
		return p
	}, (*planes).move)
}

// move takes a node that is replaced into what is known of all.
func (p *planes) move(c providers.NodeChange) {
	if _, ours := p.place[c.Name]; !ours {
		return
	}
	p.count(c.Name, c.Was, -1)
	delete(p.silent, c.Name)
	delete(p.doubts, c.Name)
	p.count(c.Name, c.Is, 1)
}

func (p *planes) count(name string, n *facts.Node, by int) {
	if n == nil || n.Unknown != "" {
		p.silent[name] = true
		return
	}
	for i := range n.ControlPlane.StaticPods {
		if c := n.ControlPlane.StaticPods[i].Component; staticPod(&n.ControlPlane, c) == &n.ControlPlane.StaticPods[i] && takesOver(n, c) {
			p.able[c] += by
		}
	}
	if len(n.Certificates.Unfinished) > 0 || len(controlPlaneTroubles(n, p.stacked)) > 0 {
		p.doubts[name] = true
	}
}

// doubtful returns the control planes beside a node that answer and are not plainly well, in the order of nodes.
func (p *planes) doubtful(node string) []string {
	if len(p.doubts) == 0 {
		return nil
	}
	names := slices.SortedFunc(maps.Keys(p.doubts), func(a, b string) int { return cmp.Compare(p.place[a], p.place[b]) })
	return slices.DeleteFunc(names, func(name string) bool { return name == node })
}

// ableWithout reports whether a control plane beside a node could take over from a component on it: one that is seen to, or one
// that upkeep cannot reach and Kubernetes calls ready.
func (p *planes) ableWithout(in providers.Input, node, component string) bool {
	able := p.able[component]
	if own := in.World.Nodes[node]; own != nil && own.Unknown == "" && takesOver(own, component) {
		if _, ours := p.place[node]; ours {
			able--
		}
	}
	if able > 0 {
		return true
	}
	for name := range p.silent {
		if name != node && kubernetesReady(in.World.Kubernetes, p.nodes[p.place[name]]) {
			return true
		}
	}
	return false
}
