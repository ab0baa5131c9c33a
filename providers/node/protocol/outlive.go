package protocol

import (
	"fmt"
	"time"
)

// UndoRequest asks a helper to undo one thing that upkeep marked on its node. It names a mark that an observation returned
// (facts.Mark).
type UndoRequest struct {
	Run  Run    `json:"run"`
	Mark string `json:"mark"`
}

// InRun and BelongsTo implement Changing.
func (r UndoRequest) InRun(run Run) any { r.Run = run.at("undo " + r.Mark); return r }
func (r UndoRequest) BelongsTo() Run    { return r.Run }

// UndoResult says what was done.
type UndoResult struct {
	// Undone says in words what was done; empty where the mark was gone already.
	Undone    string    `json:"undone,omitempty"`
	Performed Performed `json:"performed,omitzero"`
}

// Performed says how a changing request was run. Such a request does not end with the connection that brought it:
// it is a process of its own on the node, and a request that repeats one of the same run, step and content is given what
// became of that one; it is never run twice.
type Performed struct {
	// By is what carried it out: "systemd unit upkeep-….service", or "detached process" where no systemd runs.
	By string `json:"by"`
	// Began and Ended are by the node's clock.
	Began time.Time `json:"began"`
	Ended time.Time `json:"ended"`
	// Attached is true where an earlier request had begun it.
	Attached bool `json:"attached,omitempty"`
	// Rebooted is true where the node has booted since, as the method may make it do (Unit.Restarts). The rest of the result
	// is then empty: the process that would have said it ended with the boot.
	Rebooted bool `json:"rebooted,omitempty"`
}

// Named reports whether the run names one step of one plan of one state, so that a request of it can be told from every
// other.
func (r Run) Named() bool { return r.Lineage != "" && r.Generation > 0 && r.Plan != "" && r.Step != "" }

// String names the run in a message.
func (r Run) String() string {
	if r == (Run{}) {
		return "no run"
	}
	return fmt.Sprintf("step %s of plan %s (generation %d)", r.Step, r.Plan, r.Generation)
}
