package main

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"upkeep/config"
	"upkeep/fixtures/fakeprovider"
	"upkeep/fixtures/worlds"
	"upkeep/planner"
	"upkeep/providers"
	"upkeep/providers/akash"
	"upkeep/providers/certificates"
	"upkeep/providers/downtime"
	"upkeep/providers/driver"
	"upkeep/providers/facts"
	"upkeep/providers/reboot"
	"upkeep/providers/release"
)

// undisturbing are the operations that need no proved backup beforehand, with the reason. Every other operation of every
// domain does.
var undisturbing = map[string]string{
	"akash.archive":                    "it changes nothing in the cluster",
	"akash.repair":                     "it changes Helm's record alone",
	"akash.start":                      "it ends an interruption",
	"akash.stop":                       "it guards other steps, which need the backup themselves; nothing is replaced, and its bracket ends it",
	"backup.cold":                      "it copies what is stopped, and changes nothing in the cluster",
	"backup.prove":                     "it is the guard",
	"backup.prune":                     "it changes nothing in the cluster",
	"backup.take":                      "it is the guard",
	"certificates.repair":              "it repairs an outage that exists",
	"driver.download":                  "it installs nothing",
	"driver.prove":                     "it only looks",
	"driver.record":                    "it writes to the state alone",
	"driver.soak":                      "it only waits",
	"certificates.operator_kubeconfig": "it changes a file of the operator alone, and keeps the old one",
	"node.cordon":                      "it keeps new pods away from a node, and is taken back by a mark",
	"node.uncordon":                    "it ends an interruption",
	"nvidia.quarantine":                "it keeps new pods away from a node, and is taken back by a mark",
	"release.repair":                   "it changes Helm's record alone",
}

// TestDisruptiveStepsNeedABackup: each operation of each domain is either in the list above or is seen in a plan, and there
// every step of it names the guard.
func TestDisruptiveStepsNeedABackup(t *testing.T) {
	seen := map[string]bool{}
	for _, step := range disruptivePlans(t) {
		if _, exempt := undisturbing[step.Operation]; exempt {
			continue
		}
		seen[step.Operation] = true
		if !slices.ContainsFunc(step.Guards, func(n providers.Need) bool { return n.Name == "backup" && !n.Optional }) {
			t.Errorf("%s (%s) does not name the guard backup", step.ID, step.Summary)
		}
	}
	all := effects(domains())
	for _, operation := range slices.Sorted(maps.Keys(all)) {
		if _, exempt := undisturbing[operation]; !exempt && !seen[operation] {
			t.Errorf("%s is in no plan of this test, and not in the list of those that need no backup", operation)
		}
	}
	for operation := range undisturbing {
		if all[operation] == nil {
			t.Errorf("there is no operation %s", operation)
		}
	}
}

// disruptivePlans are steps of plans in which every domain has disruptive work.
func disruptivePlans(t *testing.T) []providers.Step {
	t.Helper()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var out []providers.Step
	add := func(world facts.World, resources ...providers.Resource) {
		t.Helper()
		desired := fakeprovider.Desired(resources...)
		desired.Nodes = worlds.Nodes(len(world.Nodes))
		p, err := planner.Build(planner.Request{Desired: desired, World: world, Now: now}, domains())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p.Steps...)
	}

	old := worlds.ControlPlanes(1, now)
	for _, node := range old.Nodes {
		worlds.Age(now, 5*24*time.Hour, node, "apiserver", "controller-manager.conf")
	}
	add(old, certificates.Spec{
		Name: "control_plane", Layout: "kubeadm", RenewBefore: config.Duration(30 * 24 * time.Hour), Nodes: config.Selection{Roles: []string{"control-plane"}},
	})

	k3s := worlds.Rancher("k3s", 3, 0, now)
	for _, node := range k3s.Nodes {
		worlds.Age(now, 5*24*time.Hour, node, "client-admin")
	}
	add(k3s, certificates.Spec{
		Name: "control_plane", Layout: "auto", RenewBefore: config.Duration(30 * 24 * time.Hour),
		Nodes: config.Selection{Roles: []string{"control-plane"}},
	})

	due := worlds.ControlPlanes(3, now)
	due.Tenancies, due.Maintenance, due.Drains = &facts.Tenancies{}, &facts.Maintenance{}, map[string]facts.Drain{}
	for name, node := range due.Nodes {
		node.Boot = facts.Boot{Next: node.System.Kernel, Reboot: facts.Reboot{Required: true}}
		due.Drains[name] = facts.Drain{}
	}
	add(due, reboot.Spec{
		Name: "kernel", Nodes: config.Selection{Roles: []string{"control-plane"}}, When: reboot.Required,
		Policy: downtime.Policy{Leases: downtime.LeasesWait},
	})

	gpu := worlds.ControlPlanes(3, now)
	gpu.Tenancies, gpu.Maintenance, gpu.Drains = &facts.Tenancies{}, &facts.Maintenance{}, map[string]facts.Drain{}
	for name, node := range gpu.Nodes {
		gpu.Drains[name] = facts.Drain{}
		worlds.OldDriver(node)
	}
	add(gpu, driver.Spec{
		Name: "gpus", Nodes: config.Selection{Roles: []string{"control-plane"}}, Version: "580.126.20",
		KernelModule: driver.Auto, Track: driver.Auto, Held: driver.Refuse,
		Policy: downtime.Policy{Leases: downtime.LeasesWait},
	})

	// 11.6.4 leaves old prices in the pod; over 12.0.0 the StatefulSet is replaced, after definitions and an operator.
	for _, to := range []string{"11.6.4", "12.1.3"} {
		w, err := fakeprovider.Open("11.6.4", map[string]any{"price_target_cpu": "1"}, now)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		if err := w.InstallChart(fakeprovider.Namespace, "inventory-operator", "akash-inventory-operator", "11.6.3", nil); err != nil {
			t.Fatal(err)
		}
		s := akash.Spec{
			Name: "main", Release: fakeprovider.Release, Namespace: fakeprovider.Namespace, Archive: "akash-archive",
			Chart: &akash.Chart{Source: facts.ChartSource{Repository: w.Repository, Name: "provider"}, Version: to}, Targets: map[string]string{"price_target_cpu": "2"},
		}
		if to != "11.6.4" {
			s.Definitions = &akash.Definitions{Tag: "v0.8.3", File: "crd.yaml", Text: definitionText, SHA256: "00"}
			s.Targets = nil
		}
		operator := release.Spec{
			Name: "hostname", Release: "akash-hostname-operator", Namespace: fakeprovider.Namespace, Wait: true, Atomic: true,
			Chart: release.Chart{Source: facts.ChartSource{Repository: w.Repository, Name: "akash-hostname-operator"}, Version: "12.1.3"},
		}
		if err := w.InstallChart(fakeprovider.Namespace, "akash-hostname-operator", "akash-hostname-operator", "11.6.3", nil); err != nil {
			t.Fatal(err)
		}
		add(w.World(context.Background(), s, operator), s, operator)
	}
	return out
}

const definitionText = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: manifests.akash.network}
spec:
  group: akash.network
  scope: Namespaced
  names: {kind: Manifest, plural: manifests}
  versions:
    - {name: v2beta2, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
`
