package main

import (
	"context"
	"strings"
	"time"

	"upkeep/cmd/upkeep/wiring"
	"upkeep/providers"
	"upkeep/providers/bounded"
	"upkeep/providers/downtime"
	"upkeep/providers/driver"
	"upkeep/providers/facts"
	"upkeep/providers/kube"
	"upkeep/state/local"
)

// thisMachine tells which machine this program runs on; what cannot be read is empty.
func thisMachine() facts.Here {
	line := func(path string) string {
		text, err := bounded.File(path, bounded.Text)
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(text))
	}
	return facts.Here{MachineID: line("/etc/machine-id"), BootID: line("/proc/sys/kernel/random/boot_id")}
}

// Mark returns upkeep's mark on a node.
func (c cordons) Mark(ctx context.Context, name string) (*facts.Cordon, error) {
	client, err := kube.Open(c.cluster.Kubeconfig, c.cluster.Context)
	if err != nil {
		return nil, err
	}
	marked, err := client.Cordons(ctx)
	if err != nil {
		return nil, err
	}
	for _, n := range marked {
		if n.Name == name {
			return n.Cordon, nil
		}
	}
	return nil, nil
}

// Uncordon uncordons a node that carries a mark.
func (c cordons) Uncordon(ctx context.Context, name string, mark facts.Cordon) error {
	client, err := kube.Open(c.cluster.Kubeconfig, c.cluster.Context)
	if err != nil {
		return err
	}
	return client.Uncordon(ctx, name, mark)
}

// Drain evicts the pods of a node.
func (c cordons) Drain(ctx context.Context, name string, how downtime.Eviction, progress func(string)) error {
	client, err := kube.Open(c.cluster.Kubeconfig, c.cluster.Context)
	if err != nil {
		return err
	}
	return client.Evict(ctx, name, kube.DrainOptions{
		EmptyDir: how.EmptyDir, Bare: how.Bare, Tenants: how.Tenants, Limit: max(how.Limit, time.Second),
	}, progress)
}

// rebootOperations makes the operations that take nodes down and put them back.
func rebootOperations(t tools) map[string]providers.Operation {
	all := downtime.Tools{Caller: t.caller, Run: "plan " + t.plan.ID, Who: local.Who(), Now: t.env.now}
	if t.desired.Cluster != nil {
		all.Nodes = cordons{*t.desired.Cluster}
	}
	return wiring.Fenced(downtime.Operations(all), t.caller.Fence)
}

// driverOperations makes the operations of NVIDIA's driver. Those of package downtime are rebootOperations.
func driverOperations(t tools) map[string]providers.Operation {
	return driver.Operations(driver.Tools{Caller: t.caller, Remember: t.remember, Now: t.env.now})
}
