package planner

import (
	"slices"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// LaneNodes is a lane with the nodes that it is about.
type LaneNodes struct {
	providers.Lane
	Nodes []string `json:"nodes,omitempty"`
	// Taken are the nodes which the plan found to take a place of the lane, whatever this plan does.
	Taken []TakenPlace `json:"taken,omitempty"`
}

// TakenPlace is a node that takes a place of a lane.
type TakenPlace struct {
	Node string `json:"node"`
	Why  string `json:"why"`
}

// controlPlaneRoles are the roles of nodes that the lane "control-plane" is about.
var controlPlaneRoles = []string{"control-plane", "etcd"}

// setLanes puts every step of a node into the lane of its node, and every disruptive one of a control plane into the lane
// "control-plane". It returns the lanes of the steps but for those of single nodes, as they appear.
//
// What must not run without a guard counts as disruptive, like what interrupts something: a renewal replaces private keys,
// and what goes wrong with the first control plane must not happen to the next. Steps that repair an outage which exists stay
// outside the lane: they disrupt nothing, and an outage elsewhere must not hold them back.
func setLanes(steps []providers.Step, in providers.Input) []LaneNodes {
	plane := providers.Lane{Name: providers.ControlPlaneLane, Width: 1, Strict: true}
	member := map[string]bool{}
	for _, node := range in.Inventory.Nodes {
		if slices.ContainsFunc(node.Roles, func(role string) bool { return slices.Contains(controlPlaneRoles, role) }) {
			plane.Selection = append(plane.Selection, node.Name)
			member[node.Name] = true
		}
	}
	for i, step := range steps {
		if step.Node == "" {
			continue
		}
		lanes := append(slices.Clone(step.Lanes), providers.NodeLane(step.Node))
		if member[step.Node] && step.Disrupts() && !step.Repairs {
			lanes = append(lanes, plane)
		}
		steps[i].Lanes = lanes
	}
	var out []LaneNodes
	for _, l := range lanesOf(steps) {
		out = append(out, LaneNodes{Lane: l.lane, Nodes: l.lane.Selection, Taken: taken(l, in.World.Kubernetes)})
	}
	return out
}

// taken are the nodes of a lane that take a place of it before anything is begun: those that Kubernetes says are not ready or
// cordoned. A node takes no place from its own steps.
func taken(l *laneSteps, k facts.Kubernetes) []TakenPlace {
	var out []TakenPlace
	nodes := make(map[string]facts.KubernetesNode, len(k.Nodes))
	for _, node := range k.Nodes {
		nodes[node.Name] = node
	}
	for _, name := range l.lane.Selection {
		node, known := nodes[name]
		switch {
		case !known || len(l.steps[name]) > 0:
		case !node.Ready:
			out = append(out, TakenPlace{Node: name, Why: "not ready"})
		case node.Unschedulable:
			out = append(out, TakenPlace{Node: name, Why: "cordoned"})
		}
	}
	return out
}
