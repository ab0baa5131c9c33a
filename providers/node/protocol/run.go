package protocol

import "time"

// ChangeWithin is how soon after the start of a session a changing request must have come: a helper refuses a later one.
//
// A process may be paused between the moment at which it found its locks held and its request, and others may have had
// them since; a node that the newer run has not been to knows nothing of that. So upkeep looks at its locks after the
// session has begun, goes on only where they last for ChangeWithin from then, and sends the request. One that was paused in
// between comes too late. No two clocks are compared: each side measures a time of its own, and the one on the node began
// first.
//
// The guarantee is that of the locks: one that a person removes by force (force-unlock, kubectl delete lease) ends at
// once, and then only the nodes where a newer run has been refuse the older one.
const ChangeWithin = 30 * time.Second

// Run names the run that a changing request belongs to. A helper compares it with the newest run that it has seen on
// its node, and refuses a request of the same lineage with an older generation: a process that was paused and wakes late
// must not act once another run has begun.
type Run struct {
	// Lineage is the state's: generations of different lineages cannot be compared.
	Lineage string `json:"lineage,omitempty"`
	// Generation is the one that the run's lock took out of the state.
	Generation uint64 `json:"generation,omitempty"`
	// Plan is the plan's id, so that what is left on a node names the plan that it came from.
	Plan string `json:"plan,omitempty"`
	// Step is the id of the plan's step.
	Step string `json:"step,omitempty"`
	// Limit is how many seconds the request may take, as what is left to its step; 0: what its row says. The row bounds it.
	Limit int `json:"limit,omitempty"`
}

// Changing is a request that changes something. Each one names its run.
type Changing interface {
	// InRun returns the request as a part of a run; its own step is the run's.
	InRun(Run) any
	// BelongsTo returns the run that it is a part of.
	BelongsTo() Run
}

// at returns the run at one of its steps.
func (r Run) at(step string) Run {
	r.Step = step
	return r
}

// LockRequest asks a node to keep every other run away. It is refused while another lineage holds a lock that has not
// expired, and when the node has seen a newer generation of the same lineage. The same run may ask again: that renews.
type LockRequest struct {
	Lineage    string `json:"lineage"`
	Generation uint64 `json:"generation"`
	// Holder is who asks, as a person reads it: "user@host/pid".
	Holder string `json:"holder"`
	// Seconds is how long the lock holds from now, by the node's own clock.
	Seconds int `json:"seconds"`
	// Release gives the lock back instead, if this run holds it; giving back what is not held is no error.
	Release bool `json:"release,omitempty"`
}

// LockResult is the state of a node's lock after a request.
type LockResult struct {
	// Holder is who holds the lock now: the asker where Held is true, else who is in the way (empty after a release).
	Holder string `json:"holder"`
	// Generation is the newest that the node has seen of the holder's lineage.
	Generation uint64 `json:"generation"`
	// Held is true where the asker holds the lock now.
	Held bool `json:"held"`
}
