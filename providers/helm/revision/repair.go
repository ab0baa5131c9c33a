package revision

import (
	"errors"
	"fmt"
	"time"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/helm/pending"
)

// RepairArgs are the arguments of a step that repairs a release.
type RepairArgs struct {
	Args
	Action pending.Action `json:"action"`
	// Patience is how long the pending operation may be in progress before it counts as interrupted.
	Patience config.Duration `json:"patience"`
}

// repairEstimate is in seconds: one record of Helm is written.
const repairEstimate = 2

// PlanRepair returns the step that repairs a release of a block, which an interrupted operation left pending. patience
// is how long the operation of somebody else may be in progress.
func PlanRepair(in providers.Input, address providers.Address, verb, operation string, of Args, m pending.Repair, patience time.Duration) providers.Step {
	s := providers.NewStep(in, address, verb, operation, RepairArgs{of, m.Action, config.Duration(patience)}, repairEstimate)
	s.Repairs = true // it changes Helm's record alone
	s.Summary = "repair the interrupted operation on the release " + of.Release
	s.Why = []string{m.Why, "Helm refuses every operation on a release that is pending"}
	s.Changes = []providers.Change{{What: fmt.Sprintf("status of revision %d", m.Revision), Before: m.Status, After: facts.ReleaseFailed}}
	s.Proof = "the release is no longer pending"
	s.Undo = "nothing to undo: only Helm's record of the interrupted revision changes"
	s.Reversal = providers.Reversal{Way: providers.ReverseNone}
	return s
}

// Repairing is the meaning of a step that repairs a release: Helm's record of the interrupted operation is marked as
// failed.
type Repairing struct{}

// Predict implements providers.Effect.
func (Repairing) Predict(in providers.Input, step providers.Step) facts.Update {
	_, release, unusable := Read[RepairArgs](in, step)
	if unusable != nil || release.Missing || !release.Pending() {
		return facts.Update{}
	}
	release.Status, release.Description = facts.ReleaseFailed, "Interrupted"
	release.History = ended(release.History, facts.ReleaseFailed)
	return Replaced(release)
}

// Needs implements providers.Effect: of the release alone.
func (Repairing) Needs(in providers.Input, step providers.Step) providers.Needs {
	return Needs(in, step, false)
}

// Ground implements providers.Effect.
func (Repairing) Ground(in providers.Input, step providers.Step) providers.Ground {
	_, release, unusable := Read[RepairArgs](in, step)
	if unusable != nil || release.Missing {
		return nil
	}
	return Ground{Revision: &release.Revision, Status: release.Status}
}

// Ready implements providers.Effect.
func (Repairing) Ready(in providers.Input, step providers.Step) providers.Readiness {
	args, release, unusable := Read[RepairArgs](in, step)
	if unusable != nil {
		return *unusable
	}
	switch why := Moved(release, step); {
	case release.Missing:
		return providers.Done.Because("the release no longer exists")
	case !release.Pending():
		return providers.Done.Because("the release is %s", release.Status)
	case why != "":
		return providers.Moved.Because("%s", why)
	}
	if decided := pending.Decide(release, in.Clock(), time.Duration(args.Patience)); decided.Action != args.Action {
		return providers.Moved.Because("%s", decided.Why)
	}
	return providers.Readiness{State: providers.Holds}
}

// Proved implements providers.Effect.
func (Repairing) Proved(_, after providers.Input, step providers.Step) error {
	_, release, unusable := Read[RepairArgs](after, step)
	switch {
	case unusable != nil:
		return errors.New(unusable.Why)
	case release.Pending():
		return fmt.Errorf("revision %d of %s is still %s", release.Revision, release.Name, release.Status)
	}
	return nil
}

// ByHand implements providers.Effect. A person waits as long as upkeep does, and works on the revision that was planned
// for.
func (Repairing) ByHand(in providers.Input, step providers.Step) []providers.Command {
	args, release, _ := Read[RepairArgs](in, step)
	revision := release.Revision
	if ground, err := Planned(step); err == nil {
		revision = *ground.Revision
	}
	what, lines, see := pending.ByHand(release, fmt.Sprint(revision))
	return []providers.Command{{
		What: what, Run: providers.ShellScript(lines...), See: see, Stop: pending.StillRunning(time.Duration(args.Patience)),
	}}
}
