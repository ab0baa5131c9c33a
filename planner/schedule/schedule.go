// Package schedule says which steps of a plan may start now, which wait and for what, which are blocked and why, and
// which steps end a bracket. It is the one place that knows: apply, rehearse, the finish time, the runbook's order and
// the simulated worlds ask it, whether they take one step at a time or many.
//
// It is no executor: it does no I/O, reads no clock and starts nothing. A Schedule is a book that its driver keeps by
// reporting events; times come in as arguments. The same events in the same order give the same decisions. It is not
// safe for use by several goroutines.
//
// What it promises: never more nodes of a lane in progress than the lane is wide; never two changing steps on one node;
// no guarded step before its brackets have begun; a bracket that began is ended, unless the run stops at once; a step
// that may never run says why. An event costs what hangs on its step, however large the plan is.
//
// # How a driver uses it
//
// Next hands out decisions. For a Look the driver asks the step's readiness and reports Ready, Waits or Ended. For a
// Start it asks again, looks at the step's guards, and reports Waits, GuardLost or Ended, or Started and, after the act
// and its proof, Ended. Then it calls Next again. Nothing was handed out, nothing is in the driver's hands: the run is
// over (Over), and States says how each step ended. See the example.
//
// # Series and lanes
//
// A series is the steps of one address on one node (Step.Series). A step that begins or ends a bracket which has an end
// may run several times, so it is a series of its own. Before a series starts, nothing but its own work may be left to
// wait for: the steps that any of its steps must come after have ended, and the brackets without an end (a backup) that
// any of its steps needs have begun. It then enters all its lanes at once. It leaves them when its last step has ended,
// or at a Rest where it does not go on; where it failed, or was left changed, its node keeps the place. A place belongs
// to a node: several series of one node share it. A series of the cluster counts as a node of its own.
//
// The lane "node/NAME" admits no node but one step: at most one changing step of a node runs at any time, which is what
// the node's helper admits. Every step with a node is held to that, whether it names the lane or not. A step that ends
// a bracket is held by this alone: not by lanes, windows or a stop below Now.
//
// The nodes of a Strict lane enter in their order: by turn, then as in the plan. Repairs go before that order, and so
// do nodes that take room already. "order" lifts this order and the lane's closing; "max_unavailable" lifts the width
// of lanes that are not Strict; for one node, they lift it for that node alone.
//
// # Brackets
//
// A bracket begins when a guarded step could start now except for it. It ends when no guarded step runs, may start now,
// or waits for nothing but a step that is in progress now: directly, in its own series, for its node, or for room in a
// lane in which a step is in progress. So a fleet does not begin and end it once a node. What waits for something else
// (tenants, a window) does not keep it open; it begins again when that has passed, in a new round.
package schedule

import (
	"time"

	"upkeep/providers"
)

// Plan is what must be scheduled.
type Plan struct {
	// Steps are in plan order: it decides where nothing else does.
	Steps    []providers.Step
	Brackets []providers.Bracket
	// Lifted are the rules that this run lifts.
	Lifted []Lifted
	// Openings are those of each window, by Step.Window, in order and apart. A window that is not named here is always
	// open.
	Openings map[string][]Opening
	// Stretch are the windows in which the plan is one stretch, and how long it takes: its first step begins only where
	// all of it fits, and past the edge the rest goes on.
	Stretch map[string]time.Duration
}

// Lifted is a rule that an override lifts.
type Lifted struct {
	Rule string
	Node string // empty: for every node
}

// The rules of the schedule that can be lifted.
const (
	RuleOrder       = "order"
	RuleUnavailable = "max_unavailable"
	RuleWindow      = "window"
)

// Opening is one opening of a window: from From until just before Until.
type Opening struct{ From, Until time.Time }

// History is what earlier runs of the plan did, in order. Steps that were done are handed out all the same: whether
// they still are so is for the driver to see (Ended with Skipped). It tells which brackets were left begun and which
// nodes were left in progress: those hold their places from the start. Steps that the plan does not have are ignored.
type History []Past

// Past is one record of an earlier run.
type Past struct {
	Step string
	What What
}

// What an earlier run did with a step.
type What string

// What can be in a History. Other records (refused, blocked) do not matter here and may be left out.
const (
	WasStarted What = "started"
	WasDone    What = "done"
	WasSkipped What = "skipped"
	WasFailed  What = "failed"
)

// Decision is something that the driver does now.
type Decision struct {
	Step  string
	Index int // of the step in Plan.Steps
	Kind  Kind
	// Begins and Ends say that the step begins or ends a bracket, and Round in which round of it, from 1; rounds of
	// earlier runs count. Again: it begins again in the same round, since the driver found it undone.
	Begins, Ends bool
	Round        int
	Again        bool
	// Overrun is how long ago the opening ended in which the step's stretch began; zero where it is still open.
	Overrun time.Duration
}

// Kind is what a Decision asks for.
type Kind string

const (
	// Look: ask whether the step is ready, and report Ready, Waits or Ended (skipped or refused). Nothing is started: a
	// bracket would begin for this step, or the step waited when it was last looked at, or an earlier run did it. Looks
	// that come together for one resource can share one observation.
	Look Kind = "look"
	// Start: ask whether the step is ready and its guards hold, then report Started and run it; or Waits, GuardLost or
	// Ended.
	Start Kind = "start"
)

// Outcome is how a step ended.
type Outcome string

// The outcomes of a step. Drivers report the first four.
const (
	Done    Outcome = "done"    // it ran and was proved
	Skipped Outcome = "skipped" // what it would do was already so, or is not needed
	Refused Outcome = "refused" // its ground had moved or was unknown; it did not run
	Failed  Outcome = "failed"  // it ran, and failed or was not proved
	Blocked Outcome = "blocked" // something that must come first did not succeed; it did not run
	Waiting Outcome = "waiting" // it waits for something that passes by itself, or for a step that does
	Pending Outcome = "pending" // the run stopped before it
)

// Succeeded reports whether what the step is for is so.
func (o Outcome) Succeeded() bool { return o == Done || o == Skipped }

// Wait is what a step waits for.
type Wait struct {
	For   string    // "2 leases on gpu7"
	Since time.Time // zero: since it was first reported
	Again time.Time // when to look again at the earliest; zero: in a minute
	// Window names the window that it waits for; Again is then the start of the next opening into which the stretch fits,
	// zero where there is none.
	Window string
}

// Level says how a run stops. It only ever rises.
type Level int

const (
	// Running: it does not stop.
	Running Level = iota
	// NoNewNodes: no series starts, those in progress go on to their next Rest, open brackets end. The first signal.
	NoNewNodes
	// NoNewSteps: running steps are finished, open brackets end. The second signal.
	NoNewSteps
	// Now: nothing more starts, not even the end of a bracket. The third signal, or a lock that was lost.
	Now
)

// Taken is a node that takes room in the lanes whose Selection has it, although nothing of it is in progress.
type Taken struct {
	Node string `json:"node"`
	Why  string `json:"why"` // "not ready", "cordoned by ops", "left by an earlier run"
}

// State is how a step stands.
type State struct {
	Step  string
	Phase Phase
	// Outcome is how the step ended; of one that has not, how it ends if the run ends now (Waiting or Pending).
	Outcome Outcome
	// Why is the reason where it did not run, or what it waits for.
	Why  string
	Wait Wait // with Phase Parked
	// Round is how often its bracket has begun, for a step that begins or ends one.
	Round int
}

// Phase is where a step is on its way.
type Phase string

// The phases of a step.
const (
	Held      Phase = "held"      // something must come first; see Why
	Parked    Phase = "parked"    // waits for something outside the plan; see Wait
	Looking   Phase = "looking"   // handed out to be looked at
	Wanting   Phase = "wanting"   // ready, waits for its brackets to begin
	Startable Phase = "startable" // may start, not handed out yet
	Handed    Phase = "handed"    // handed out to be started
	Underway  Phase = "underway"  // started
	Ended     Phase = "ended"
)

// Between is how long a step that waits is left alone before it is looked at again.
const Between = time.Minute
