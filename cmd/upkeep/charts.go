package main

import (
	"context"

	"upkeep/cmd/upkeep/wiring"
	"upkeep/providers"
	"upkeep/providers/helm"
	"upkeep/providers/helm/pending"
	"upkeep/providers/release"
)

// chartReleases fits the Helm adapter to what helm_release asks of it.
type chartReleases struct{ clusterReleases }

// Upgrade installs or upgrades a release.
func (r chartReleases) Upgrade(ctx context.Context, u release.Upgrade, progress func(string)) error {
	client, err := r.shared.open(r.cluster)
	if err != nil {
		return err
	}
	description := "Upgraded by upkeep"
	if u.Install {
		description = "Installed by upkeep"
	}
	_, err = client.Upgrade(ctx, helm.Upgrade{
		Namespace: u.Namespace, Release: u.Release, Source: r.source(u.Source), Version: u.Version, SHA256: u.SHA256,
		Values: u.Values, Remove: u.Remove, Mask: u.Mask,
		Revision: u.Revision, Install: u.Install, CreateNamespace: u.CreateNamespace,
		Wait: u.Wait, Atomic: u.Atomic, Timeout: u.Timeout, Description: description, Labels: pending.Labels(u.Revision + 1),
	}, progress)
	return err
}

// releaseOperations makes the operations of Helm releases.
func releaseOperations(t tools) map[string]providers.Operation {
	all := release.Tools{Specs: map[providers.Address]release.Spec{}}
	if t.desired.Cluster != nil {
		all.Releases = chartReleases{t.releases.of(t.desired, t.mac, t.directory)}
	}
	for _, spec := range release.Declared(t.desired) {
		all.Specs[spec.Address()] = spec
	}
	return wiring.Fenced(release.Operations(all), t.caller.Fence)
}
