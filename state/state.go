// Package state is what upkeep remembers between runs, and the rules by which it is kept.
//
// A state is small: durations, the last runs, a key for HMACs and a generation that fences off runs which lost their
// lock. It is not the truth about the cluster (that is observed, every time) and holds no secret of the cluster. The
// package knows no storage: a Backend (state/local) keeps the bytes and the lock, and state/statetest is the suite
// that every backend must pass.
package state

import (
	"fmt"
	"slices"
	"time"

	"upkeep/providers/facts"
)

// Version is the format that this package writes. A newer one is refused, never guessed at.
const Version = 4

// KeptRuns is how many runs a state remembers.
const KeptRuns = 20

// State is what is remembered. Its zero value is a state that does not exist yet.
type State struct {
	Version int `json:"version"`
	// Lineage is a UUID given when the state was created. Two states with different lineages have nothing in common.
	Lineage string `json:"lineage"`
	// Serial counts the writes that changed Memory or Runs.
	Serial uint64 `json:"serial"`
	// Generation counts the locks that were ever given out on this lineage. A run carries the generation of its lock;
	// whatever has seen a newer one refuses the older.
	Generation uint64       `json:"generation"`
	Memory     facts.Memory `json:"memory"`
	// Runs are the last KeptRuns runs, oldest first.
	Runs []RunRecord `json:"runs,omitempty"`
	// Key is for HMACs that stand for secrets where change must be seen. It has no text and no JSON form of its own.
	Key Key `json:"-"`
	// Signing signs bundles; the memory has its public half and those of the keys before it.
	Signing SigningKey `json:"-"`
}

// RunRecord is one apply.
type RunRecord struct {
	PlanID     string    `json:"plan_id"`
	Digest     string    `json:"digest"`
	Who        string    `json:"who,omitempty"` // user@host
	Generation uint64    `json:"generation,omitempty"`
	StartedAt  time.Time `json:"started_at"`
	// EndedAt is zero for a run that has not said how it ended: it goes on, or it was killed.
	EndedAt time.Time `json:"ended_at,omitzero"`
	// Outcome is "started", "complete", "partial", "nothing", "stale" or "interrupted".
	Outcome string `json:"outcome"`
	// Overrides are the safety rules that the run was told to lift: RULE[@NODE]=REASON.
	Overrides []string `json:"overrides,omitempty"`
	// Done counts steps that were run and proved, Skipped those whose work was already so, Refused those whose ground had
	// moved or was unknown, Failed those that ran and were not proved, Blocked those that waited for one of these.
	Done    int `json:"done"`
	Skipped int `json:"skipped"`
	Refused int `json:"refused"`
	Failed  int `json:"failed"`
	Blocked int `json:"blocked"`
}

// Exists reports whether the state was ever written.
func (s State) Exists() bool { return s.Lineage != "" }

// New returns an empty state with a lineage and a key of its own. Backends call it under their lock, when there is no
// state yet.
func New() State {
	return State{Version: Version, Lineage: newLineage(), Key: newKey()}.withSigningKey(newSigningKey(), time.Time{})
}

// WithRun returns a state that remembers run: in the place of an earlier record of the same plan, else as the newest.
func (s State) WithRun(run RunRecord) State {
	runs := slices.DeleteFunc(slices.Clone(s.Runs), func(r RunRecord) bool { return r.PlanID == run.PlanID })
	runs = append(runs, run)
	s.Runs = runs[max(0, len(runs)-KeptRuns):]
	return s
}

// Run returns the record of a plan's run, and whether there is one.
func (s State) Run(planID string) (RunRecord, bool) {
	i := slices.IndexFunc(s.Runs, func(r RunRecord) bool { return r.PlanID == planID })
	if i < 0 {
		return RunRecord{}, false
	}
	return s.Runs[i], true
}

// Next returns what a backend must write so that current becomes proposed, and whether there is anything to write.
// Lineage, key and generation are the backend's to keep: proposed must be made from current. Pure.
func Next(current, proposed State) (next State, changed bool, err error) {
	if proposed.Lineage != current.Lineage || proposed.Serial != current.Serial || proposed.Generation != current.Generation {
		return State{}, false, &ConflictError{Stored: current, Proposed: proposed}
	}
	proposed.Version, proposed.Key = Version, current.Key
	if proposed.Signing.IsZero() || !proposed.signs() { // only Rotated changes the two together
		proposed.Signing, proposed.Memory.Signers = current.Signing, current.Memory.Signers
	}
	before, err := Encode(current)
	if err != nil {
		return State{}, false, err
	}
	after, err := Encode(proposed)
	if err != nil {
		return State{}, false, err
	}
	if string(before) == string(after) {
		return current, false, nil
	}
	proposed.Serial++
	return proposed, true, nil
}

// Clone returns a state whose maps and slices can be changed without changing s.
func (s State) Clone() State {
	s.Memory = s.Memory.Clone()
	s.Runs = slices.Clone(s.Runs)
	return s
}

// ConflictError says that a state was changed by somebody else since it was read. The stored state was left unchanged.
type ConflictError struct {
	Stored, Proposed State
}

// Error implements error.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("the state was changed by another run: it is at lineage %s, serial %d, generation %d; this run knows lineage %s, serial %d, generation %d; nothing was written; make a new plan and apply that",
		e.Stored.Lineage, e.Stored.Serial, e.Stored.Generation, e.Proposed.Lineage, e.Proposed.Serial, e.Proposed.Generation)
}
