package release_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/facts"
)

var update = flag.Bool("update", false, "write the recorded facts anew")

// TestRecordedReleases keeps the recorded facts fresh: what a plan without a cluster is made from, in scripts and in
// the documentation.
func TestRecordedReleases(t *testing.T) {
	w := open(t)
	w.install(t, "0.16.0", map[string]any{
		"runtimeClassName": "nvidia", "deviceListStrategy": "envvar", "nodeSelector": map[string]any{"allow-nvdp": "true"}, "registryToken": "canary-token",
	})
	plugin := w.spec(">= 0.15, < 0.17", map[string]any{"deviceListStrategy": "volume-mounts", "registryToken": "canary-token"})
	absent := w.spec("0.15.0", map[string]any{"deviceListStrategy": "envvar"})
	absent.Name, absent.Release = "old_plugin", "nvdp-old"
	world := w.observe(t, plugin, absent)
	release := world.Releases[facts.ReleaseKey(namespace, name)]
	release.Updated, release.History[0].Updated = clock.AddDate(-1, 0, 0), clock.AddDate(-1, 0, 0) // Helm asks the real clock
	data, err := facts.Encode(world)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), "canary") {
		t.Error("the facts hold a secret")
	}
	want := strings.ReplaceAll(string(data), w.repository, "https://charts.example.net")
	path := filepath.Join("..", "..", "fixtures", "release", "facts.json")
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s is stale; run go test ./providers/release -run TestRecordedReleases -update\n%s", path, diff)
	}
}
