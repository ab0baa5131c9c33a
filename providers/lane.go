package providers

// Lane bounds how many nodes are in progress at once. Of the nodes whose steps name the lane, at most Width are between
// the first and the last step of a series; see Step.Series. What a lane is enters the digest, a node's place in it does
// not.
type Lane struct {
	// Name is unique in a plan: "control-plane", "nvidia_driver.workers", "node/cp1". Steps that name one lane agree on
	// the rest of it.
	Name string `json:"name"`
	// Width is how many nodes may be in progress, at least 1. A domain leaves it 0 where the window of the block says
	// how many, else 1: the planner fills it in.
	Width int `json:"width"`
	// Failures is how many nodes may fail after their first change before the lane closes: no further node starts.
	// NeverCloses: it stays open however many fail.
	Failures int `json:"failures"`
	// Strict: the lane closes as soon as a step of it is neither done nor skipped, whether its node was changed or not.
	Strict bool `json:"strict,omitempty"`
	// Selection are the nodes that the lane is about, by name. One that is not ready, cordoned or left over from an
	// earlier run takes a place although this plan does not touch it. It follows from the configuration and the facts, so
	// a plan file says it once (Plan.Lanes) instead of in every step, and it is no part of the digest.
	Selection []string `json:"-"`
}

// NeverCloses is a Lane's Failures where it stays open however many nodes fail.
const NeverCloses = -1

// Names of the lanes that the planner sets by itself.
const (
	// ControlPlaneLane holds every step of a node with the role control-plane or etcd that disrupts or repairs something:
	// one node at a time.
	ControlPlaneLane = "control-plane"
	// NodeLanePrefix and a node's name is the lane of that node's changing steps: its helper admits one changing request
	// at a time.
	NodeLanePrefix = "node/"
)

// NodeLane is the lane of a node's own changing steps.
func NodeLane(node string) Lane {
	return Lane{Name: NodeLanePrefix + node, Width: 1, Failures: NeverCloses, Selection: []string{node}}
}
