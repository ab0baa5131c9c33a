package report

import (
	"upkeep/planner"
	"upkeep/providers"
)

// DoctorJSON is what a look at nodes or a cluster found that nobody has declared anything of.
type DoctorJSON struct {
	DriftJSON
	// Objects is everything that was looked at, healthy or not.
	Objects []providers.Object `json:"objects"`
	Advice
}

// Advice is what a person may do next; the caller knows how it was asked.
type Advice struct {
	// Unasked is what was not looked at, and how to have it looked at.
	Unasked []string `json:"unasked"`
	// Next are the next steps, in order.
	Next []string `json:"next"`
	// Configuration declares what was looked at.
	Configuration string `json:"configuration"`
}

// Doctor returns what a plan found, without what it would do. A cluster that no node was named of is represented by the
// nodes that its API lists.
func Doctor(p planner.Plan, advice Advice) DoctorJSON {
	d := DoctorJSON{DriftJSON: Drift(p), Objects: present(p.Objects), Advice: advice}
	d.Unasked, d.Next = present(d.Unasked), present(d.Next)
	if len(d.Nodes) == 0 {
		for _, n := range p.Request.World.Kubernetes.Nodes {
			node := Node{Name: n.Name}
			if _, plane := n.Labels["node-role.kubernetes.io/control-plane"]; plane {
				node.Roles = []string{"control-plane"}
			}
			d.Nodes = append(d.Nodes, node)
		}
	}
	return d
}
