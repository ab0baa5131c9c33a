package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/planner/report/text"
	"upkeep/providers"
	"upkeep/providers/backup"
	"upkeep/providers/facts"
	"upkeep/providers/kube"
	"upkeep/providers/plain"
	"upkeep/state"
	"upkeep/state/local"
)

// holdCommand is for work that is never upkeep's: upgrades of Kubernetes, of the system, of a storage system.
func holdCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "hold", Usage: "keep upkeep away while you work on the cluster by other means",
		Description: "While a hold stands, every command that changes something exits 6, except `upkeep backup take`.\n" +
			"Without a subcommand, tells whether a hold stands.",
		Flags:    configurationFlags(),
		Commands: []*cli.Command{holdBeginCommand(env), holdEndCommand(env)},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if cmd.Args().Present() {
				return usage(cmd, "hold has no subcommand %q", cmd.Args().First())
			}
			w, err := open(env, cmd)
			if err != nil {
				return err
			}
			remembered, err := readState(ctx, w)
			if err != nil {
				return err
			}
			return tellHold(env.stdout, remembered.Memory.Hold)
		},
	}
}

func holdFlags() []cli.Flag {
	flags := []cli.Flag{
		lockTimeoutFlag(),
		&cli.BoolFlag{Name: "verbose", Usage: "unfold steps that are the same on many nodes"},
	}
	for _, more := range [][]cli.Flag{configurationFlags(), observationFlags()} {
		flags = append(flags, more...)
	}
	return flags
}

// longestHold bounds -for: a hold that is forgotten for longer hides too much.
const longestHold = 14 * 24 * time.Hour

func holdBeginCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "begin", Usage: "take and prove a backup, then keep upkeep away",
		ArgsUsage: "REASON",
		Description: "For upgrades of Kubernetes, kubespray, the system or storage.\n" +
			"Every etcd_backup takes a bundle and proves it.\n" +
			"Then the hold is written to the state and to the cluster's Lease.\n" +
			"Every akash_provider that runs is stopped.\n" +
			"Timers on two control planes start the provider again when -for is over.\n" +
			"Until `upkeep hold end`, commands that change something exit 6. Until -for is over, drift does not exit 2.",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "for", Usage: "how long the work should take, such as `6h`; at most 14d"},
			&cli.StringFlag{Name: "without-backup", Usage: "take no backup first, for this `REASON`"},
		}, holdFlags()...),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			reason := strings.TrimSpace(plain.Line(cmd.Args().First()))
			if cmd.Args().Len() != 1 || reason == "" {
				return usage(cmd, "hold begin takes one reason, such as \"kubespray 2.31\"")
			}
			if !cmd.IsSet("for") {
				return usage(cmd, "-for is missing: say how long the work should take, such as -for=6h")
			}
			length, err := durationFlag(cmd, "for")
			if err != nil {
				return err
			}
			if length < time.Minute || length > longestHold {
				return usage(cmd, "-for=%s: write a length from 1m to 14d", cmd.String("for"))
			}
			return beginHold(ctx, env, cmd, facts.Hold{
				Reason: reason, Who: local.Who(), Unproved: strings.TrimSpace(plain.Line(cmd.String("without-backup"))),
			}, length)
		},
	}
}

// beginHold looks at the cluster, has its backups taken, and records the hold: in the Lease first, which the most people
// see.
func beginHold(ctx context.Context, env environment, cmd *cli.Command, hold facts.Hold, length time.Duration) error {
	plan, w, err := makePlan(ctx, env, cmd)
	if err != nil {
		return err
	}
	if standing := plan.Request.Memory.Hold; standing != nil {
		return exit{exitLocked, &kube.HoldError{Hold: *standing}}
	}
	running, err := providersOf(plan, w)
	if err != nil {
		return fmt.Errorf("the hold did not begin: %w", err)
	}
	nodes := timerNodes(plan, w)
	if err := backupForHold(ctx, env, cmd, w, hold); err != nil {
		return err
	}
	client, err := clusterClient(w)
	if err != nil {
		return err
	}
	hold.At, hold.Until = env.now().UTC(), env.now().Add(length).UTC()
	hold.Before = planner.Standing(plan.Request.World)
	return underLock(ctx, env, cmd, w, func(lock state.Lock) error {
		next := lock.State()
		if standing := next.Memory.Hold; standing != nil {
			return exit{exitLocked, &kube.HoldError{Hold: *standing}}
		}
		if err := client.Hold(ctx, hold); err != nil {
			var held interface{ Lost() bool }
			if errors.As(err, &held) && held.Lost() {
				return exit{exitLocked, err}
			}
			return fmt.Errorf("the hold did not begin: %w", err)
		}
		begun := func(err error) error { // or undone
			if err == nil {
				next.Memory.Hold = &hold
				err = writeState(ctx, lock, next)
			}
			if err == nil {
				return nil
			}
			_, undone := client.EndHold(context.WithoutCancel(ctx))
			return errors.Join(fmt.Errorf("the hold did not begin: %w", err), undone)
		}
		if len(running) == 0 {
			if err := begun(nil); err != nil {
				return err
			}
			return tellHold(env.stdout, &hold)
		}
		turn, err := providerSwitch(env, w, plan, lock)
		if err == nil {
			hold.Stopped, err = stopForHold(ctx, turn, running, hold, nodes)
		}
		if err := begun(err); err != nil {
			after := context.WithoutCancel(ctx)
			return errors.Join(err, startAfterHold(after, turn, statefulSets{w.desired.Cluster}, hold.Stopped))
		}
		return tellHold(env.stdout, &hold)
	})
}

// backupForHold takes a bundle of every etcd_backup, and fails where one is not proved: what the work breaks comes back
// only out of a backup.
func backupForHold(ctx context.Context, env environment, cmd *cli.Command, w workspace, hold facts.Hold) error {
	if hold.Unproved != "" {
		return nil
	}
	if len(backup.Declared(w.desired)) == 0 {
		return fmt.Errorf("the configuration has no etcd_backup, so no backup can be taken first; declare one, " +
			"or give -without-backup=REASON")
	}
	began := env.now()
	plan, w, err := makePlanOf(ctx, env, cmd, func(w workspace, request *planner.Request) error {
		chosen, err := chooseBackups(w, "")
		request.Targets, request.Replace = chosen, chosen
		return err
	})
	if err != nil {
		return err
	}
	_, applied := applyPlan(ctx, env, cmd, w, plan, readSeen(ctx, env, w, true), true, began)
	if err := errors.Join(applied, untaken(plan)); err != nil {
		return errors.Join(err, errors.New("the hold did not begin: no backup was taken and proved"))
	}
	return nil
}

func holdEndCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "end", Usage: "end the hold, and list what changed while it stood",
		Description: "Starts the providers again that the hold stopped, and takes their timers back.\n" +
			"Looks at the cluster again and compares: certificates, static pods, packages and their holds,\n" +
			"container runtimes, versions, labels, members of etcd, definitions, releases and leases.\n" +
			"Exits 1 where not everything could be looked at; the hold ends all the same.",
		Flags: append([]cli.Flag{jsonFlag()}, holdFlags()...),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if cmd.Args().Present() {
				return usage(cmd, "hold end takes no argument")
			}
			plan, w, err := makePlan(ctx, env, cmd)
			if err != nil {
				return err
			}
			hold := plan.Request.Memory.Hold
			if hold == nil {
				return errors.New("this state has no hold, so there is nothing to end; " +
					"end the hold of another state with that state")
			}
			client, err := clusterClient(w)
			if err != nil {
				return err
			}
			err = underLock(ctx, env, cmd, w, func(lock state.Lock) error {
				if len(hold.Stopped) > 0 {
					turn, err := providerSwitch(env, w, plan, lock)
					if err != nil {
						return err
					}
					if err := startAfterHold(ctx, turn, statefulSets{w.desired.Cluster}, hold.Stopped); err != nil {
						return fmt.Errorf("the hold still stands: %w", err)
					}
				}
				if _, err := client.EndHold(ctx); err != nil {
					return fmt.Errorf("the hold still stands: %w", err)
				}
				next := lock.State()
				next.Memory.Hold = nil
				return writeState(ctx, lock, next)
			})
			if err != nil {
				return err
			}
			return tellChanges(env, cmd, plan, *hold)
		},
	}
}

// furtherNeeds is what a command asks for besides what the blocks need: a hold looks at the software of every node,
// whichever block it is of, since upgrades change that most.
func furtherNeeds(cmd *cli.Command, desired config.Desired) []providers.Needs {
	switch strings.TrimPrefix(fullName(cmd), "upkeep ") {
	case "hold begin", "hold end":
	default:
		return nil
	}
	var every config.Selection
	for _, n := range desired.Nodes {
		every.Names = append(every.Names, n.Name)
	}
	for _, f := range desired.Fleets {
		every.Fleets = append(every.Fleets, f.Name)
	}
	return []providers.Needs{{Nodes: []providers.NodeNeed{{Nodes: every, Question: facts.Question{Software: true}}}}}
}

// tellChanges reports what is another than it was when the hold began.
func tellChanges(env environment, cmd *cli.Command, plan planner.Plan, hold facts.Hold) error {
	changes := planner.StandingChanges(hold.Before, planner.Standing(plan.Request.World))
	plain.In(&changes, plain.Line)
	if cmd.Bool("json") {
		if changes == nil {
			changes = []planner.StandingChange{}
		}
		hold.Before = nil
		return errors.Join(printJSON(env.stdout, struct {
			Hold    facts.Hold               `json:"hold"`
			Changes []planner.StandingChange `json:"changes"`
		}{hold, changes}), incomplete(plan))
	}
	fmt.Fprintf(env.stdout, "The hold of %s has ended: %s\n", text.Clean(hold.Who), text.Clean(hold.Reason))
	if len(changes) == 0 {
		fmt.Fprintln(env.stdout, "Nothing that upkeep looks at has changed.")
	} else {
		fmt.Fprintf(env.stdout, "%d things changed while the hold stood:\n", len(changes))
	}
	for _, c := range changes {
		fmt.Fprintf(env.stdout, "  %s: %s -> %s\n", c.What, orNotSet(c.Before), orNotSet(c.After))
	}
	if _, err := fmt.Fprintln(env.stdout, "See what differs from the configuration: upkeep plan"); err != nil {
		return err
	}
	return incomplete(plan)
}

func orNotSet(value string) string {
	if value == "" {
		return "not set"
	}
	return value
}

// incomplete is the end of a command that could not look at everything.
func incomplete(plan planner.Plan) error {
	if plan.Complete {
		return nil
	}
	return ending(exitError)
}

func tellHold(w io.Writer, hold *facts.Hold) error {
	if hold == nil {
		_, err := fmt.Fprintln(w, "No hold stands. To keep upkeep away while you work: upkeep hold begin REASON -for=6h")
		return err
	}
	backed := "a bundle of every etcd_backup was taken and proved"
	if hold.Unproved != "" {
		backed = "none was taken: " + text.Clean(hold.Unproved)
	}
	_, err := fmt.Fprintf(w, "A hold stands: %s\n  begun by %s at %s\n  planned until %s\n  backup: %s\n"+
		"Commands that change something exit 6 until: upkeep hold end\n",
		text.Clean(hold.Reason), text.Clean(hold.Who), hold.At.UTC().Format(time.RFC3339),
		hold.Until.UTC().Format(time.RFC3339), backed)
	for _, p := range hold.Stopped {
		_, told := fmt.Fprintf(w,
			"Stopped: %s/%s. Timers on %s start the provider again at %s, unless `upkeep hold end` does before.\n",
			text.Clean(p.Namespace), text.Clean(p.Name), text.Clean(strings.Join(p.Nodes, ", ")),
			p.Until.UTC().Format(time.RFC3339))
		err = errors.Join(err, told)
	}
	return err
}

// clusterClient talks to the configuration's cluster.
func clusterClient(w workspace) (*kube.Client, error) {
	cluster := w.desired.Cluster
	if cluster == nil {
		return nil, errors.New("the configuration has no cluster block, so there is no Lease to write the hold to")
	}
	return kube.Open(cluster.Kubeconfig, cluster.Context)
}

// duringHold reports whether a command may work while a hold stands: it changes nothing but what a hold is for.
func duringHold(cmd *cli.Command) bool {
	switch strings.TrimPrefix(fullName(cmd), "upkeep ") {
	case "backup take", "hold begin", "hold end", "approve":
		return true
	}
	return false
}

// expectedByHold reports whether drift is expected at a time, since people work on the cluster.
func expectedByHold(plan planner.Plan, now time.Time) bool {
	hold := plan.Request.Memory.Hold
	return hold != nil && now.Before(hold.Until)
}
