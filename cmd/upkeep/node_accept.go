package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/plain"
	"upkeep/state"
	"upkeep/state/local"
)

// acceptCommand accepts the machines that stand under the names of nodes: what comes later is compared with them.
func acceptCommand(env environment) *cli.Command {
	flags := append([]cli.Flag{lockTimeoutFlag()}, configurationFlags()...)
	return &cli.Command{
		Name: "accept", Usage: "accept the machine that has the name of a node, with its GPUs", ArgsUsage: "NAME...",
		Description: "upkeep looks at the node, and remembers its machine id, its SSH host keys and its GPUs in the state.\n" +
			"A GPU that is missing later is told by its PCI address and serial number. Nothing is planned for a node that is\n" +
			"another machine than the accepted one, until you accept the new machine.",
		Flags:  append(flags, observationFlags()...),
		Action: func(ctx context.Context, cmd *cli.Command) error { return acceptNodes(ctx, env, cmd) },
	}
}

func acceptNodes(ctx context.Context, env environment, cmd *cli.Command) error {
	names := cmd.Args().Slice()
	if len(names) == 0 {
		return usage(cmd, "node accept takes the names of nodes, and there is none")
	}
	w, err := open(env, cmd)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := nodeKnown(w.desired, name); err != nil {
			return err
		}
	}
	if err := w.takeOut(ctx); err != nil {
		return err
	}
	var accepted []facts.AcceptedNode
	world, err := w.askNodes(ctx, cmd, names)
	if err != nil {
		return err
	}
	for _, name := range names {
		if i := outIn(w.desired.Outs, name); i >= 0 {
			return fmt.Errorf("node %s is out, so nobody asks the node; run `upkeep node back %s` first", name, name)
		}
		node := world.Node(name)
		plain.In(&node, plain.Line)
		a, err := facts.AcceptanceOf(node)
		if err != nil {
			return fmt.Errorf("nothing was accepted: %w", err)
		}
		a.Who, a.At = local.Who(), env.now().UTC()
		accepted = append(accepted, a)
	}
	return underLock(ctx, env, cmd, w, func(lock state.Lock) error {
		next := lock.State()
		before, err := next.Memory.Accepted()
		if err != nil {
			return err
		}
		if next.Memory, err = next.Memory.WithAccepted(accepted...); err != nil {
			return err
		}
		if err := writeState(ctx, lock, next); err != nil {
			return err
		}
		for _, a := range accepted {
			if err := writeAcceptance(env, before[a.Name], a); err != nil {
				return err
			}
		}
		return nil
	})
}

// askNodes asks some nodes what tells their machines.
func (w workspace) askNodes(ctx context.Context, cmd *cli.Command, names []string) (facts.World, error) {
	nodes, err := newNodes(w.desired, cmd.Int("parallelism"))
	if err != nil {
		return facts.World{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, observeTimeout)
	defer cancel()
	needs := providers.Needs{
		Kubernetes: providers.KubernetesNeeds{Cluster: len(w.desired.Fleets) > 0},
		Nodes:      []providers.NodeNeed{{Nodes: config.Selection{Names: names}, Question: facts.Question{NVIDIA: true}}},
	}
	world, err := w.observer(nodes, nil).Observe(ctx, w.desired, []providers.Needs{needs})
	if err != nil {
		return facts.World{}, fmt.Errorf("observing: %w", err)
	}
	return world, nil
}

// writeAcceptance says what was accepted, and what that changes.
func writeAcceptance(env environment, before, now facts.AcceptedNode) error {
	machine := now.MachineID
	if before.MachineID != "" && before.MachineID != now.MachineID {
		machine = before.MachineID + " -> " + now.MachineID
	}
	if _, err := fmt.Fprintf(env.stdout, "Node %s is accepted: machine %s, %d GPUs.\n", now.Name, machine,
		len(now.GPUs)); err != nil {
		return err
	}
	for _, g := range now.GPUs {
		words := []string{"  " + g.PCI, orElse(g.Model, g.Device)}
		if g.Serial != "" {
			words = append(words, "serial "+g.Serial)
		}
		if _, err := fmt.Fprintln(env.stdout, strings.Join(words, "  ")); err != nil {
			return err
		}
	}
	return nil
}
