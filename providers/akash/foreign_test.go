package akash_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/fakeprovider"
	"upkeep/planner"
	"upkeep/providers"
	"upkeep/providers/akash"
	"upkeep/providers/facts"
)

// recorded are the facts of a provider as they lie in fixtures/akash.
func recorded(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "fixtures", "akash", "facts.json"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// FuzzForeign gives the domain what others wrote: the values of a release, the variables that its pod prints, its
// ConfigMaps and the labels of nodes. Whatever they hold, it says the same twice, in words, with findings that are
// documented, and its plan survives its file; and it calls no pod right whose price is not the release's.
func FuzzForeign(f *testing.F) {
	world, err := facts.Decode(recorded(f))
	if err != nil {
		f.Fatal(err)
	}
	key := facts.ReleaseKey(fakeprovider.Namespace, fakeprovider.Release)
	seed, err := json.Marshal(world.Releases[key].Values)
	if err != nil {
		f.Fatal(err)
	}
	const label = "akash.network/capabilities.gpu.vendor.nvidia.model."
	f.Add(seed, "1.60", "a100=120,t4=80", label+"a100.ram.80Gi")
	f.Add([]byte(`{"price_target_cpu":1.6,"bidpricescript":"IyEvYmluL2Jhc2gK"}`), "1.6", "", label+"t4.interface.SXM4")
	f.Add([]byte(`{"price_target_cpu":0.00001,"price_target_gpu_mappings":{"a100":120},"bidpricescript":"%%%"}`), "1e-05", "a100=1, t4=08,*=3,", label)
	f.Add([]byte(`{"price_target_cpu":[],"price_target_memory":true,"bidpricescript":7,"whitelist_url":" "}`), "-", "=,==,a=b=c", label+".model.")
	f.Add([]byte(`{"price_target_cpu":null,"debug_bid_script":"false","values":{"a":{"b":[{"c":1e300}]}}}`), "", "\xff\x00", "akash.network/capabilities.gpu.vendor.")
	documented := map[string]bool{}
	for _, d := range akash.Type().Findings {
		documented[d.ID] = true
	}
	f.Fuzz(func(t *testing.T, values []byte, cpu, mappings, nodeLabel string) {
		var tree map[string]any
		if json.Unmarshal(values, &tree) != nil {
			return
		}
		world, err := facts.Decode(recorded(t))
		if err != nil {
			t.Fatal(err)
		}
		release := world.Releases[key]
		release.Values, release.Chart.Version = tree, "9.2.2"
		for i := range release.ConfigMaps {
			release.ConfigMaps[i].Data = map[string]string{"PRICE_TARGET_MEMORY": cpu, nodeLabel: mappings}
		}
		for i := range release.Workloads {
			for j := range release.Workloads[i].Pods {
				for k := range release.Workloads[i].Pods[j].Containers {
					c := &release.Workloads[i].Pods[j].Containers[k]
					c.LiveUnknown, c.Live = "", map[string]string{"PRICE_TARGET_CPU": cpu, "PRICE_TARGET_GPU_MAPPINGS": mappings, "AKASH_MONITOR_MAX_RETRIES": cpu, "AKASH_MONITOR_RETRY_PERIOD": mappings}
				}
			}
		}
		for i := range world.Kubernetes.Nodes {
			world.Kubernetes.Nodes[i].Labels = map[string]string{nodeLabel: cpu}
		}
		spec := akash.Spec{
			Name: "main", Release: fakeprovider.Release, Namespace: fakeprovider.Namespace, Archive: "a",
			Chart:   &akash.Chart{Source: facts.ChartSource{Repository: "https://charts.example.net", Name: "provider"}, Version: "9.2.2"},
			Targets: map[string]string{"price_target_cpu": "1.6"}, GPU: map[string]string{"a100": "120"}, MaxChange: "20",
		}
		request := planner.Request{Desired: fakeprovider.Desired(spec), World: world, Now: world.ObservedAt.Add(time.Minute)}
		p, err := planner.Build(request, types())
		if err != nil {
			t.Fatal(err)
		}
		again, err := planner.Build(request, types())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(p.Findings, again.Findings); diff != "" || p.Digest != again.Digest {
			t.Errorf("said twice: %s", diff)
		}
		stale := false
		for _, finding := range p.Findings {
			stale = stale || finding.ID == "POD_STALE"
			if finding.Summary == "" || finding.Address.Type == "akash_provider" && !documented[finding.ID] {
				t.Errorf("finding %+v", finding)
			}
		}
		if text, ok := tree["price_target_cpu"].(string); ok && !stale && text != cpu && strings.Trim(text+cpu, "0123456789.") != "" {
			t.Errorf("the release says %q, the pod has %q, and nothing is found", text, cpu)
		}
		guarded := providers.Step{ID: "x", Guards: []providers.Need{{Name: "leases"}}, Estimate: 3}
		if steps := spec.Guards()["leases"].Before(providers.Input{World: world, Now: request.Now}, []providers.Step{guarded}); len(steps) > 1 {
			t.Errorf("the guard begins with %+v", steps)
		}
	})
}
