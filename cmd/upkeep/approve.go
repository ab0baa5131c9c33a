package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/planner/report/text"
	"upkeep/providers/facts"
	"upkeep/state"
)

func approveCommand(env environment) *cli.Command {
	flags := []cli.Flag{
		&cli.StringSliceFlag{Name: "expect", Usage: "plan now, and approve the plan if its digest is `sha256:...`"},
		&cli.StringFlag{Name: "until", Usage: "end at `TIME`, such as 2026-12-24T02:00:00Z, or after a day: 2026-12-23"},
		&cli.StringFlag{Name: "reason", Usage: "say why, in `TEXT`; reports show it"},
		&cli.StringFlag{Name: "revoke", Usage: "take the approval of the plan with this `ID` back"},
		overrideFlag(), lockTimeoutFlag(),
	}
	for _, more := range [][]cli.Flag{planningFlags(), configurationFlags(), observationFlags(), measureFlags()} {
		flags = append(flags, more...)
	}
	return &cli.Command{
		Name: "approve", Usage: "allow a plan that you have read to be applied while nobody looks",
		ArgsUsage: "[PLANFILE]",
		Description: "Keeps the plan and your name in the state. `upkeep apply -approved` then applies it\n" +
			"when its maintenance window is open.\n" +
			"An approval ends with the plan (see -plan-max-age of apply), or at -until. Without a plan, lists what is approved.\n" +
			"What the plan may override is approved with it (-override). apply -approved overrides that and nothing else.",
		Flags: flags,
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if cmd.Args().Len() > 1 {
				return usage(cmd, "approve takes one plan file, and there are %d arguments", cmd.Args().Len())
			}
			file, expect, revoke := cmd.Args().Present(), len(cmd.StringSlice("expect")) > 0, cmd.String("revoke")
			switch {
			case cmd.IsSet("revoke") && (file || expect):
				return usage(cmd, "-revoke takes an approval back, and a plan file or -expect gives one; use one of them")
			case cmd.IsSet("revoke") && cmd.IsSet("override"):
				return usage(cmd, "-override belongs to a plan that is approved, and -revoke takes an approval back")
			case file && expect:
				return usage(cmd, "-expect is for a plan that is made now, and there is a plan file; use one of them")
			case cmd.IsSet("revoke"):
				return revokeApproval(ctx, env, cmd, revoke)
			case file, expect:
				return giveApproval(ctx, env, cmd)
			}
			return listApprovals(ctx, env, cmd)
		},
	}
}

// giveApproval keeps a plan in the state with the name of whoever approves it.
func giveApproval(ctx context.Context, env environment, cmd *cli.Command) error {
	expected, err := planner.ParseExpectations(cmd.StringSlice("expect"))
	if err != nil {
		return usage(cmd, "%v", err)
	}
	until, err := instant(cmd.String("until"))
	if err != nil {
		return usage(cmd, "-until: %v", err)
	}
	if !until.IsZero() && !until.After(env.now()) {
		return usage(cmd, "-until=%s has passed already", cmd.String("until"))
	}
	plan, w, _, err := planToApply(ctx, env, cmd)
	if err != nil {
		return err
	}
	if err := expected.Check(plan); err != nil {
		return exit{exitStale, explainReview(ctx, w, err)}
	}
	switch {
	case len(plan.Steps) == 0:
		return errors.New("this plan has no steps, so there is nothing to approve")
	case len(plan.Refusals) > 0:
		return fmt.Errorf("this plan cannot be applied, so it cannot be approved: %s",
			strings.Join(plan.Refusals, "; "))
	case len(plan.ExpectedRefusals) > 0: // at night nobody is there to say more
		return fmt.Errorf("apply would refuse step %s, so this plan cannot be approved: %s",
			plan.ExpectedRefusals[0].Step, text.Clean(plan.ExpectedRefusals[0].Why))
	}
	if err := plan.Expired(time.Time{}, env.now(), plan.Lifetime()); err != nil {
		return exit{exitStale, err}
	}
	return underLock(ctx, env, cmd, w, func(lock state.Lock) error {
		return keepApproval(ctx, env, cmd, w, lock, plan, until)
	})
}

// keepApproval writes a plan and its approval to the state.
func keepApproval(ctx context.Context, env environment, cmd *cli.Command, w workspace, lock state.Lock, plan planner.Plan,
	until time.Time) error {
	next := lock.State()
	if plan.Request.Lineage != "" && plan.Request.Lineage != next.Lineage {
		return exit{exitStale, fmt.Errorf("the plan was made with the state %s and this state is %s; make a new plan",
			plan.Request.Lineage, next.Lineage)}
	}
	given, err := plan.Approve(w.types, lock.Info().Who, env.now(), until, strings.TrimSpace(cmd.String("reason")))
	if err != nil {
		return err
	}
	if next.Memory, err = planner.WithApproval(next.Memory, given, env.now()); err != nil {
		return err
	}
	if err := saveDocuments(ctx, lock, plan, w.types); err != nil {
		return err
	}
	if err := writeState(ctx, lock, next); err != nil {
		return err
	}
	return showApproval(env.stdout, given, fmt.Sprintf("Approved: plan %s, %d steps.", plan.ID, len(plan.Steps)))
}

func showApproval(w io.Writer, a facts.Approval, head string) error {
	for _, o := range a.Overrides {
		head += "\nOVERRIDE " + text.Clean(o)
	}
	_, err := fmt.Fprintf(w, "%s\nDIGEST   %s\nUNTIL    %s\n"+
		"To apply it when its window is open, run this by hand or from a timer:\n  upkeep apply -approved\n"+
		"To take the approval back:\n  upkeep approve -revoke=%s\n",
		head, a.Digest, planner.ApprovalEnds(a).UTC().Format(time.RFC3339), a.Plan)
	return err
}

func revokeApproval(ctx context.Context, env environment, cmd *cli.Command, plan string) error {
	w, err := open(env, cmd)
	if err != nil {
		return err
	}
	return underLock(ctx, env, cmd, w, func(lock state.Lock) error {
		next := lock.State()
		var was bool
		if next.Memory, was = planner.WithoutApproval(next.Memory, plan); !was {
			return fmt.Errorf("no plan %q is approved; `upkeep approve` lists those that are", text.Clean(plan))
		}
		if err := writeState(ctx, lock, next); err != nil {
			return err
		}
		_, err := fmt.Fprintf(env.stdout, "The approval of plan %s is taken back.\n", plan)
		return err
	})
}

func listApprovals(ctx context.Context, env environment, cmd *cli.Command) error {
	for _, flag := range []string{"until", "reason", "override"} {
		if cmd.IsSet(flag) {
			return usage(cmd, "-%s belongs to a plan: name a plan file, or give -expect=DIGEST", flag)
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
	if len(remembered.Memory.Approvals) == 0 {
		_, err = fmt.Fprint(env.stdout, nothingApproved)
		return err
	}
	for _, a := range remembered.Memory.Approvals {
		if err := writeApproval(env.stdout, a, env.now()); err != nil {
			return err
		}
	}
	return nil
}

const nothingApproved = "Nothing is approved. To approve a plan that you have read:\n" +
	"  upkeep plan -out=FILE\n  upkeep approve FILE\n"

func writeApproval(w io.Writer, a facts.Approval, now time.Time) error {
	word, ends := "holds until", planner.ApprovalEnds(a)
	if !planner.ApprovalHolds(a, now) {
		word = "has ended:"
	}
	lines := []string{
		fmt.Sprintf("plan %s, %d steps, approved by %s at %s",
			a.Plan, len(a.Steps), text.Clean(a.Who), a.At.UTC().Format(time.RFC3339)),
		fmt.Sprintf("  %s %s", word, ends.UTC().Format(time.RFC3339)),
	}
	if a.Reason != "" {
		lines = append(lines, "  reason: "+text.Clean(a.Reason))
	}
	for _, o := range a.Overrides {
		lines = append(lines, "  override: "+text.Clean(o))
	}
	if !a.Begun.IsZero() {
		lines = append(lines, "  started at "+a.Begun.UTC().Format(time.RFC3339))
	}
	_, err := fmt.Fprintln(w, strings.Join(slices.Concat(lines, []string{"  " + a.Digest}), "\n"))
	return err
}

// instant reads a time, or a day, which ends at midnight UTC; the zero time for no text.
func instant(given string) (time.Time, error) {
	if given == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, given); err == nil {
		return at, nil
	}
	day, err := config.ParseUntil(given)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no time; write it as in 2026-12-24T02:00:00Z, or a day as in 2026-12-23", given)
	}
	return day.Ends(), nil
}
