package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"upkeep/config"
	"upkeep/planner"
	"upkeep/planner/report/text"
	"upkeep/state"
)

// nodeCommand says of a node what no observation tells: that a person has taken it out for a while.
func nodeCommand(env environment) *cli.Command {
	flags := func(more ...cli.Flag) []cli.Flag {
		return slices.Concat(more, []cli.Flag{lockTimeoutFlag()}, configurationFlags())
	}
	reason := &cli.StringFlag{Name: "reason", Usage: "why, in `TEXT`"}
	out := &cli.Command{
		Name: "out", Usage: "take a node out until a day: it is not asked, and nothing is planned for it", ArgsUsage: "NAME",
		Description: "The same as an out block in the configuration, kept in the state. Every plan and report shows the node.\n" +
			"The node changes no exit code and takes no place in a lane. After the day every plan is an error, until you say more.",
		Flags: flags(reason,
			&cli.StringFlag{Name: "owner", Usage: "who is responsible, in `TEXT`"},
			&cli.StringFlag{Name: "until", Usage: "the last day on which the node is out, as `YYYY-MM-DD` in UTC"}),
		Action: func(ctx context.Context, cmd *cli.Command) error { return takeNodeOut(ctx, env, cmd) },
	}
	back := &cli.Command{
		Name: "back", Usage: "take a node in again that `upkeep node out` took out", ArgsUsage: "NAME",
		Flags:  flags(),
		Action: func(ctx context.Context, cmd *cli.Command) error { return takeNodeBack(ctx, env, cmd) },
	}
	release := &cli.Command{
		Name: "release", Usage: "let go of a node that has left its selector", ArgsUsage: "NAME",
		Description: "A block that works on a fleet may remember which nodes it has changed. Such a node stays in the plan after it left\n" +
			"the selector, until you release it with a reason. The state of this version remembers no such node.",
		Flags:  flags(reason),
		Action: func(ctx context.Context, cmd *cli.Command) error { return releaseNode(ctx, env, cmd) },
	}
	return &cli.Command{
		Name: "node", Usage: "take a node out for a while, take it in again, and accept a new machine",
		Commands: []*cli.Command{out, back, release, acceptCommand(env)},
	}
}

// takeOut adds to the desired state the nodes that the state knows to be out.
func (w *workspace) takeOut(ctx context.Context) error {
	remembered, err := readState(ctx, *w)
	if err != nil {
		return err
	}
	w.desired, err = planner.WithOuts(w.desired, remembered.Memory)
	return err
}

// outText spells why a node is out, and until when.
func outText(o config.Out) string {
	return fmt.Sprintf("%s until %s: %q, owner %s", o.Node, o.Until, o.Reason, o.Owner)
}

func takeNodeOut(ctx context.Context, env environment, cmd *cli.Command) error {
	name, err := nodeArgument(cmd)
	if err != nil {
		return err
	}
	taken := config.Out{Node: name, Reason: strings.TrimSpace(cmd.String("reason")), Owner: strings.TrimSpace(cmd.String("owner"))}
	for _, flag := range []struct{ name, value string }{{"reason", taken.Reason}, {"owner", taken.Owner}, {"until", cmd.String("until")}} {
		if flag.value == "" {
			return usage(cmd, "node out needs -reason, -owner and -until, and -%s is empty or not set", flag.name)
		}
	}
	if taken.Until, err = config.ParseUntil(cmd.String("until")); err != nil {
		return usage(cmd, "-until: %v", err)
	}
	if taken.Until.Ended(env.now()) {
		return usage(cmd, "-until=%s has passed already", taken.Until)
	}
	w, err := open(env, cmd)
	if err != nil {
		return err
	}
	if err := nodeKnown(w.desired, name); err != nil {
		return err
	}
	if i := outIn(w.desired.Outs, name); i >= 0 {
		return fmt.Errorf("node %s is out already, by the configuration (%s); change that block", name, w.desired.Outs[i].Position)
	}
	if err := changeOuts(ctx, env, cmd, w, func(outs []config.Out) ([]config.Out, error) {
		outs = slices.DeleteFunc(outs, func(o config.Out) bool { return o.Node == name })
		return append(outs, taken), nil
	}); err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.stdout, "Node %s is out until %s: %q, owner %s. Nothing is planned for %s.\nTo take %s in again:\n  upkeep node back %s\n",
		name, taken.Until, text.Clean(taken.Reason), text.Clean(taken.Owner), name, name, name)
	return err
}

func takeNodeBack(ctx context.Context, env environment, cmd *cli.Command) error {
	name, err := nodeArgument(cmd)
	if err != nil {
		return err
	}
	w, err := open(env, cmd)
	if err != nil {
		return err
	}
	if i := outIn(w.desired.Outs, name); i >= 0 {
		return fmt.Errorf("node %s is out by the configuration (%s); remove that block", name, w.desired.Outs[i].Position)
	}
	if err := changeOuts(ctx, env, cmd, w, func(outs []config.Out) ([]config.Out, error) {
		i := outIn(outs, name)
		if i < 0 {
			return nil, fmt.Errorf("node %s is not out%s", name, outNow(outs))
		}
		return slices.Delete(outs, i, i+1), nil
	}); err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.stdout, "Node %s is in again. The next plan asks %s.\n", name, name)
	return err
}

// releaseNode says that there is nothing to release: no block of this version remembers the members of a fleet.
func releaseNode(ctx context.Context, env environment, cmd *cli.Command) error {
	name, err := nodeArgument(cmd)
	if err != nil {
		return err
	}
	if strings.TrimSpace(cmd.String("reason")) == "" {
		return usage(cmd, "node release needs -reason")
	}
	w, err := open(env, cmd)
	if err != nil {
		return err
	}
	if err := w.takeOut(ctx); err != nil {
		return err
	}
	if i := outIn(w.desired.Outs, name); i >= 0 {
		return fmt.Errorf("node %s is out, which release does not end; run `upkeep node back %s`", name, name)
	}
	return fmt.Errorf("the state remembers no node %s that has left its selector, so nothing was released; upkeep plans nothing for a node that no selector selects", name)
}

// nodeArgument returns the one argument, the name of a node.
func nodeArgument(cmd *cli.Command) (string, error) {
	if cmd.Args().Len() != 1 {
		return "", usage(cmd, "%s takes the name of one node, and there are %d arguments", strings.TrimPrefix(fullName(cmd), "upkeep "), cmd.Args().Len())
	}
	return cmd.Args().First(), nil
}

// nodeKnown returns an error for a name that no node of the configuration can have. With discovered nodes any name is
// possible.
func nodeKnown(desired config.Desired, name string) error {
	if len(desired.Fleets) > 0 {
		return nil
	}
	var names []string
	for _, n := range desired.Nodes {
		if n.Name == name {
			return nil
		}
		names = append(names, n.Name)
	}
	slices.Sort(names)
	return fmt.Errorf("the configuration has no node %q; it has %s", name, strings.Join(names, ", "))
}

func outIn(outs []config.Out, name string) int {
	return slices.IndexFunc(outs, func(o config.Out) bool { return o.Node == name })
}

// outNow says which nodes the state knows to be out.
func outNow(outs []config.Out) string {
	if len(outs) == 0 {
		return ""
	}
	var names []string
	for _, o := range outs {
		names = append(names, o.Node)
	}
	return "; out are " + strings.Join(names, ", ")
}

// changeOuts changes, under the state's lock, which nodes the state knows to be out.
func changeOuts(ctx context.Context, env environment, cmd *cli.Command, w workspace, change func([]config.Out) ([]config.Out, error)) error {
	return underLock(ctx, env, cmd, w, func(lock state.Lock) error {
		next := lock.State()
		outs, err := planner.RememberedOuts(next.Memory)
		if err != nil {
			return err
		}
		if outs, err = change(outs); err != nil {
			return err
		}
		if next.Memory, err = planner.RememberOuts(next.Memory, outs); err != nil {
			return err
		}
		return writeState(ctx, lock, next)
	})
}
