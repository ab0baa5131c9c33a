package acceptance

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The provider of the lab, as the guide leaves one behind: chart 6.0.5, a script with its targets as literals.
const (
	providerNamespace = "akash-services"
	providerRelease   = "akash-provider"
	providerPod       = "akash-provider-0"
	providerImage     = "upkeep.test/env:1"

	// The wallet's key and its password, and a token that the configuration brings. They are to stand nowhere but in the
	// release and in the archive.
	walletKey     = "canary-wallet-key"
	walletSecret  = "canary-wallet-secret"
	providerToken = "canary-cloudflare-token"
)

// gpuLabels are what the inventory operator of a fleet with three models puts on nodes.
var gpuLabels = map[string][]string{
	"n1": {"akash.network/capabilities.gpu.vendor.nvidia.model.a100=8", "akash.network/capabilities.gpu.vendor.nvidia.model.a100.ram.80Gi=8"},
	"n2": {"akash.network/capabilities.gpu.vendor.nvidia.model.t4=4"},
	"n3": {"akash.network/capabilities.gpu.vendor.nvidia.model.h100=1"},
}

// testAkashProvider takes a provider from the guide's state through prices and an upgrade that is killed; outside the core
// also through what laterCharts does. Each time the running pod is asked for its environment: what it prints is what it
// prices with.
func testAkashProvider(t *testing.T, s *suite) {
	repository := s.serveCharts(t)
	s.provider(t, repository)
	d := providerDirectory{s.directory(t), repository}
	was := s.releaseValues(t)

	t.Run("the prices that the old script keeps", func(t *testing.T) {
		d.declare(t, "6.0.5", 1.60, 120)
		// Nobody published the script of the lab: what it charges is unknown until it is measured.
		text := strings.Join(strings.Fields(d.run(t, "price", "migrate").want(t, 1).stdout), " ")
		for _, words := range []string{"a100 = 80.5 h100 = 80.5 t4 = 80.5", "Prices before are unknown"} {
			if !strings.Contains(text, words) {
				t.Errorf("it does not say %q:\n%s", words, text)
			}
		}
	})
	t.Run("prices as the guide migrates them", func(t *testing.T) {
		d.declare(t, "6.0.5", 1.60, 120)
		// The plan is refused until a person says that these prices are meant: the running script does not bid.
		text := d.run(t, "plan", "-verbose", "-out=first.plan").want(t, 1).stdout
		for _, line := range []string{
			"price_target_gpu_mappings not set -> a100=120,h100=250.5,t4=80", "1 a100.80Gi: 8 threads, 32 GiB, 100 GiB from no bids to 42.991 (",
		} {
			if !strings.Contains(strings.Join(strings.Fields(text), " "), line) {
				t.Errorf("the plan does not say %q:\n%s", line, text)
			}
		}
		pod := s.podUID(t)
		d.run(t, "apply", "first.plan").want(t, 0)
		if s.podUID(t) == pod {
			t.Error("the pod is the one of before the upgrade")
		}
		s.prices(t, map[string]string{"PRICE_TARGET_CPU": "1.6", "PRICE_TARGET_MEMORY": "0.8", "PRICE_TARGET_GPU_MAPPINGS": "a100=120,h100=250.5,t4=80"})
		d.settled(t)
		d.kept(t, was)
	})
	t.Run("an upgrade killed", func(t *testing.T) {
		d.declare(t, "6.0.5", 1.70, 130)
		d.killedAt(t, "objects are ready", "apply", "-auto-approve")
		if status := s.releaseStatus(t); status != "pending-upgrade" {
			t.Fatalf("the release is %s after the kill, so this proves nothing", status)
		}
		p, _ := d.plan(t)
		if !p.has("RELEASE_PENDING") || !slices.Equal(p.operations(), []string{"akash.repair", "akash.archive", "akash.upgrade"}) {
			t.Errorf("findings %+v, steps %q", p.Upkeep.Findings, p.operations())
		}
		d.run(t, "apply", "-auto-approve").want(t, 0)
		s.prices(t, map[string]string{"PRICE_TARGET_CPU": "1.7", "PRICE_TARGET_GPU_MAPPINGS": "a100=130,h100=250.5,t4=80"})
		d.settled(t)
		d.kept(t, was)
	})
	version := "6.0.5"
	if everyPart(t) {
		version = "12.0.0"
		s.laterCharts(t, d, was)
	}
	t.Run("secrets", func(t *testing.T) {
		d.declare(t, version, 1.80, 145)
		d.run(t, "plan", "-json", "-out=last.plan").want(t, 0)
		if text := d.run(t, "plan", "-as-runbook").want(t, 0).stdout; !strings.Contains(text, providerRelease) {
			t.Errorf("the runbook does not name the release:\n%s", text)
		}
		d.run(t, "observe", "-json").want(t, 0)
		d.withoutSecrets(t)
	})
}

// laterCharts goes on with a chart that Kubernetes does not let in place, one that does not restart the provider when prices
// change, and a pod that somebody started with other prices. was are the release's values at the start.
func (s *suite) laterCharts(t *testing.T, d providerDirectory, was map[string]any) {
	t.Run("a chart that needs another StatefulSet", func(t *testing.T) {
		s.volume(t)
		d.declare(t, "12.0.0", 1.70, 130)
		p, _ := d.plan(t)
		if !slices.Equal(p.operations(), []string{"akash.archive", "akash.replace", "akash.upgrade"}) {
			t.Errorf("steps %q", p.operations())
		}
		d.run(t, "apply", "-auto-approve").want(t, 0)
		s.prices(t, map[string]string{"PRICE_TARGET_CPU": "1.7", "PRICE_TARGET_GPU_MAPPINGS": "a100=130,h100=250.5,t4=80"})
		if claims := s.kubectl(t, "get", "statefulset", providerRelease, "-o", "jsonpath={.spec.volumeClaimTemplates[*].metadata.name}"); claims != "home" {
			t.Errorf("the StatefulSet has the volume claims %q", claims)
		}
		d.settled(t)
	})
	t.Run("a chart that does not restart", func(t *testing.T) {
		d.declare(t, "12.0.0", 1.75, 140)
		pod := s.podUID(t)
		p, _ := d.plan(t)
		if !slices.Equal(p.operations(), []string{"akash.archive", "akash.upgrade", "akash.restart"}) {
			t.Errorf("steps %q", p.operations())
		}
		d.run(t, "apply", "-auto-approve").want(t, 0)
		if s.podUID(t) == pod {
			t.Error("the pod still runs with the prices of before")
		}
		s.prices(t, map[string]string{"PRICE_TARGET_CPU": "1.75", "PRICE_TARGET_GPU_MAPPINGS": "a100=140,h100=250.5,t4=80"})
		d.settled(t)
		d.kept(t, was)
	})
	t.Run("a pod that keeps old prices", func(t *testing.T) {
		// Somebody changes the ConfigMap back and restarts the pod: Helm's record is as declared, and what runs is not.
		patch := `{"data":{"PRICE_TARGET_CPU":"9"}}`
		s.kubectl(t, "patch", "configmap", providerRelease+"-pricing", "--type=merge", "-p", patch)
		s.kubectl(t, "delete", "pod", providerPod)
		s.prices(t, map[string]string{"PRICE_TARGET_CPU": "9"})
		s.kubectl(t, "wait", "--for=condition=Ready", "--timeout=1m", "pod/"+providerPod) // it answers before its node says so
		p, _ := d.plan(t)
		if !p.has("POD_STALE") || !p.has("RELEASE_DRIFT") {
			t.Errorf("findings %+v", p.Upkeep.Findings)
		}
		d.run(t, "apply", "-auto-approve").want(t, 0)
		s.prices(t, map[string]string{"PRICE_TARGET_CPU": "1.75"})
		d.settled(t)
	})
}

// serveCharts serves the project's own charts on loopback until the part ends, and returns the URL of their repository.
func (s *suite) serveCharts(t *testing.T) string {
	t.Helper()
	address := freeAddress(t)
	s.background(t, "charts", s.buildMain(t, "fixtures/chartrepo/serve"), "-listen", address)
	return "http://" + address
}

// provider installs a provider as the guide leaves it behind, on nodes with GPUs by their labels; the part's end removes all.
// more are further values of it.
func (s *suite) provider(t *testing.T, repository string, more ...map[string]any) {
	t.Helper()
	install := s.buildMain(t, "fixtures/chartrepo/install")
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		for _, args := range [][]string{{"delete", "namespace", providerNamespace, "--ignore-not-found"}, {"delete", "pv", "akash-home", "--ignore-not-found"}} {
			if _, err := s.kubectlIn(ctx, "", args...); err != nil {
				t.Error("cleaning up:", err)
			}
		}
		for node, labels := range gpuLabels {
			args := []string{"label", "node", node}
			for _, label := range labels {
				name, _, _ := strings.Cut(label, "=")
				args = append(args, name+"-")
			}
			if _, err := s.kubectlIn(ctx, "", args...); err != nil {
				t.Error("cleaning up:", err)
			}
		}
		if err := s.lab.RemoveImage(ctx, providerImage); err != nil {
			t.Error("cleaning up:", err)
		}
	})
	s.addProviderImage(t)
	for _, node := range slices.Sorted(maps.Keys(gpuLabels)) {
		s.kubectl(t, append([]string{"label", "node", node, "--overwrite"}, gpuLabels[node]...)...)
	}
	script := readFile(t, filepath.Join("..", "providers", "akash", "script", "testdata", "literal.sh"))
	reference, tag, _ := strings.Cut(providerImage, ":")
	tree := map[string]any{
		"from": "akash1provider", "key": base64Of(walletKey), "keysecret": base64Of(walletSecret),
		"domain": "example.net", "email": "ops@example.net", "withdrawalperiod": "12h",
		"attributes":     []any{map[string]any{"key": "host", "value": "akash"}, map[string]any{"key": "tier", "value": "community"}},
		"bidpricescript": base64Of(string(script)),
		"image":          map[string]any{"repository": reference, "tag": tag},
		"command":        []string{"provider-services", "run"},
		"tolerations":    []any{map[string]any{"operator": "Exists"}}, // the lab's nodes are control planes
	}
	for _, other := range more {
		maps.Copy(tree, other)
	}
	values, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "provider.yaml")
	if err := os.WriteFile(file, values, 0o600); err != nil {
		t.Fatal(err)
	}
	s.run(t, install, "-kubeconfig", s.kubeconfig, "-repository", repository, "-version", "6.0.5", "-namespace", providerNamespace, "-release", providerRelease, "-values", file)
}

// volume makes a volume that the provider's claim can have: the lab has nothing that makes one.
func (s *suite) volume(t *testing.T) {
	t.Helper()
	manifest := filepath.Join(t.TempDir(), "volume.json")
	text := `{"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "akash-home"}, "spec": {"capacity": {"storage": "10Gi"},
"accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/tmp/akash-home", "type": "DirectoryOrCreate"}}}`
	if err := os.WriteFile(manifest, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.kubectl(t, "apply", "-f", manifest)
}

// providerDirectory is a configuration directory with one akash_provider.
type providerDirectory struct {
	directory
	repository string
}

// directory makes an empty configuration directory with a script in it.
func (s *suite) directory(t *testing.T) directory {
	t.Helper()
	d := directory{s: s, path: t.TempDir(), measure: true}
	script := readFile(t, filepath.Join("..", "providers", "akash", "script", "testdata", "mapped.sh"))
	if err := os.WriteFile(filepath.Join(d.path, "price_script.sh"), script, 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d providerDirectory) declare(t *testing.T, version string, cpu, a100 float64) {
	t.Helper()
	text := fmt.Sprintf(`cluster {
  kubeconfig = %q
}

variable "token" {
  type      = string
  sensitive = true
  default   = %q
}

akash_provider "main" {
  window = "always"
  without    = { backup = "prices and charts are what is tested here" }
  chart {
    repository = %q
    version    = %q
  }
  bid_script {
    file               = "price_script.sh"
    replace_customised = true
  }
  values = { letsEncrypt = { providers = { cloudflare = { apiToken = var.token } } } }
  price_targets {
    cpu    = %g
    memory = 0.80
    gpu    = { a100 = %g, h100 = 250.5, t4 = 80 }
    max_change = "400%%"
  }
}
`, d.s.kubeconfig, providerToken, d.repository, version, cpu, a100)
	if err := os.WriteFile(filepath.Join(d.path, "provider.upkeep.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// peculiar are findings of the lab's own provider: nobody published its script, and its image is its own.
var peculiar = []string{"BID_SCRIPT_CUSTOMISED", "CHART_IMAGE_OVERRIDDEN"}

// settled wants a plan that has nothing to do and finds nothing wrong but what is peculiar to the lab. Notes say that there are
// newer charts.
func (d providerDirectory) settled(t *testing.T) {
	t.Helper()
	d.measure = false // what is as declared needs no price, and each measurement takes most of a minute
	p, r := d.plan(t)
	if len(p.Upkeep.Steps) > 0 || !p.Complete {
		t.Errorf("complete %v, steps %q\n%s", p.Complete, p.operations(), r.stdout)
	}
	for _, f := range p.Upkeep.Findings {
		if f.Severity != "note" && !slices.Contains(peculiar, f.ID) {
			t.Errorf("left: %+v", f)
		}
	}
}

// kept wants that the release has every value that it had, but for what the configuration brings.
func (d providerDirectory) kept(t *testing.T, was map[string]any) {
	t.Helper()
	is := d.s.releaseValues(t)
	if token, _ := is["letsEncrypt"].(map[string]any)["providers"].(map[string]any)["cloudflare"].(map[string]any)["apiToken"].(string); token != providerToken {
		t.Error("the token did not reach the release")
	}
	for name := range is {
		if strings.HasPrefix(name, "price_target_") || name == "letsEncrypt" {
			delete(is, name)
		}
	}
	is["bidpricescript"] = was["bidpricescript"]
	if diff := cmp.Diff(was, is); diff != "" {
		t.Errorf("values that the configuration does not mention (-before +after):\n%s", diff)
	}
}

// withoutSecrets looks for the canaries in everything that upkeep wrote: its directory without the archive, which is meant to
// have them, and without the operator's own file, and all that it said.
func (d providerDirectory) withoutSecrets(t *testing.T) {
	t.Helper()
	read, archived := 0, 0
	for _, root := range []string{d.path, d.s.logs} {
		err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() || entry.Name() == "provider.upkeep.hcl" {
				return err
			}
			text := string(readFile(t, path))
			if strings.HasPrefix(path, filepath.Join(d.path, "akash-archive")) {
				if strings.Contains(text, base64Of(walletKey)) {
					archived++
				}
				info, err := entry.Info()
				if err == nil && info.Mode().Perm()&0o077 != 0 {
					t.Errorf("%s can be read by others: %s", path, info.Mode())
				}
				return err
			}
			read++
			for _, secret := range []string{walletKey, walletSecret, providerToken} {
				for _, form := range []string{secret, base64Of(secret), base64Of(base64Of(secret))} {
					if strings.Contains(text, form) {
						t.Errorf("%s holds the secret %q", path, secret)
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if read < 20 || archived == 0 {
		t.Errorf("%d files read, %d archives with the wallet's key", read, archived)
	}
}

// operations lists the operations of the plan's steps.
func (p plan) operations() []string {
	var all []string
	for _, step := range p.Upkeep.Steps {
		all = append(all, step.Operation)
	}
	return all
}
