package akash_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"upkeep/config"
	"upkeep/fixtures/notscripts"
	"upkeep/providers/akash"
	"upkeep/providers/facts"
	"upkeep/providers/helm/values"
)

// load reads one block, with a script beside it.
func load(t *testing.T, body string) (akash.Spec, []string) {
	t.Helper()
	directory := t.TempDir()
	text := "variable \"secret\" {\n  type = string\n  sensitive = true\n}\nakash_provider \"main\" {\n" + body + "\n}\n"
	for name, data := range map[string]string{"a.upkeep.hcl": text, "script.sh": notscripts.Good} {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	desired, _, diags := config.Load(directory, config.Options{Types: []config.BlockType{akash.Type().BlockType}, Environ: []string{"UPKEEP_VAR_secret=canary-secret"}})
	var out []string
	for _, d := range diags {
		out = append(out, d.Summary+": "+d.Detail)
		if d.Subject == nil || d.Subject.Start.Line < 5 {
			t.Errorf("%s points nowhere in the block", d.Summary)
		}
	}
	if len(desired.Resources) == 0 {
		return akash.Spec{}, out
	}
	return desired.Resources[0].Value.(akash.Spec), out
}

const chart = "chart {\n  repository = \"https://charts.example.net\"\n  version = \"6.0.5\"\n}\n"

func TestDecode(t *testing.T) {
	got, diags := load(t, strings.Replace(chart, "6.0.5", "19.0.2", 1)+`
  bid_script {
    file = "script.sh"
  }
  price_targets {
    cpu = 1.60
    endpoint = 0
    memory = 0.00001
    hd_ephemeral = 1000000
    gpu = { a100 = 120, "a100.80Gi" = 1000.50, t4 = 80 }
    max_change = "20%"
  }
  timeout = "20m"
  values = {
    domain = "example.net"
    keysecret = "canary-that-nobody-marked"
    letsEncrypt = { providers = { cloudflare = { apiToken = var.secret, enabled = true } } }
  }`)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	want := akash.Spec{
		Name: "main", Release: "akash-provider", Namespace: "akash-services", Archive: "akash-archive", MaxChange: "20", Timeout: config.Duration(20 * time.Minute),
		Chart:   &akash.Chart{Source: facts.ChartSource{Repository: "https://charts.example.net", Name: "provider"}, Version: "19.0.2"},
		Script:  &akash.Script{File: "script.sh", Text: notscripts.Good, SHA256: "3e071ae509c184b3d3b773c06df8770955c180e1a5b6e64e6be1e72df983d20a"},
		Targets: map[string]string{"price_target_cpu": "1.6", "price_target_endpoint": "0", "price_target_memory": "0.00001", "price_target_hd_ephemeral": "1000000"},
		GPU:     map[string]string{"a100": "120", "a100.80Gi": "1000.5", "t4": "80"},
		Wanted: values.Wanted{
			Values: map[string]any{"domain": "example.net", "letsEncrypt": map[string]any{"providers": map[string]any{"cloudflare": map[string]any{"enabled": true}}}},
			// keysecret is a secret whatever the operator calls it.
			Sealed: map[string]string{"letsEncrypt.providers.cloudflare.apiToken": "", "keysecret": ""},
		},
	}
	want.Script.SHA256 = got.Script.SHA256
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(values.Wanted{}), cmpopts.IgnoreFields(akash.Spec{}, "Position", "At")); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
	if at := got.At["price_targets.gpu"].String(); at != "a.upkeep.hcl:19" {
		t.Errorf("gpu stands at %s", at)
	}
	data, err := json.Marshal(got)
	if err != nil || strings.Contains(string(data), "canary") {
		t.Errorf("as JSON it is %s, %v", data, err)
	}
	back, err := akash.Type().Restore(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, back, cmpopts.IgnoreUnexported(values.Wanted{})); diff != "" {
		t.Errorf("after JSON (-want +got):\n%s", diff)
	}
	sealed, err := back.(akash.Spec).Seal(got, func(secret []byte) string { return "mac-of-" + string(rune('0'+len(secret)%10)) })
	if err != nil {
		t.Fatal(err)
	}
	if got := sealed.(akash.Spec).Sealed["letsEncrypt.providers.cloudflare.apiToken"]; !strings.HasPrefix(got, "hmac:mac-of-") {
		t.Errorf("the secret is sealed as %q", got)
	}
	if _, err := sealed.(akash.Spec).Seal(got, func([]byte) string { return "another" }); err == nil {
		t.Error("a secret that is another one was taken")
	}
	if _, err := sealed.(akash.Spec).Seal(akash.Spec{}, func([]byte) string { return "" }); err == nil {
		t.Error("a secret that is gone was taken")
	}
}

func TestDecodeRefuses(t *testing.T) {
	prices := func(text string) string { return chart + "price_targets {\n" + text + "\n}" }
	tests := []struct{ name, body, want string }{
		{"no chart", "price_targets {\n  cpu = 1\n}", "No chart"},
		{"an open version", "chart {\n  repository = \"https://a\"\n  version = \">= 6\"\n}", "Not an exact version"},
		{"two sources", "chart {\n  repository = \"https://a\"\n  path = \"b\"\n  version = \"6.0.5\"\n}", "one source"},
		{"a negative price", prices("cpu = -1"), "Negative price"},
		{"a third", prices("cpu = 1 / 3"), "Not a decimal"},
		{"an upper-case model", prices("gpu = { T4 = 80 }"), `Did you mean "t4"`},
		{"an interface of the node", prices(`gpu = { "a100.80Gi.sxm4" = 80 }`), `Did you mean "a100.80Gi.sxm"`},
		{"a space", prices(`gpu = { " t4" = 80 }`), `Did you mean "t4"`},
		{"no catch-all", prices(`gpu = { "*" = 130 }`), "No catch-all"},
		{"a free GPU", prices(`gpu = { t4 = 0 }`), "GPUs for nothing"},
		{"a limit that a variable did not bring", prices(`max_change = ""`), `Empty text: "max_change" is empty`},
		{"no model at all", prices("gpu = {}"), "No models"},
		{"a namespace with a point", "namespace = \"a.b\"", "Invalid name"},
		{"a repository that a variable did not bring", "chart {\n  repository = \"\"\n  version = \"6.0.5\"\n}", `Empty text: "repository" is empty`},
		{"a password in a URL", "chart {\n  repository = \"https://a:b@c\"\n  version = \"6.0.5\"\n}", "Credentials in a URL"},
		{"a registry without a host", "chart {\n  oci = \"oci://\"\n  version = \"6.0.5\"\n}", "names no host"},
		{"insecure where there is TLS", "chart {\n  version = \"6.0.5\"\n  insecure = true\n}", "Nothing to allow"},
		{"no percentage", prices(`max_change = "much"`), "Invalid percentage"},
		{"a URL without a digest", chart + "bid_script {\n  url = \"https://a/b\"\n}", "No digest"},
		{"a URL in the clear", chart + "bid_script {\n  url = \"http://a/b\"\n  sha256 = \"" + strings.Repeat("0", 64) + "\"\n}", "not https"},
		{"another digest", chart + "bid_script {\n  file = \"script.sh\"\n  sha256 = \"" + strings.Repeat("0", 64) + "\"\n}", "has the SHA-256"},
		{"no file", chart + "bid_script {\n  file = \"nowhere.sh\"\n}", "no such file"},
		{"a price among the values", chart + "values = { price_target_cpu = 1 }", "price_targets.cpu"},
		{"a script among the values", chart + "values = { bidpricescript = var.secret }", "bid_script"},
		{"an exponent", chart + "values = { big = 1000000 }", "1e+06"},
		{"debug", chart + "values = { debug_bid_script = true }", "No more bids"},
		{"no certificate", chart + "values = { letsEncrypt = { enabled = false } }", "A chart that does not install"},
		{"too little to overcommit", chart + "values = { overcommit_pct_cpu = 50 }", "No overcommitment"},
		{"withdrawals too often", chart + "values = { withdrawalperiod = \"5m\" }", "A provider that does not start"},
		{"values that are no object", chart + "values = \"a\"", "Object expected"},
		{"a release with a slash", "release = \"a/b\"", "Invalid name"},
		{"no time to wait", "timeout = \"1s\"", "write a duration from 10s to 2h"},
		{"an empty domain", "domain = \"\"", "Invalid domain"},
		{"a domain with a scheme", "domain = \"https://example.com\"", "Invalid domain"},
		{"a domain with a port", "domain = \"example.com:8443\"", "Invalid domain"},
		{"an address", "domain = \"10.0.0.1\"", "Invalid domain"},
		{"one label", "domain = \"example\"", "Invalid domain"},
		{"the provider's host", "domain = \"provider.example.com\"", "Invalid domain"},
		{"a blank within", "domain = \"example .com\"", "Invalid domain"},
		{"no duration", "timeout = \"soon\"", "Invalid duration"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, diags := load(t, test.body)
			text := strings.Join(diags, "\n")
			if !strings.Contains(text, test.want) {
				t.Errorf("diagnostics %q, want %q", text, test.want)
			}
			if strings.Contains(text, "canary") {
				t.Errorf("a secret stands in %q", text)
			}
		})
	}
}

// Each bad item of a mapping and of the values is shown at its own place, all of them at once.
func TestEachItemHasItsPlace(t *testing.T) {
	directory := t.TempDir()
	text := "akash_provider \"main\" {\n" + chart + `price_targets {
  gpu = {
    t4   = 80
    "T5" = 80
    "*"  = 50
    v100 = -1
    "a b" = 7
  }
}
values = {
  price_target_cpu = 1
  letsEncrypt = {
    enabled = false
  }
}
}
`
	if err := os.WriteFile(filepath.Join(directory, "a.upkeep.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, diags := config.Load(directory, config.Options{Types: []config.BlockType{akash.Type().BlockType}})
	got := map[int]string{}
	for _, d := range diags {
		got[d.Subject.Start.Line] += d.Summary
	}
	want := map[int]string{9: "Invalid model", 10: "No catch-all", 11: "Negative price", 12: "Invalid model", 16: "An argument of its own", 17: "A value that the chart does not read", 18: "A chart that does not install"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("by line (-want +got)\n%s", diff)
	}
}

// TestDefinitions: what may stand in the block crds.
func TestDefinitions(t *testing.T) {
	const good = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: manifests.akash.network}\n" +
		"spec:\n  group: akash.network\n  scope: Namespaced\n  names: {kind: Manifest, plural: manifests}\n  versions: [{name: v1, served: true, storage: true}]\n"
	tests := []struct {
		name, file, block, want string
	}{
		{"a file", good, `tag = "v0.12.0"
file = "crd.yaml"`, ""},
		{"a URL", "", `tag = "v0.12.0"
url = "https://example.net/crd.yaml"
sha256 = "` + strings.Repeat("a", 64) + `"`, ""},
		{"a URL without a digest", "", `tag = "v0.12.0"
url = "https://example.net/crd.yaml"`, "No digest"},
		{"in the clear", "", `tag = "v0.12.0"
url = "http://example.net/crd.yaml"`, "is not https"},
		{"no source", "", `tag = "v0.12.0"`, "Write one source of the definitions"},
		{"no tag", good, `tag = "0.12"
file = "crd.yaml"`, "Invalid tag"},
		{"another digest", good, `tag = "v0.12.0"
file = "crd.yaml"
sha256 = "` + strings.Repeat("a", 64) + `"`, "Read the definitions, then write the digest that was found"},
		{"no definition", "apiVersion: v1\nkind: Secret\n", `tag = "v0.12.0"
file = "crd.yaml"`, "it is a v1 Secret"},
		{"somebody else's definition", strings.ReplaceAll(good, "akash.network", "example.net"), `tag = "v0.12.0"
file = "crd.yaml"`, "is not of akash.network"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			directory := t.TempDir()
			write := func(name, text string) {
				if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if test.file != "" {
				write("crd.yaml", test.file)
			}
			write("a.upkeep.hcl", "akash_provider \"main\" {\n  crds {\n"+test.block+"\n  }\n}\n")
			desired, _, diags := config.Load(directory, config.Options{Types: []config.BlockType{akash.Type().BlockType}})
			if test.want == "" {
				if len(diags) > 0 {
					t.Fatal(diags)
				}
				s := desired.Resources[0].Value.(akash.Spec)
				if s.Definitions == nil || s.Definitions.Tag != "v0.12.0" || s.Definitions.Text != test.file || len(s.Definitions.SHA256) != 64 {
					t.Errorf("%+v", s.Definitions)
				}
				return
			}
			if !strings.Contains(diags.Error(), test.want) {
				t.Errorf("%v, want %q", diags, test.want)
			}
		})
	}
}
