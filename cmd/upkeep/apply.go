package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"upkeep/cmd/upkeep/wiring"
	"upkeep/planner"
	"upkeep/planner/apply"
	"upkeep/planner/report/text"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/state"
	"upkeep/state/journal"
	"upkeep/state/seen"
	"upkeep/state/spill"
)

func applyCommand(env environment) *cli.Command {
	flags := []cli.Flag{
		&cli.BoolFlag{Name: "auto-approve", Usage: "do not ask before applying"},
		&cli.StringSliceFlag{Name: "expect", Usage: "refuse a plan whose digest is not `[ADDRESS=]sha256:...`; with an address, the digest of that resource; may be repeated"},
		lockTimeoutFlag(),
		&cli.StringFlag{Name: "plan-max-age", Usage: "refuse to begin a plan that is older than `DURATION` (24h; with a maintenance window to its end, at most 8d)"},
		waitForWindowFlag(),
		&cli.BoolFlag{Name: approved, Usage: "apply what `upkeep approve` allowed and whose window is open; ask nobody"},
		&cli.BoolFlag{Name: onlyApproved, Usage: "with -approved: plan again, and apply the approved steps that are still the same"},
		&cli.BoolFlag{Name: "input", Value: true, Usage: "ask on the terminal; -input=false never asks"},
		&cli.BoolFlag{Name: "verbose", Usage: "unfold steps that are the same on many nodes"},
		overrideFlag(),
		jsonFlag(),
	}
	for _, more := range [][]cli.Flag{planningFlags(), configurationFlags(), observationFlags(), measureFlags()} {
		flags = append(flags, more...)
	}
	return &cli.Command{
		Name: "apply", Usage: "apply a plan and check each step",
		ArgsUsage:   "[PLANFILE]",
		Description: "With a plan file, applies exactly that plan. The plan must have been made with the state and the configuration of this directory. Without a plan file, makes a plan, shows it and asks; only the word `yes` continues.",
		Flags:       flags,
		Action: func(ctx context.Context, cmd *cli.Command) error {
			began := env.now()
			expected, err := planner.ParseExpectations(cmd.StringSlice("expect"))
			if err != nil {
				return usage(cmd, "%v", err)
			}
			if cmd.Bool(approved) || cmd.Bool(onlyApproved) {
				return applyApproved(ctx, env, cmd)
			}
			plan, w, saved, err := planToApply(ctx, env, cmd)
			if err != nil {
				return err
			}
			var known seen.Seen
			if saved { // what a saved plan found was recorded when it was made
				known = readSeen(ctx, env, w, false)
			} else {
				known = recordSeen(ctx, env, w, plan)
			}
			if err := expected.Check(plan); err != nil {
				return exit{exitStale, explainReview(ctx, w, err)}
			}
			_, err = applyPlan(ctx, env, cmd, w, plan, known, saved, began)
			return err
		},
	}
}

// applyPlan shows a plan, asks where nobody has read it yet, and carries it out. ended is the result of a run that started.
func applyPlan(ctx context.Context, env environment, cmd *cli.Command, w workspace, plan planner.Plan, known seen.Seen, saved bool, began time.Time) (ended apply.Result, err error) {
	if !cmd.Bool("json") {
		run := text.Run{Applying: true}
		if !saved {
			run.Took = took(env, plan, began)
		}
		if err := showPlan(env, cmd, plan, nil, known, run); err != nil {
			return ended, err
		}
	}
	if plan.Request.Recorded && len(plan.Steps) > 0 {
		return ended, errors.New("this plan cannot be applied: it was made from recorded facts; make one from the cluster: upkeep plan -out=FILE")
	}
	if len(plan.Refusals) > 0 {
		return ended, fmt.Errorf("this plan cannot be applied: %s", strings.Join(plan.Refusals, "; "))
	}
	if len(plan.Steps) == 0 {
		sweepWorkDirectories(env, w.desired)
		return ended, nothingPlanned(env, cmd, plan)
	}
	if !saved && !cmd.Bool("auto-approve") {
		if err := askYes(env, cmd); err != nil {
			return ended, err
		}
	}
	if saved && cmd.Bool(waitForWindow) {
		if err := waitUntil(ctx, env, cmd, plan.Start); err != nil {
			return ended, err
		}
	}
	sweepWorkDirectories(env, w.desired)
	err = execute(ctx, env, cmd, w, plan, known, &ended)
	recordWaits(ctx, env, w, ended)
	if err == nil && plan.Outage != "" {
		err = afterOutage(ctx, env, cmd, ended)
	}
	return ended, err
}

// planToApply returns the saved plan that was named, or a fresh one.
func planToApply(ctx context.Context, env environment, cmd *cli.Command) (plan planner.Plan, w workspace, saved bool, err error) {
	switch cmd.Args().Len() {
	case 0:
		make := makePlan
		if cmd.Bool(waitForWindow) {
			make = planInOpening
		}
		plan, w, err = make(ctx, env, cmd)
		return plan, w, false, err
	case 1:
	default:
		return plan, w, false, usage(cmd, "apply takes one plan file, and there are %d arguments", cmd.Args().Len())
	}
	for _, flag := range []string{"target", "exclude", "replace"} {
		if cmd.IsSet(flag) {
			return plan, w, false, usage(cmd, "-%s has no meaning with a saved plan: the plan was made with its own", flag)
		}
	}
	plan, w, err = savedPlan(ctx, env, cmd, cmd.Args().First())
	return plan, w, true, err
}

// askYes asks; only the word yes goes on.
func askYes(env environment, cmd *cli.Command) error {
	if !cmd.Bool("input") || cmd.Bool("json") {
		return errors.New("nobody can be asked (-input=false or -json); save the plan with `upkeep plan -out=FILE` and apply that, or give -auto-approve")
	}
	fmt.Fprint(env.stdout, "\nDo you want to perform these steps?\n  upkeep will run them in this order and prove each one.\n  Only 'yes' will be accepted to approve.\n\n  Enter a value: ")
	return readYes(env)
}

// readYes reads one answer; anything but the word yes is an error.
func readYes(env environment) error {
	answer, err := bufio.NewReader(env.stdin).ReadString('\n')
	if err != nil && answer == "" {
		return errors.New("no answer was given; nothing was changed")
	}
	if strings.TrimSpace(answer) != "yes" {
		return errors.New("cancelled; nothing was changed")
	}
	return nil
}

// execute runs a plan under the state's lock and remembers what it did. known is what was seen before; ended gets the result
// of a run that started.
func execute(ctx context.Context, env environment, cmd *cli.Command, w workspace, plan planner.Plan, known seen.Seen, ended *apply.Result) (err error) {
	backend, err := stateBackend(w)
	if err != nil {
		return err
	}
	lock, err := takeLock(ctx, env, cmd, backend, w.key)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	ctx, halt, released, err := haltOnSignals(ctx, env)
	if err != nil {
		return err
	}
	defer released()
	defer func() { err = halt.explain(err) }()
	if held := lock.State(); plan.Request.Lineage != "" && held.Lineage != plan.Request.Lineage {
		return exit{exitStale, fmt.Errorf("the plan was made with the state %s and this state is %s; make a new plan", plan.Request.Lineage, held.Lineage)}
	}
	if err := mergeSpilled(w, lock); err != nil {
		return err
	}
	if outs, err := plan.OutSince(lock.State().Memory); err != nil {
		return err
	} else if len(outs) > 0 {
		return exit{exitStale, fmt.Errorf("node %s was taken out since the plan was made (until %s, %q, owner %s), and the plan has steps for %s; make a new plan",
			outs[0].Node, outs[0].Until, outs[0].Reason, outs[0].Owner, outs[0].Node)}
	}
	opened, history, err := lock.Journal(ctx, plan.ID)
	if err != nil {
		return err
	}
	record := spill.Guard(opened, history, spill.Place{
		Directories: spillDirectories(w), Lineage: lock.State().Lineage, Plan: plan.ID, Key: lock.State().Key, Trace: env.trace,
	})
	defer func() { err = errors.Join(err, record.Close()) }()
	if err := saveDocuments(ctx, lock, plan, w.types); err != nil {
		return err
	}
	nodes, err := newNodes(plan.Request.Desired, cmd.Int("parallelism"))
	if err != nil {
		return err
	}
	nodes.Know(providers.NewInventory(plan.Request.Desired, plan.Request.World))
	claim, err := claimCluster(ctx, env, cmd, plan, nodes, lock)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, claim.Release()) }()
	w.mac = macOf(lock.State().Key)
	if w.desired, err = seal(plan.Request.Desired, w.secrets, w.mac); err != nil {
		return err
	}
	env.trace.At("claimed")
	if w.prices, err = measuring(cmd); err != nil {
		return err
	}
	view := newRunView(env, plan, cmd.Bool("json"))
	executor := newExecutor(env, w, plan, wiring.Caller{Nodes: nodes, Run: wiring.RunOf(lock, plan.ID), Fence: wiring.Fence(lock, claim)}, lock, record, history)
	executor.Events, executor.Trace, executor.Waited = view.show, env.trace, known.Waits
	executor.MaxAge = plan.Lifetime()
	if cmd.IsSet("plan-max-age") {
		if executor.MaxAge, err = durationFlag(cmd, "plan-max-age"); err != nil {
			return err
		}
	}
	executor.Fence = wiring.Holds(lock, claim)
	runContext, err := halt.begin(claim.Context(), executor)
	if err != nil {
		return err
	}

	begun := executor.Begun(plan)
	starting := lock.State().WithRun(begun)
	starting.Memory = apply.Overrode(starting.Memory, begun)
	approval := cmp.Or(w.approval, plan.ID)
	starting.Memory = planner.ApprovalBegun(starting.Memory, approval, begun.StartedAt)
	if _, err := lock.Write(ctx, starting); err != nil {
		return err
	}
	go stopWhenAsked(runContext, env, backend, lock, claim, halt)
	result, runErr := executor.Run(runContext, plan)
	*ended = result
	remembered := lock.State().WithRun(apply.Ended(begun, result))
	remembered.Memory = apply.Learn(remembered.Memory, result)
	if result.Outcome == apply.Complete || halt.requested() { // what was approved is done, or somebody said stop
		remembered.Memory, _ = planner.WithoutApproval(remembered.Memory, approval)
	}
	_, err = lock.Write(context.WithoutCancel(ctx), remembered)
	if err := errors.Join(runErr, err, noteKey(env, w.secrets, lock.State())); err != nil {
		var refused *apply.RefusedError
		switch {
		case errors.As(runErr, &refused) && refused.Stale:
			return exit{exitStale, err}
		case wiring.ClusterLost(err):
			return exit{exitLocked, err}
		}
		return err
	}
	if result.Outcome == apply.Complete {
		if _, err := lock.Prune(ctx); err != nil {
			fmt.Fprintf(env.stderr, "Note: %v\n", err)
		}
	}
	if err := view.failed(); err != nil {
		return fmt.Errorf("the run ended (%s), and its output could not be written: %w", result.Outcome, err)
	}
	if plan.Outage != "" && result.Outcome == apply.Complete {
		return nil // see afterOutage, once nothing is locked
	}
	return leftOver(env, cmd, plan, result)
}

// newExecutor wires the executor: the only place where operations are handed to anything.
func newExecutor(env environment, w workspace, plan planner.Plan, caller wiring.Caller, lock state.Lock, record apply.Journal, history journal.History) *apply.Executor {
	nodes := caller.Nodes
	looker := wiring.Looker{
		Nodes: nodes, Observer: w.observer(nodes, nil), Desired: w.desired, Effects: effects(w.types), Request: plan.Request,
		Memory: func() facts.Memory { return lock.State().Memory },
	}
	remembers := &memory{lock: lock}
	return &apply.Executor{
		Effects:    looker.Effects,
		Operations: operations(tools{workspace: w, plan: plan, caller: caller, look: looker.Step, remember: remembers.Remember, sign: remembers.Sign}),
		Observe:    looker.Steps,
		Identify:   looker.Identity,
		Journal:    record, History: history,
		Who: lock.Info().Who, Generation: lock.Info().Generation, Lineage: lock.State().Lineage,
		Remembered: lock.State().Memory.Cluster,
		Now:        env.now,
	}
}

// outcomeExit maps how a run ended to an exit code; the summary has been shown already.
func outcomeExit(result apply.Result) error {
	if result.OnlyWindows() {
		return exit{code: exitWindow}
	}
	switch result.Outcome {
	case apply.Complete:
		return nil
	case apply.Partial, apply.Waits:
		return exit{code: exitPartial}
	case apply.Stale:
		return exit{code: exitStale}
	case apply.Interrupted:
		return exit{code: exitInterrupted}
	default:
		return exit{code: exitError}
	}
}
