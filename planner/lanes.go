package planner

import (
	"slices"

	"upkeep/planner/schedule"
	"upkeep/providers"
)

// LaneNodes is a lane with the nodes that it is about.
type LaneNodes struct {
	providers.Lane
	Nodes []string `json:"nodes,omitempty"`
	// Taken are the nodes that take a place of the lane in the world of the plan, whatever the plan does.
	Taken []schedule.Taken `json:"taken,omitempty"`
}

// controlPlaneRoles are the roles of nodes that the lane "control-plane" is about.
var controlPlaneRoles = []string{"control-plane", "etcd"}

// setLanes puts every step of a node into the lane of its node, and every disruptive one of a control plane into the lane
// "control-plane". It returns the lanes of the steps except for those of single nodes, as they appear.
//
// What must not run without a guard counts as disruptive, like what interrupts something: a renewal replaces private keys,
// and what goes wrong with the first control plane must not happen to the next. The lane counts the nodes that are in progress,
// and no others: what may be done to one control plane while another is down depends on etcd's quorum and on who can take over,
// which each step judges for itself. Repairs are in the lane so that they go one at a time; they close nothing.
func setLanes(steps []providers.Step, in providers.Input) []LaneNodes {
	plane := providers.Lane{Name: providers.ControlPlaneLane, Width: 1, Strict: true}
	member := ControlPlanes(in)
	for i, step := range steps {
		if step.Node == "" {
			continue
		}
		lanes := append(slices.Clone(step.Lanes), providers.NodeLane(step.Node))
		if member[step.Node] && (step.Disrupts() || step.Repairs) {
			lanes = append(lanes, plane)
		}
		steps[i].Lanes = lanes
	}
	var out []LaneNodes
	for _, l := range lanesOf(steps) {
		out = append(out, LaneNodes{Lane: l.lane, Nodes: l.lane.Selection})
	}
	for i, lane := range out {
		out[i].Taken, _ = Taken(out[i:i+1], in)
		own := map[string]bool{} // nodes that this plan is about take no room from their own steps
		for _, step := range steps {
			if slices.ContainsFunc(step.Lanes, func(l providers.Lane) bool { return l.Name == lane.Name }) {
				own[step.Node] = true
			}
		}
		out[i].Taken = slices.DeleteFunc(out[i].Taken, func(t schedule.Taken) bool { return own[t.Node] })
	}
	return out
}

// ControlPlanes are the nodes that the lane "control-plane" is about, and that are locked while the API is down. A role that the configuration leaves out does not make
// two control planes fit to be disrupted at once: what Kubernetes calls one is one, and so is what runs the static pods of one.
func ControlPlanes(in providers.Input) map[string]bool {
	member := map[string]bool{}
	for _, node := range in.Inventory.Nodes {
		declared := slices.ContainsFunc(node.Roles, func(role string) bool { return slices.Contains(controlPlaneRoles, role) })
		if declared || len(in.World.Node(node.Name).ControlPlane.StaticPods) > 0 {
			member[node.Name] = true
		}
	}
	find := in.Inventory.Finder()
	for _, known := range in.World.Kubernetes.Nodes {
		if node, ok := find(known); ok && providers.Labelled(known, controlPlaneRoles...) {
			member[node.Name] = true
		}
	}
	return member
}

// Taken are the nodes that take a place of some lanes although nothing of them need be in progress: those that Kubernetes says
// are not ready or cordoned, in the order in which the cluster names them. seen is false where the cluster was not asked, or no
// lane is about nodes that could be.
func Taken(lanes []LaneNodes, in providers.Input) (taken []schedule.Taken, seen bool) {
	if in.World.Kubernetes.Unknown != "" || !slices.ContainsFunc(lanes, func(l LaneNodes) bool { return len(l.Nodes) > 0 }) {
		return nil, false
	}
	// Few nodes are away, and many are in lanes; this is asked at each look.
	about := map[string]bool{}
	for _, node := range in.World.Kubernetes.Nodes {
		if !node.Ready || node.Unschedulable {
			about[node.Name] = false
		}
	}
	if len(about) > 0 {
		for _, lane := range lanes {
			for _, node := range lane.Nodes {
				if _, away := about[node]; away {
					about[node] = true
				}
			}
		}
	}
	for _, node := range in.World.Kubernetes.Nodes {
		switch {
		case !about[node.Name]:
		case !node.Ready:
			taken = append(taken, schedule.Taken{Node: node.Name, Why: "not ready"})
		case node.Unschedulable:
			taken = append(taken, schedule.Taken{Node: node.Name, Why: "cordoned"})
		}
	}
	return taken, len(in.World.Kubernetes.Nodes) > 0
}
