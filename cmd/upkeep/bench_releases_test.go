package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep/fixtures/worlds"
	"upkeep/providers/facts"
)

// manyReleases writes a configuration of n Helm releases in one for_each, and returns its directory and a world in which
// each has ten objects, a history of ten revisions, a chart with a hundred versions, and an upgrade that is due: a value,
// an object that somebody changed and a version that does not fit.
func manyReleases(tb testing.TB, n int) (directory string, world facts.World) {
	tb.Helper()
	var text strings.Builder
	text.WriteString("helm_release \"app\" {\n  for_each = {\n")
	for i := range n {
		fmt.Fprintf(&text, "    r%04d = \"app-%04d\"\n", i, i)
	}
	text.WriteString("  }\n  release    = each.value\n  namespace  = \"apps\"\n  without    = { backup = \"a benchmark\" }\n  chart {\n    repository = \"https://charts.example.net\"\n" +
		"    name       = \"app\"\n    version    = \">= 1.50\"\n  }\n  values = { image = { tag = \"2\" }, replicas = 3 }\n}\n")
	directory = tb.TempDir()
	if err := os.WriteFile(filepath.Join(directory, "releases.upkeep.hcl"), []byte(text.String()), 0o644); err != nil {
		tb.Fatal(err)
	}
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	world = worlds.ControlPlanes(1, now)
	world.Releases = map[string]*facts.Release{}
	source := facts.ChartSource{Repository: "https://charts.example.net", Name: "app"}
	var versions []facts.ChartVersion
	for i := range 100 {
		versions = append(versions, facts.ChartVersion{Name: "app", Version: fmt.Sprintf("1.%d.0", 99-i)})
	}
	for i := range n {
		name := fmt.Sprintf("app-%04d", i)
		r := &facts.Release{
			Namespace: "apps", Name: name, Revision: 10, Status: facts.ReleaseDeployed, Chart: facts.ChartVersion{Name: "app", Version: "1.40.0"},
			Updated: now.Add(-time.Hour), ObjectCount: 10,
			Values: map[string]any{"image": map[string]any{"tag": "1", "pullPolicy": "Always"}, "replicas": 3.0, "hosts": []any{"a", "b", "c"}},
			Objects: []facts.ObjectDrift{{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "apps", Name: name, Differences: []facts.FieldDifference{
				{Path: "spec.template.spec.containers[app].image", Rendered: "app:1", Live: "app:0"},
			}}},
			Workloads: []facts.Workload{{Kind: "Deployment", Name: name, Replicas: 3, Ready: 3, Updated: 3, Settled: true}},
			Offer: &facts.ChartOffer{Source: source, Versions: versions, Newest: "1.99.0", Chosen: versions[0], Preview: &facts.ReleasePreview{
				Chart: versions[0], Rolls: []string{"Deployment " + name},
				Objects: []facts.ObjectChange{{Kind: "Deployment", Namespace: "apps", Name: name, Action: "update"}},
			}},
		}
		for revision := 1; revision <= 10; revision++ {
			status := facts.ReleaseSuperseded
			if revision == 10 {
				status = facts.ReleaseDeployed
			}
			r.History = append(r.History, facts.ReleaseRevision{Revision: revision, Status: status, Chart: r.Chart})
		}
		world.Releases[facts.ReleaseKey("apps", name)] = r
	}
	return directory, world
}

// BenchmarkPlanReleases plans the upgrade of each of 200 releases: reading the configuration, comparing, predicting and
// comparing again.
func BenchmarkPlanReleases(b *testing.B) {
	for _, n := range []int{200, 400} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			directory, world := manyReleases(b, n)
			b.ReportAllocs()
			began := processorTime(b)
			for b.Loop() {
				if p := plan(b, directory, world); len(p.Steps) != n {
					b.Fatalf("%d steps", len(p.Steps))
				}
			}
			b.ReportMetric((processorTime(b)-began).Seconds()/float64(b.N), "cpu-s/op")
		})
	}
}

// The benchmark's world is planned as a small one, too, so that a mistake in it is found by plain `go test`.
func TestBenchmarkReleases(t *testing.T) {
	directory, world := manyReleases(t, 3)
	p := plan(t, directory, world)
	if len(p.Steps) != 3 || len(p.Remaining) != 0 || len(p.Refusals) != 0 {
		t.Errorf("%d steps, %v remain, refused for %v", len(p.Steps), p.Remaining, p.Refusals)
	}
}
