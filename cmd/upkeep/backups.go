package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/backup"
	"upkeep/providers/etcd/drill"
	"upkeep/providers/facts"
	"upkeep/providers/kube"
)

// backupOperations makes the operations of backups.
func backupOperations(t tools) map[string]providers.Operation {
	nodes := t.caller.Nodes
	stores := storesOf(t.desired, nodes, t.caller.Run)
	return backup.Operations(backup.Tools{
		Provider: func(ctx context.Context) (map[string][]byte, map[string]string) {
			return providerObjects(ctx, t.desired.Cluster)
		},
		Look: t.look, Spec: stores.spec, Store: stores.open,
		Etcd: nodes.Member, Cold: nodes.Cold, Files: nodes.Files, SQLite: nodes.SQLite,
		Drill: drillOptions, Here: here, Remember: t.remember, Sign: t.sign, Version: version, Now: t.env.now,
	})
}

// providerObjects reads the objects of the cluster's Akash provider; none where there is no such provider.
func providerObjects(ctx context.Context, cluster *config.Cluster) (objects map[string][]byte, failed map[string]string) {
	if cluster == nil {
		return nil, nil
	}
	client, err := kube.Open(cluster.Kubeconfig, cluster.Context)
	if err != nil {
		return nil, map[string]string{"objects of an Akash provider": err.Error()}
	}
	found, failed := client.ExportProvider(ctx)
	objects = make(map[string][]byte, len(found))
	for _, e := range found {
		objects[e.Name] = e.Data
	}
	return objects, failed
}

// drillOptions finds the child that restores snapshots: it lies beside upkeep, or where the helpers do.
func drillOptions() (drill.Options, error) {
	directory, err := helperDirectory()
	if err != nil {
		return drill.Options{}, err
	}
	program, err := drill.Program(directory)
	return drill.Options{Program: program}, err
}

// sweepWorkDirectories removes what a drill left behind, in the clear, whose process was killed. What cannot be removed is said, and
// keeps nothing from going on.
func sweepWorkDirectories(env environment, desired config.Desired) {
	if len(backup.Declared(desired)) == 0 {
		return
	}
	if err := backup.Sweep(""); err != nil {
		fmt.Fprintf(env.stderr, "warning: %v\n", err)
	}
}

// here reports whether upkeep runs on a node.
func here(n facts.Node) bool {
	return n.System.MachineID != "" && machineID() == n.System.MachineID
}

// machineID returns the id of the machine that upkeep runs on; empty where it has none.
func machineID() string {
	id, err := os.ReadFile("/etc/machine-id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}
