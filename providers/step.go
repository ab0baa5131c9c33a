package providers

import (
	"encoding/json"
	"slices"
	"time"
)

// Step is one operation of a plan, as data.
type Step struct {
	// ID is unique in its plan and the same for the same due work: "certificates.control_plane@cp1/renew".
	ID      string  `json:"id"`
	Address Address `json:"address"` // with Node set where the step is for one node
	// Node is the name of the node it runs on; empty for a step of the cluster.
	Node string `json:"node,omitempty"`
	// Operation is "DOMAIN.VERB": the key of Type.Effects and of the operations handed to apply.
	Operation string          `json:"operation"`
	Args      json.RawMessage `json:"args,omitempty"`
	// Action is how Terraform would call it: "create", "update", "delete" or "no-op" (a restart is an update).
	Action  string `json:"action"`
	Summary string `json:"summary"` // "renew apiserver, admin.conf"
	// Why is the chain of reasons, most concrete first.
	Why     []string `json:"why,omitempty"`
	Changes []Change `json:"changes,omitempty"`
	// Disruption says what is interrupted and where ("control plane of cp1"); empty: nothing is.
	Disruption string `json:"disruption,omitempty"`
	// Guards are the names of the guards the step needs; GuardNone the operator's reason for going without those of them that
	// Waived names, or without all where it names none.
	Guards    []string `json:"guards,omitempty"`
	GuardNone string   `json:"guard_none,omitempty"`
	Waived    []string `json:"waived,omitempty"`
	// Prefers are the names of guards within which the step goes where a block of the configuration provides them, and
	// without which it goes where none does. The planner leaves those that are provided; GuardNone is not about them.
	Prefers []string `json:"prefers,omitempty"`
	Window  string   `json:"window,omitempty"` // "always"
	// SerialGroup: of the steps that share it, only those of one node are under way at a time, and the next node starts
	// only when the last is proved.
	SerialGroup string `json:"serial_group,omitempty"`
	// Turn orders the nodes of a serial group: those of a lower turn go first; of one turn, the primary and then as declared.
	Turn int `json:"turn,omitempty"`
	// Lanes bound how many nodes are under way beside this step's node.
	Lanes []Lane `json:"lanes,omitempty"`
	// Rest: the node may be left as it is after this step. The last step of a series always rests.
	Rest bool `json:"rest,omitempty"`
	// Repairs: the step puts right an outage that exists, so it is not held back by its node not being ready, nor by a window.
	Repairs bool `json:"repairs,omitempty"`
	// After are the ids of steps that must be proved first.
	After []string `json:"after,omitempty"`
	// Ends is the name of the guard that this step ends (a provider scaled up again). Such a step is not dropped when a
	// step in After failed or was refused: it runs once all of them have ended, however they ended, provided that the
	// steps that began the guard ran. The planner sets it.
	Ends string `json:"ends,omitempty"`
	// Ground is what the step relies on, as the planner predicted it just before the step: like Args a struct of the domain.
	// GroundText is the same for people, one value a line ("serial of apiserver = 4FE68FC3EABB1A74").
	Ground     json.RawMessage `json:"ground,omitempty"`
	GroundText []string        `json:"ground_text,omitempty"`
	// Proof says what will be looked at afterwards, in words.
	Proof string `json:"proof,omitempty"`
	Undo  string `json:"undo,omitempty"`
	// Estimate is in seconds.
	Estimate float64 `json:"estimate,omitempty"`
	// Limit is how long its operation may take, in seconds, where that is longer than the executor gives every operation.
	Limit float64 `json:"limit,omitempty"`
	// Settle is how long after its operation the proof may take, in seconds, where the executor's own patience is too short.
	Settle   float64 `json:"settle,omitempty"`
	Position string  `json:"position,omitempty"` // file:line of the block that asks for it
}

// Change is one value before and after. Secrets never stand here.
type Change struct {
	What   string `json:"what"`
	Before string `json:"before"`
	After  string `json:"after"`
	// Always: a person must see this one however many others there are.
	Always bool `json:"always,omitempty"`
}

// Waives reports whether the step goes without a guard that it names, by the operator's reason.
func (s Step) Waives(guard string) bool {
	return s.GuardNone != "" && (len(s.Waived) == 0 || slices.Contains(s.Waived, guard))
}

// Series is the address on a node that the step belongs to: the steps of one series keep their node's place in its lanes from
// the first of them to the last. A step of the cluster (no node) is a series with the others of its resource.
func (s Step) Series() Address { return s.Address.Resource().On(s.Node) }

// EstimateDuration returns Estimate as a duration.
func (s Step) EstimateDuration() time.Duration {
	return time.Duration(s.Estimate * float64(time.Second))
}

// SettleDuration returns Settle as a duration.
func (s Step) SettleDuration() time.Duration {
	return time.Duration(s.Settle * float64(time.Second))
}

// LimitDuration returns Limit as a duration.
func (s Step) LimitDuration() time.Duration {
	return time.Duration(s.Limit * float64(time.Second))
}
