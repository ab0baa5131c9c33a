package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/urfave/cli/v3"

	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/planner/report/text"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/state"
)

// The flags of an apply that nobody watches.
const (
	approved     = "approved"
	onlyApproved = "only-approved"
)

// applyApproved applies the plans that somebody approved, oldest first, as far as their windows are open. What waits, for a window
// or for something else that passes, is said and is no failure: this is started by a timer, every few minutes.
func applyApproved(ctx context.Context, env environment, cmd *cli.Command) error {
	if !cmd.Bool(approved) {
		return usage(cmd, "-%s goes with -%s", onlyApproved, approved)
	}
	if cmd.Args().Present() {
		return usage(cmd, "-%s takes the plans that were approved, and a plan file is named", approved)
	}
	for _, flag := range []string{"target", "exclude", "replace", "expect", "override", waitForWindow, "plan-max-age"} {
		if cmd.IsSet(flag) {
			return usage(cmd, "-%s has no meaning with -%s, which applies what was approved and nothing else", flag, approved)
		}
	}
	w, err := open(env, cmd)
	if err != nil {
		return err
	}
	remembered, err := readState(ctx, w)
	if err != nil {
		return err
	}
	said := env.stdout
	if cmd.Bool("json") {
		said = env.stderr // standard output is a stream of events
	}
	if len(remembered.Memory.Approvals) == 0 {
		_, err := fmt.Fprint(said, nothingApproved)
		return err
	}
	var failed []error
	for _, a := range remembered.Memory.Approvals {
		waits, err := runApproved(ctx, env, cmd, w, a, remembered)
		switch {
		case err != nil:
			failed = append(failed, err)
			if stopsOthers(ctx, err) {
				return errors.Join(failed...)
			}
		case waits != "":
			fmt.Fprintf(said, "Plan %s, approved by %s, %s\n", a.Plan, text.Clean(a.Who), waits)
		}
	}
	return errors.Join(failed...)
}

// stopsOthers reports whether the plans after one that ended with an error are not begun: somebody said stop, or
// another run holds the lock. What is wrong with one plan is no reason to leave another one.
func stopsOthers(ctx context.Context, err error) bool {
	codes, _ := codesOf(err)
	return ctx.Err() != nil || slices.Contains(codes, exitInterrupted) || slices.Contains(codes, exitLocked)
}

// runApproved applies one approved plan. waits says why nothing of it, or not all of it, could be done yet.
func runApproved(ctx context.Context, env environment, cmd *cli.Command, w workspace, a facts.Approval, remembered state.State) (waits string, err error) {
	now := env.now()
	if !planner.ApprovalHolds(a, now) {
		return fmt.Sprintf("is not applied: the approval ended at %s.", planner.ApprovalEnds(a).UTC().Format(time.RFC3339)), nil
	}
	plan, w, err := approvedPlan(ctx, env, cmd, w, a, remembered)
	if err != nil || plan.ID == "" {
		return "has no step left that is due and still the same. `upkeep drift` says what differs.", err
	}
	backend, err := stateBackend(w)
	if err != nil {
		return "", err
	}
	history, err := backend.History(ctx, plan.ID)
	if err != nil {
		return "", err
	}
	may, err := apply.MayStart(plan, history, now)
	if err != nil {
		return "", err
	}
	if !may {
		begin, fits := plan.Start(now)
		if !fits {
			return "fits into no opening of its windows. `upkeep window list` shows what opens.", nil
		}
		return fmt.Sprintf("waits for its window until %s.", begin.UTC().Format("Mon 2006-01-02 15:04 UTC")), nil
	}
	ended, err := applyPlan(ctx, env, cmd, w, plan, readSeen(ctx, env, w, false), true, now)
	var code exit
	if errors.As(err, &code) && code.cause == nil && ended.Outcome == apply.Waits {
		return "waits for what stands above. The next run goes on.", nil
	}
	return "", err
}

// approvedPlan is the plan to apply for an approval: the very one or, with -only-approved, a new one of the approved steps that are
// still the same; without an id where none is.
func approvedPlan(ctx context.Context, env environment, cmd *cli.Command, w workspace, a facts.Approval, remembered state.State) (planner.Plan, workspace, error) {
	fail := func(err error) (planner.Plan, workspace, error) { return planner.Plan{}, workspace{}, err }
	given, err := planner.ApprovedOverrides(a, w.types)
	if err != nil {
		return fail(err)
	}
	if cmd.Bool(onlyApproved) {
		return stillApproved(ctx, env, cmd, a, given)
	}
	backend, err := stateBackend(w)
	if err != nil {
		return fail(err)
	}
	name := "plan " + a.Plan
	data, err := backend.Document(ctx, a.Plan, state.SavedPlan)
	if errors.Is(err, fs.ErrNotExist) {
		return fail(exit{exitStale, fmt.Errorf("%s was approved and is no longer kept; "+
			"make a plan and approve it: `upkeep plan -out=FILE`, `upkeep approve FILE`", name)})
	}
	if err != nil {
		return fail(err)
	}
	if data, err = planner.Unpack(data, maxFile); err != nil {
		return fail(fmt.Errorf("%s: %w", name, err))
	}
	plan, w, err := w.trusted(name, data, remembered, given)
	if err == nil && (plan.ID != a.Plan || plan.Digest != a.Digest) {
		err = exit{exitStale, fmt.Errorf("what is kept as %s is not the plan that was approved (%s)", name, a.Digest)}
	}
	return plan, w, err
}

// stillApproved makes a plan of what is due and was approved just so, under the overrides that were approved.
func stillApproved(
	ctx context.Context, env environment, cmd *cli.Command, a facts.Approval, given []planner.Override,
) (planner.Plan, workspace, error) {
	none := func(err error) (planner.Plan, workspace, error) { return planner.Plan{}, workspace{}, err }
	plan, w, err := makePlanOf(ctx, env, cmd, func(_ workspace, request *planner.Request) error {
		request.Overrides = given
		return nil
	})
	if err != nil {
		return none(err)
	}
	others, err := plan.Unapproved(w.types, a)
	if err != nil {
		return none(err)
	}
	if len(others) > 0 {
		same := unchanged(plan, a, others)
		if len(same) == 0 {
			return none(nil)
		}
		plan, w, err = makePlanOf(ctx, env, cmd, func(_ workspace, request *planner.Request) error {
			request.Targets, request.Overrides = same, given
			return nil
		})
		if err != nil {
			return none(err)
		}
		if others, err = plan.Unapproved(w.types, a); err != nil || len(others) > 0 {
			return none(errors.Join(err, exit{exitStale, fmt.Errorf("step %s was not approved, and what was approved needs it", others[0])}))
		}
	}
	if len(plan.Steps) == 0 {
		return none(nil)
	}
	w.approval = a.Plan
	return plan, w, nil
}

// unchanged are the addresses all of whose steps were approved as they are now.
func unchanged(plan planner.Plan, a facts.Approval, others []string) (out []providers.Address) {
	other, known := map[string]bool{}, map[providers.Address]bool{}
	for _, id := range others {
		other[id] = true
	}
	differs := map[providers.Address]bool{}
	for _, s := range plan.Steps {
		if other[s.ID] {
			differs[s.Address] = true
		}
	}
	for _, s := range plan.Steps {
		if _, was := a.Steps[s.ID]; was && !differs[s.Address] && !known[s.Address] {
			known[s.Address] = true
			out = append(out, s.Address)
		}
	}
	return out
}
