package facts

import "time"

// History is what upkeep did on one node, as the node itself remembers it. The zero value means that nobody asked.
type History struct {
	// Unknown says why the node's memory cannot be read.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Entries are the last ones, oldest first.
	Entries []HistoryEntry `json:"entries,omitempty"`
}

// The outcomes of a HistoryEntry.
const (
	OutcomeDone   = "done"
	OutcomeFailed = "failed"
	OutcomeDied   = "died" // its process ended without a result: killed, or the machine went down
	// OutcomeRebooted: the machine went down under a request that may boot it, and is up again.
	OutcomeRebooted = "rebooted, expected"
)

// HistoryEntry is one changing request that a node run.
type HistoryEntry struct {
	Plan       string `json:"plan,omitempty"`
	Step       string `json:"step,omitempty"`
	Lineage    string `json:"lineage,omitempty"`
	Generation uint64 `json:"generation,omitempty"`
	// Method is the request's ("certificates.renew").
	Method string `json:"method"`
	// Who is who brought it, as the node saw it: the login user, and where the connection came from.
	Who     string    `json:"who,omitempty" plain:"told"`
	Began   time.Time `json:"began"`
	Ended   time.Time `json:"ended,omitzero"`
	Outcome string    `json:"outcome"`
	// Error is why it failed.
	Error string `json:"error,omitempty" plain:"said"`
}

// Marks are the things on one node that upkeep made and means to take away again. The zero value means that nobody
// asked.
type Marks struct {
	// Unknown says why the marks cannot be read.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Found are sorted by ID.
	Found []Mark `json:"found,omitempty"`
}

// Mark is one such thing.
type Mark struct {
	ID string `json:"id"`
	// What is the thing: "staging tree /var/lib/upkeep/stage/…".
	What string `json:"what" plain:"told"`
	// Run is the run that made it, in words; Made when, by the node's clock.
	Run  string    `json:"run,omitempty" plain:"told"`
	Made time.Time `json:"made,omitzero"`
	// Undo is what undoing it does: "remove it".
	Undo string `json:"undo" plain:"told"`
	// Unknown says why the mark cannot be read; it can then not be undone either.
	Unknown string `json:"unknown,omitempty" plain:"said"`
}

// Work is what of upkeep's own is in progress on one node at the moment of the answer: requests whose units run, or
// whose node is going down as they expect. The runs that brought them may be long dead. The zero value: nothing is.
type Work struct {
	// Unknown says why the node's records of requests cannot be read.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// InProgress are in the order in which they began.
	InProgress []Request `json:"under_way,omitempty"`
}

// Request is one changing request that is being run.
type Request struct {
	Plan string `json:"plan,omitempty"`
	// Step is the id of the plan's step.
	Step string `json:"step,omitempty"`
	// Method is the request's ("certificates.renew").
	Method string `json:"method"`
	// By is what carries it out ("systemd unit upkeep-ID.service"); empty where that has not begun.
	By string `json:"by,omitempty" plain:"told"`
	// Began is when it began, or was asked for, by the node's clock.
	Began time.Time `json:"began"`
}
