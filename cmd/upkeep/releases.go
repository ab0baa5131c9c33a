package main

import (
	"context"
	"path/filepath"
	"sync"
	"time"

	"sigs.k8s.io/yaml"

	"upkeep/cmd/upkeep/wiring"
	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/akash"
	"upkeep/providers/akash/inpod"
	"upkeep/providers/archive"
	"upkeep/providers/facts"
	"upkeep/providers/helm"
	"upkeep/providers/helm/pending"
	"upkeep/providers/kube"
	"upkeep/providers/release"
)

// releases opens Helm for a cluster once.
type releases struct {
	mu     sync.Mutex
	client *helm.Client
	opened config.Cluster
	// access are the credentials of chart repositories that the configuration has.
	access []providers.ChartAccess
}

// of returns what asks the releases of a cluster.
func (r *releases) of(desired config.Desired, mac func([]byte) string, base string) clusterReleases {
	cluster := *desired.Cluster
	r.mu.Lock()
	defer r.mu.Unlock()
	r.access = nil
	for _, spec := range release.Declared(desired) {
		if spec.Chart.Access != nil {
			r.access = append(r.access, *spec.Chart.Access)
		}
	}
	for _, spec := range akash.Declared(desired) {
		if spec.Chart != nil && spec.Chart.Access != nil {
			r.access = append(r.access, *spec.Chart.Access)
		}
	}
	return clusterReleases{shared: r, cluster: cluster, mac: mac, base: base}
}

func (r *releases) open(cluster config.Cluster) (*helm.Client, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.client != nil && r.opened == cluster {
		r.client.Charts.Authorise(r.access)
		return r.client, nil
	}
	client, err := helm.Open(cluster.Kubeconfig, cluster.Context)
	if err != nil {
		return nil, err
	}
	client.Charts.Authorise(r.access)
	r.client, r.opened = client, cluster
	return client, nil
}

// clusterReleases fits the Helm adapter to what observation and the domains ask for.
type clusterReleases struct {
	shared  *releases
	cluster config.Cluster
	mac     func([]byte) string
	base    string // what relative paths of charts are meant against
}

// source makes the path of a chart absolute.
func (r clusterReleases) source(s facts.ChartSource) facts.ChartSource {
	if s.Path != "" && !filepath.IsAbs(s.Path) {
		s.Path = filepath.Join(r.base, s.Path)
	}
	return s
}

// Observe asks one release. A kubeconfig that cannot be opened makes it unknown.
func (r clusterReleases) Observe(ctx context.Context, question facts.ReleaseQuestion) facts.Release {
	client, err := r.shared.open(r.cluster)
	if err != nil {
		return facts.Release{Unknown: err.Error()}
	}
	if question.Offer != nil {
		offer := *question.Offer
		offer.Source = r.source(offer.Source)
		if offer.Like != nil {
			like := *offer.Like
			like.Source = r.source(like.Source)
			offer.Like = &like
		}
		question.Offer = &offer
	}
	found := client.Observe(ctx, question, r.mac)
	if question.Measure != nil && found.Unknown == "" && !found.Missing {
		measured := inpod.Measure(ctx, client, found, *question.Measure)
		found.Measured = &measured
	}
	return found
}

// Chart asks for the releases of a chart.
func (r clusterReleases) Chart(ctx context.Context, name string) facts.Installed {
	client, err := r.shared.open(r.cluster)
	if err != nil {
		return facts.Installed{Unknown: err.Error()}
	}
	return client.Chart(ctx, name)
}

// clusterCharts asks what the cluster offers to charts, through Helm's connection.
type clusterCharts struct {
	shared  *releases
	cluster config.Cluster
}

func (c clusterCharts) Definition(ctx context.Context, name string) facts.Definition {
	client, err := c.shared.open(c.cluster)
	if err != nil {
		return facts.Definition{Unknown: err.Error()}
	}
	return client.Definition(ctx, name)
}

// Secret asks whether a Secret exists.
func (c clusterCharts) Secret(ctx context.Context, question facts.SecretQuestion) facts.Existence {
	client, err := c.shared.open(c.cluster)
	if err != nil {
		return facts.Existence{Unknown: err.Error()}
	}
	return client.Secret(ctx, question)
}

// ApplyDefinitions implements akash.Definers.
func (r clusterReleases) ApplyDefinitions(ctx context.Context, text []byte, progress func(string)) error {
	client, err := r.shared.open(r.cluster)
	if err != nil {
		return err
	}
	return client.ApplyDefinitions(ctx, text, progress)
}

func (r clusterReleases) Values(ctx context.Context, namespace, name string) (map[string]any, int, error) {
	client, err := r.shared.open(r.cluster)
	if err != nil {
		return nil, 0, err
	}
	return client.Values(ctx, namespace, name)
}

func (r clusterReleases) Upgrade(ctx context.Context, u akash.Upgrade, progress func(string)) error {
	client, err := r.shared.open(r.cluster)
	if err != nil {
		return err
	}
	_, err = client.Upgrade(ctx, helm.Upgrade{
		Namespace: u.Namespace, Release: u.Release, Source: r.source(u.Chart.Source), Version: u.Chart.Version, SHA256: u.SHA256,
		Values: u.Values, Remove: u.Remove, Revision: u.Revision, Wait: true, Atomic: true, Timeout: u.Timeout, Mask: u.Mask,
		Description: "Upgraded by upkeep", Labels: pending.Labels(u.Revision + 1),
	}, progress)
	return err
}

func (r clusterReleases) Rollback(ctx context.Context, namespace, name string, to int, progress func(string)) error {
	client, err := r.shared.open(r.cluster)
	if err != nil {
		return err
	}
	return client.Rollback(ctx, helm.Rollback{Namespace: namespace, Release: name, To: to, Wait: true}, progress)
}

func (r clusterReleases) Repair(ctx context.Context, namespace, name string, m pending.Repair) error {
	client, err := r.shared.open(r.cluster)
	if err != nil {
		return err
	}
	return client.Repair(ctx, namespace, name, m)
}

// statefulSets opens the cluster when a step needs it.
type statefulSets struct{ cluster *config.Cluster }

func (s statefulSets) open() (kube.StatefulSets, error) {
	if s.cluster == nil {
		return kube.StatefulSets{}, providers.ErrNoCluster
	}
	client, err := kube.Open(s.cluster.Kubeconfig, s.cluster.Context)
	return kube.StatefulSets{Client: client}, err
}

func (s statefulSets) Stop(ctx context.Context, namespace, name string, mark map[string]string) error {
	sets, err := s.open()
	if err != nil {
		return err
	}
	return sets.Stop(ctx, namespace, name, mark)
}

func (s statefulSets) Start(ctx context.Context, namespace, name string, replicas int, unmark []string) error {
	sets, err := s.open()
	if err != nil {
		return err
	}
	return sets.Start(ctx, namespace, name, replicas, unmark)
}

func (s statefulSets) DeletePod(ctx context.Context, namespace, name, uid string) error {
	sets, err := s.open()
	if err != nil {
		return err
	}
	return sets.DeletePod(ctx, namespace, name, uid)
}

func (s statefulSets) DeleteStatefulSet(ctx context.Context, namespace, name, uid string) error {
	sets, err := s.open()
	if err != nil {
		return err
	}
	return sets.DeleteStatefulSet(ctx, namespace, name, uid)
}

// outside is what lies outside the cluster: the archive and texts behind URLs.
type outside struct {
	archive.Directory
	archive.Downloads
}

func (w workspace) files() outside { return outside{Directory: archive.Directory{Base: w.directory}} }

// akashOperations makes the operations of Akash providers.
func akashOperations(t tools) map[string]providers.Operation {
	all := akash.Tools{
		Workloads: statefulSets{t.desired.Cluster}, Archives: t.files(), Downloads: t.files(), YAML: func(values map[string]any) ([]byte, error) { return yaml.Marshal(values) },
		Specs: map[providers.Address]akash.Spec{}, Run: "plan " + t.plan.ID, Now: t.env.now, Sleep: sleep,
	}
	if t.desired.Cluster != nil {
		releases := t.releases.of(t.desired, t.mac, t.directory)
		all.Releases, all.Definers = releases, releases
	}
	for _, spec := range akash.Declared(t.desired) {
		all.Specs[spec.Address()] = spec
	}
	return wiring.Fenced(akash.Operations(all), t.caller.Fence)
}

// sleep waits, and returns early with an error when ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
