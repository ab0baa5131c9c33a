package main

import (
	"context"
	"fmt"

	"upkeep/cmd/upkeep/wiring"
	"upkeep/config"
	"upkeep/planner"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/floor"
	"upkeep/providers/kube"
	"upkeep/providers/nvidia"
	"upkeep/state/local"
	"upkeep/state/seen"
)

// cordons cordons nodes of the cluster of a configuration. The kubeconfig is opened when it is needed.
type cordons struct{ cluster config.Cluster }

// Cordon cordons a node under a mark.
func (c cordons) Cordon(ctx context.Context, name string, mark facts.Cordon) error {
	client, err := kube.Open(c.cluster.Kubeconfig, c.cluster.Context)
	if err != nil {
		return err
	}
	return client.Cordon(ctx, name, mark)
}

// nvidiaOperations makes the operations on nodes with GPUs.
func nvidiaOperations(t tools) map[string]providers.Operation {
	all := nvidia.Tools{Run: "plan " + t.plan.ID, Who: local.Who(), Now: t.env.now}
	if t.desired.Cluster != nil {
		all.Nodes = cordons{*t.desired.Cluster}
	}
	return wiring.Fenced(nvidia.Operations(all), t.caller.Fence)
}

// earlier is what earlier looks saw. Where the record cannot be read, faults are counted from here on, and growth
// is unknown. It is the one place that warns of that: every command that looks comes here.
func earlier(ctx context.Context, w workspace) facts.Earlier {
	backend, err := stateBackend(w)
	if err != nil {
		return facts.Earlier{}
	}
	known, err := backend.Seen(ctx)
	if err != nil {
		fmt.Fprintf(w.env.stderr, "Warning: upkeep does not know what it saw before "+
			"(since when findings stand and steps wait, faults of GPUs, how fast disks fill): %v\n", err)
		return facts.Earlier{}
	}
	return known.Earlier()
}

// withSightings adds to what was seen what a plan's world shows: faults of devices, how far kernel logs were
// counted, and the free space of file systems. It may be called again with another record, and counts nothing
// twice.
func withSightings(s seen.Seen, plan planner.Plan) seen.Seen {
	now, world := plan.Request.Now, plan.Request.World
	accepted, err := plan.Request.Memory.Accepted()
	if err != nil {
		return s // the plan says so
	}
	found := nvidia.Sighted(world, accepted, s.Earlier())
	s = s.WithFaults(now, found.Faults)
	for node, log := range found.Logs {
		s = s.WithKernelLog(now, node, log.Boot, log.From)
	}
	return s.WithSpace(now, freeSpace(world))
}

// freeSpace is the free space of each file system of each node, in bytes.
func freeSpace(world facts.World) map[string]uint64 {
	free := map[string]uint64{}
	for name, n := range world.Nodes {
		for _, f := range n.Floor.Filesystems {
			if f.Unknown == "" {
				free[floor.SpaceKey(name, f)] = f.Free
			}
		}
	}
	return free
}
