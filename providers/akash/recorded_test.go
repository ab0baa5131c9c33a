package akash_test

import (
	"context"
	"encoding/base64"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/fakeprovider"
	"upkeep/providers/akash"
	"upkeep/providers/akash/price"
	"upkeep/providers/facts"
)

var update = flag.Bool("update", false, "write the recorded facts and the pages of the findings anew")

// kubernetes is a cluster with two kinds of GPUs.
func kubernetes() facts.Kubernetes {
	node := func(name string, labels ...string) facts.KubernetesNode {
		n := facts.KubernetesNode{Name: name, Ready: true, Labels: map[string]string{"akash.network": "true"}}
		for _, label := range labels {
			n.Labels["akash.network/capabilities.gpu.vendor.nvidia.model."+label] = "1"
		}
		return n
	}
	return facts.Kubernetes{UID: "7c9c8d1e-0000-4000-8000-000000000001", Version: "v1.33.5", Nodes: []facts.KubernetesNode{
		node("cp1"), node("gpu1", "a100", "a100.ram.80Gi", "a100.interface.sxm"), node("gpu2", "t4", "t4.ram.16Gi", "t4.interface.pcie"),
	}}
}

func tenancies() facts.Tenancies {
	return facts.Tenancies{Leases: []facts.TenantLease{
		{Namespace: "5reb3l87s85t50v77sosktvdeeg6pfbnlboigoprqv3d4", Owner: "akash1h24fljt7p0nh82cq0za0uhsct3sfwsfu9w3c9h", DSeq: "8438017", GSeq: "1", OSeq: "1",
			Provider: "akash1nxq8gmsw2vlz3m68qvyvcf3kh6q269ajvqw6y0", Manifest: true,
			Pods: []facts.TenantPod{{Name: "web-0", Service: "web", Node: "gpu1", Phase: "Running", Ready: true, GPUs: 1}}},
	}}
}

// TestRecordedProvider keeps the recorded facts fresh: what a plan without a cluster is made from, in scripts and in
// the documentation.
func TestRecordedProvider(t *testing.T) {
	old := strings.ReplaceAll(fakeprovider.Script(price.Sept08), `TARGET_MEMORY="0.80"`, `TARGET_MEMORY="0.30"`)
	w := open(t, "6.0.4", map[string]any{
		"from": "akash1nxq8gmsw2vlz3m68qvyvcf3kh6q269ajvqw6y0", "key": "canary-key", "keysecret": "canary-pass", "domain": "example.net",
		"chainid": "akashnet-2", "attributes": []any{map[string]any{"key": "host", "value": "akash"}},
		"bidpricescript": base64.StdEncoding.EncodeToString([]byte(old)),
	})
	w.Kubernetes, w.Tenancies = kubernetes(), tenancies()
	s := spec(w, "6.0.5", map[string]string{"a100": "120", "t4": "80"})
	s.Targets = map[string]string{ // as fixtures/akash/provider.upkeep.hcl has them: prices are measured for these
		"price_target_cpu": "1.6", "price_target_memory": "0.3", "price_target_hd_ephemeral": "0.02", "price_target_hd_pers_hdd": "0.01",
		"price_target_hd_pers_ssd": "0.03", "price_target_hd_pers_nvme": "0.04", "price_target_endpoint": "0.05", "price_target_ip": "5",
	}
	s.Script = &akash.Script{File: "price_script_generic.sh", Text: fakeprovider.Script(price.Newest), ReplaceCustomised: true}
	world := w.World(context.Background(), s)
	release := world.Releases[facts.ReleaseKey(fakeprovider.Namespace, fakeprovider.Release)]
	release.Updated, release.History[0].Updated = clock.AddDate(-1, 0, 0), clock.AddDate(-1, 0, 0) // Helm asks the real clock
	data, err := facts.Encode(world)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"facts.json":              strings.ReplaceAll(string(data), w.Repository, "https://charts.example.net"),
		"price_script_generic.sh": fakeprovider.Script(price.Newest),
	}
	for name, want := range files {
		if strings.Contains(want, "canary") {
			t.Errorf("%s holds a secret", name)
		}
		path := filepath.Join("..", "..", "fixtures", "akash", name)
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
			t.Errorf("%s is stale; run go test ./providers/akash -run TestRecordedProvider -update\n%s", path, diff)
		}
	}
}
