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
	// Disruption says in one sentence what is interrupted and where ("kube-scheduler restarts on cp1"); empty: nothing is.
	Disruption string `json:"disruption,omitempty"`
	// Unaffected says in one sentence what keeps running during the disruption.
	Unaffected string `json:"unaffected,omitempty"`
	// Money is how the step changes prices; nil where the step is not about prices.
	Money *Money `json:"money,omitempty"`
	// Guards are the guards that the step needs. The planner drops optional ones that no block provides.
	Guards []Need `json:"guards,omitempty"`
	// Consents are the rules that the step breaks and that only a person's word lifts.
	Consents []Consent `json:"consents,omitempty"`
	Window   string    `json:"window,omitempty"` // "always"
	// Turn orders the nodes of a lane: those of a lower turn go first; of one turn, the primary and then as declared.
	Turn int `json:"turn,omitempty"`
	// Lanes bound how many nodes are in progress in addition to this step's node. A domain sets its own; the planner adds
	// those that every plan has (see Lane).
	Lanes []Lane `json:"lanes,omitempty"`
	// Rest: the node may be left in this state after the step. The last step of a series always rests.
	Rest bool `json:"rest,omitempty"`
	// Repairs: the step puts right an outage that exists, so it is not held back by its node not being ready, nor by a
	// window.
	Repairs bool `json:"repairs,omitempty"`
	// After are the ids of steps that must be proved first. What follows from a guard is in the plan's brackets.
	After []string `json:"after,omitempty"`
	// Ground is what the step relies on, as the planner predicted it just before the step: like Args a struct of the
	// domain. GroundText is the same for people, one value a line ("serial of apiserver = 4FE68FC3EABB1A74").
	Ground     json.RawMessage `json:"ground,omitempty"`
	GroundText []string        `json:"ground_text,omitempty"`
	// Proof says what will be looked at afterwards, in words.
	Proof string `json:"proof,omitempty"`
	// Undo says how a person takes the step back, in words; empty: nobody can. Reversal is the same as data.
	Undo     string   `json:"undo,omitempty"`
	Reversal Reversal `json:"reversal,omitzero"`
	// Estimate is in seconds: the median of earlier runs of the operation, else what its domain says. Worst is the
	// longest of those runs; zero where none is remembered.
	Estimate float64 `json:"estimate,omitempty"`
	Worst    float64 `json:"worst,omitempty"`
	// Limit is how long its operation may take, in seconds, where that is longer than the executor gives every operation.
	Limit float64 `json:"limit,omitempty"`
	// Settle is how long after its operation the proof may take, in seconds, where the executor's own patience is too
	// short.
	Settle   float64 `json:"settle,omitempty"`
	Position string  `json:"position,omitempty"` // file:line of the block that asks for it
}

// NewStep returns a step that an operation of a domain does for the block of an address, on its node where it has one.
// What a person reads of the step is the domain's to fill in. args is plain data. The estimate, in seconds, counts
// where no earlier run of the operation is remembered.
func NewStep(in Input, address Address, verb, operation string, args any, estimate float64) Step {
	data, err := json.Marshal(args)
	if err != nil {
		panic(operation + ": arguments are plain data: " + err.Error())
	}
	median, worst := in.Memory.Took(operation)
	if median > 0 {
		estimate = median
	}
	return Step{
		ID: address.String() + "/" + verb, Address: address, Node: address.Node, Operation: operation, Args: data, Action: "update", Estimate: estimate,
		Worst: worst,
	}
}

// Change is one value before and after. Secrets never stand here.
type Change struct {
	What   string `json:"what"`
	Before string `json:"before"`
	After  string `json:"after"`
	// Always: a person must see this one however many others there are.
	Always bool `json:"always,omitempty"`
	// Object is what happens to a Kubernetes object that is named by What: "create", "update", "delete", "keep". Before
	// and After are then empty.
	Object string `json:"object,omitempty"`
	// Fields are the fields of the object that change, sorted by path; More counts those that are left out.
	Fields []FieldChange `json:"fields,omitempty"`
	More   int           `json:"more,omitempty"`
}

// FieldChange is one field of a Kubernetes object before and after.
type FieldChange struct {
	Path string `json:"path"` // "spec.template.spec.containers[nvdp].image"
	// Before and After are empty where the field is not set, and where it is sensitive.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	// Sensitive: only the path is told.
	Sensitive bool `json:"sensitive,omitempty"`
}

// Disrupts reports whether the step counts as disruptive: it interrupts something, or it must not run without a guard.
func (s Step) Disrupts() bool {
	return s.Disruption != "" || slices.ContainsFunc(s.Guards, func(n Need) bool { return !n.Optional })
}

// Needs reports whether the step names a guard and the guard is not waived.
func (s Step) Needs(guard string) bool {
	return slices.ContainsFunc(s.Guards, func(n Need) bool { return n.Name == guard && n.Placed() })
}

// Series is the address on a node that the step belongs to: the steps of one series keep their node's place in its
// lanes from the first of them to the last. A step of the cluster (no node) is a series with the others of its
// resource.
func (s Step) Series() Address { return s.Address.Resource().On(s.Node) }

// EstimateDuration returns Estimate as a duration.
func (s Step) EstimateDuration() time.Duration {
	return time.Duration(s.Estimate * float64(time.Second))
}

// WorstDuration returns how long the step may take where it must fit into what is left of a window: as long as it took
// in the worst of the runs that are remembered.
func (s Step) WorstDuration() time.Duration {
	return max(s.EstimateDuration(), time.Duration(s.Worst*float64(time.Second)))
}

// SettleDuration returns Settle as a duration.
func (s Step) SettleDuration() time.Duration {
	return time.Duration(s.Settle * float64(time.Second))
}

// LimitDuration returns Limit as a duration.
func (s Step) LimitDuration() time.Duration {
	return time.Duration(s.Limit * float64(time.Second))
}
