package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"upkeep/cmd/upkeep/wiring"
	"upkeep/planner"
	"upkeep/providers"
	"upkeep/providers/akash"
	"upkeep/providers/facts"
	"upkeep/providers/plain"
	"upkeep/state"
)

// providersOf returns the providers that run and that a hold stops. One of which it is not known whether it runs is an
// error: left running, it could close its tenants' leases.
func providersOf(plan planner.Plan, w workspace) (running []facts.StoppedProvider, err error) {
	var unknown []error
	for _, spec := range akash.Declared(w.desired) {
		p, err := akash.Stoppable(plan.Request.World, spec)
		switch {
		case err != nil:
			unknown = append(unknown, err)
		case p.Name != "":
			running = append(running, p)
		}
	}
	return running, errors.Join(unknown...)
}

// timerNodes are the control planes that answered, the primary first: those on which a timer may be armed.
func timerNodes(plan planner.Plan, w workspace) (names []string) {
	world := plan.Request.World
	for _, n := range providers.NewInventory(w.desired, world).Nodes {
		observed := world.Nodes[n.Name]
		if !slices.Contains(n.Roles, "control-plane") || observed == nil || observed.Unknown != "" {
			continue
		}
		if n.Primary {
			names = slices.Insert(names, 0, n.Name)
			continue
		}
		names = append(names, n.Name)
	}
	return names
}

// providerSwitch is what stops and starts providers under a lock.
func providerSwitch(env environment, w workspace, plan planner.Plan, lock state.Lock) (akash.Switch, error) {
	nodes, err := newNodes(w.desired, 1)
	if err != nil {
		return akash.Switch{}, err
	}
	nodes.Know(providers.NewInventory(w.desired, plan.Request.World))
	return akash.Switch{
		Workloads: statefulSets{w.desired.Cluster},
		Caller:    wiring.Caller{Nodes: nodes, Run: wiring.RunOf(lock, "hold"), Fence: wiring.Fence(lock, nil)},
		Progress:  func(line string) { fmt.Fprintln(env.stdout, plain.Line(line)) },
	}, nil
}

// stopTimeout is how long the pods of a provider may take to end.
const stopTimeout = 5 * time.Minute

// stopForHold stops the providers of a hold. It returns those that it touched, also with an error.
func stopForHold(
	ctx context.Context, s akash.Switch, running []facts.StoppedProvider, hold facts.Hold, nodes []string,
) (stopped []facts.StoppedProvider, err error) {
	by := "hold of " + hold.At.UTC().Format(time.RFC3339)
	for _, p := range running {
		ctx, cancel := context.WithTimeoutCause(ctx, stopTimeout, fmt.Errorf("not stopped after %s", stopTimeout))
		p, err = s.Stop(ctx, p, by, hold.Until, nodes)
		cancel()
		if len(p.Nodes) > 0 {
			stopped = append(stopped, p)
		}
		if err != nil {
			return stopped, err
		}
	}
	return stopped, nil
}

// startAfterHold starts again what a hold has stopped, and is still stopped under its mark.
func startAfterHold(ctx context.Context, s akash.Switch, sets statefulSets, stopped []facts.StoppedProvider) error {
	if len(stopped) == 0 {
		return nil
	}
	open, err := sets.open()
	if err != nil {
		return err
	}
	marked, err := open.Marked(ctx, akash.MarkAnnotation)
	if err != nil {
		return err
	}
	var failures []error
	for _, p := range stopped {
		ours := false
		for _, m := range marked {
			ours = ours || m.Namespace == p.Namespace && m.Name == p.Name && m.Annotations[akash.MarkAnnotation] == p.By
		}
		ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("not ready after %s", startTimeout))
		failures = append(failures, s.Start(ctx, p, ours))
		cancel()
	}
	return errors.Join(failures...)
}
