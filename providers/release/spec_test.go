package release_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"upkeep/config"
	"upkeep/planner/apply"
	"upkeep/providers/facts"
	"upkeep/providers/helm/values"
	"upkeep/providers/release"
)

// read reads one block.
func read(t *testing.T, text string) (release.Spec, []string) {
	t.Helper()
	directory := t.TempDir()
	if err := os.WriteFile(filepath.Join(directory, "a.upkeep.hcl"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	desired, _, diags := config.Load(directory, config.Options{Types: []config.BlockType{release.Type().BlockType}, Variables: nil, Environ: []string{"UPKEEP_VAR_secret=canary-secret"}})
	var said []string
	for _, d := range diags {
		said = append(said, d.Subject.String()[strings.LastIndex(d.Subject.String(), "/")+1:]+" "+d.Summary+": "+d.Detail)
	}
	if diags.HasErrors() {
		return release.Spec{}, said
	}
	return desired.Resources[0].Value.(release.Spec), said
}

const secretVariable = "variable \"secret\" {\n  type      = string\n  sensitive = true\n}\n\n"

func TestBlock(t *testing.T) {
	spec, said := read(t, secretVariable+`helm_release "a" {
  release   = "nvdp"
  namespace = "gpu"
  chart {
    oci     = "oci://registry.example.net/charts/"
    name    = "plugin"
    version = "~0.16"
  }
  timeout = "10m"
  wait    = false
  values = {
    image       = { tag = "1", none = null }
    replicas    = 2
    plain       = ["a", "b"]
    pull        = [{ name = "a", token = "t0ken-of-pull" }]
    tokenTTL    = "5m"
    enableToken = true
    auth        = { user = "ops", key = var.secret }
    args        = ["--key", var.secret]
  }
}
`)
	want := release.Spec{
		Name: "a", Release: "nvdp", Namespace: "gpu", Timeout: config.Duration(600e9),
		Chart: release.Chart{Source: facts.ChartSource{Repository: "oci://registry.example.net/charts", Name: "plugin"}, Version: "~0.16"},
		Wanted: values.Wanted{
			Values: map[string]any{
				"image": map[string]any{"tag": "1", "none": nil}, "replicas": 2.0, "plain": []any{"a", "b"}, "enableToken": true, "auth": map[string]any{"user": "ops"},
			},
			Sealed: map[string]string{"pull": "", "tokenTTL": "", "auth.key": "", "args": ""},
		},
	}
	if diff := cmp.Diff(want, spec, cmpopts.IgnoreUnexported(values.Wanted{}), cmpopts.IgnoreFields(release.Spec{}, "Position", "At")); diff != "" || len(said) > 0 {
		t.Errorf("block (-want +got):\n%s%v", diff, said)
	}
}

func TestBlockIsRefused(t *testing.T) {
	block := func(chart, rest string) string {
		return "helm_release \"a\" {\n  release   = \"nvdp\"\n  namespace = \"gpu\"\n  chart {\n" + chart + "\n  }\n" + rest + "}\n"
	}
	const good = `    path = "charts/a"`
	tests := []struct{ name, text, want string }{
		{"a version that is known to be bad", block("repository = \"https://charts.example.net\"\nname = \"nvidia-device-plugin\"\nversion = \"v0.16.1\"", ""), "a.upkeep.hcl:7,11-20 Known to be bad: Version 0.16.1 of nvidia-device-plugin"},
		{"a digest that a variable did not bring", block("repository = \"https://charts.example.net\"\nname = \"a\"\nversion = \"1.0.0\"\nsha256 = \"\"", ""), "a.upkeep.hcl:8,10-12 Empty text: \"sha256\" is empty"},
		{"a source that is empty beside another", block("path = \"a\"\nrepository = \"\"", ""), "Empty text: \"repository\" is empty"},
		{"no host", block("repository = \"https:///charts\"\nname = \"a\"\nversion = \"1.0.0\"", ""), "names no host"},
		{"a password in a URL", block("repository = \"https://ops:secret@charts.example.net\"\nname = \"a\"\nversion = \"1.0.0\"", ""), "Credentials in a URL"},
		{"insecure where there is TLS", block("repository = \"https://charts.example.net\"\nname = \"a\"\nversion = \"1.0.0\"\ninsecure = true", ""), "Nothing to allow"},
		{"insecure of a path", block("path = \"a\"\ninsecure = true", ""), "Nothing to allow"},
		{"no source", block("name = \"a\"\nversion = \"1.0.0\"", ""), "A chart has one source"},
		{"two sources", block("path = \"a\"\noci = \"oci://a\"", ""), "A chart has one source"},
		{"no version", block("repository = \"https://charts.example.net\"\nname = \"a\"", ""), "Write the exact version"},
		{"no constraint", block("repository = \"https://charts.example.net\"\nname = \"a\"\nversion = \"newest\"", ""), `"newest" is neither a version nor a constraint`},
		{"no name", block("repository = \"https://charts.example.net\"\nversion = \"1.0.0\"", ""), "write name"},
		{"a name too many", block("path = \"a\"\nname = \"a\"", ""), "Remove name"},
		{"a registry as a repository", block("repository = \"oci://a/b\"\nname = \"a\"\nversion = \"1.0.0\"", ""), "a registry is written oci"},
		{"a repository as a registry", block("oci = \"https://a/b\"\nname = \"a\"\nversion = \"1.0.0\"", ""), "write oci://HOST/PATH"},
		{"values that are no object", block(good, "values = \"a\"\n"), "values takes an object"},
		{"an atomic upgrade that waits for nothing", block(good, "wait = false\natomic = true\n"), "Set wait = true, or atomic = false"},
		{"a timeout that is none", block(good, "timeout = \"1s\"\n"), "write a duration from 10s to 2h"},
		{"a name that is none", strings.Replace(block(good, ""), `"nvdp"`, `"NV DP"`, 1), "is no name of a release"},
		{"a namespace that is none", strings.Replace(block(good, ""), `"gpu"`, `"g.pu"`, 1), "is no name of a namespace"},
		{"a number with an exponent", block(good, "values = { bytes = 1000000000000000000000000 }\n"), "Many charts write bytes as 1e+24"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, said := read(t, test.text)
			if !strings.Contains(strings.Join(said, "\n"), test.want) {
				t.Errorf("want %q in:\n%s", test.want, strings.Join(said, "\n"))
			}
		})
	}
}

// TestSecretsAreSeenToChangeAndNeverSeen: with secrets in every place, a plan and its facts hold none, the second plan
// has nothing to do, and another secret is another upgrade.
func TestSecretsAreSeenToChangeAndNeverSeen(t *testing.T) {
	w := open(t)
	text := func(secret string) string {
		return secretVariable + `helm_release "device_plugin" {
  release          = "nvdp"
  namespace        = "nvidia-device-plugin"
  create_namespace = true
  without          = { backup = "a test" }
  chart {
    repository = "` + w.repository + `"
    name       = "nvidia-device-plugin"
    version    = "0.16.2"
  }
  values = {
    command      = ["plugin", "--key", "` + secret + `", var.secret]
    nodeSelector = { token = "` + secret + `", enabled = "` + secret + `" }
    credentials  = { user = "` + secret + `", list = ["` + secret + `"], on = true, none = "" }
    more         = [{ password = "` + secret + `" }, [{ api_key = "` + secret + `" }]]
  }
}
`
	}
	sealed := func(secret string) release.Spec {
		declared, said := read(t, strings.Replace(text(secret), `enabled = "`+secret+`"`, `enabled = "yes"`, 1))
		if len(said) > 0 {
			t.Fatal(said)
		}
		s, err := declared.Seal(declared, mac)
		if err != nil {
			t.Fatal(err)
		}
		return s.(release.Spec)
	}
	for i, secret := range []string{"canary-one", "canary-two"} {
		s := sealed(secret)
		p := w.plan(t, s)
		if got := operationsOf(p); len(got) != 1 || len(ids(p.Remaining)) > 0 {
			t.Fatalf("%s: steps %v, remaining %v", secret, got, ids(p.Remaining))
		}
		data, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), "canary") {
			at := strings.Index(string(data), "canary")
			t.Errorf("the plan holds a secret: ...%s...", data[max(0, at-200):at+20])
		}
		for _, command := range release.Type().Effects[p.Steps[0].Operation].ByHand(inputOf(p), p.Steps[0]) {
			if strings.Contains(command.Run, "canary") {
				t.Errorf("the runbook holds a secret: %s", command.Run)
			}
		}
		if result := w.execute(t, p, s); result.Outcome != apply.Complete {
			t.Fatalf("%+v", result.Steps)
		}
		kept, revision := w.values(t)
		if revision != i+1 || !cmp.Equal(kept["command"], []any{"plugin", "--key", secret, "canary-secret"}) {
			t.Errorf("revision %d has the command %v", revision, kept["command"])
		}
		if again := w.plan(t, s); len(again.Steps) > 0 || len(ids(again.Findings)) > 0 {
			t.Errorf("a second plan has %v and %v", operationsOf(again), ids(again.Findings))
		}
	}
}

// TestSecretThatChangedSinceThePlan is not used.
func TestSecretThatChangedSinceThePlan(t *testing.T) {
	w := open(t)
	block := func(secret string) release.Spec {
		s, said := read(t, `helm_release "device_plugin" {
  release          = "nvdp"
  namespace        = "nvidia-device-plugin"
  create_namespace = true
  chart {
    repository = "`+w.repository+`"
    name       = "nvidia-device-plugin"
    version    = "0.16.2"
  }
  values = { token = "`+secret+`" }
}
`)
		if len(said) > 0 {
			t.Fatal(said)
		}
		return s
	}
	one, two := block("canary-one"), block("canary-two")
	planned, err := one.Seal(one, mac)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := planned.(release.Spec).Seal(two, mac); err == nil || !strings.Contains(err.Error(), "token is another one") {
		t.Errorf("another secret: %v", err)
	}
	other, err := two.Seal(two, mac)
	if err != nil {
		t.Fatal(err)
	}
	result := w.execute(t, w.plan(t, planned.(release.Spec)), other.(release.Spec))
	if last := result.Steps[0]; last.Outcome != apply.Failed || !strings.Contains(last.Why, "token is another one than when the plan was made") {
		t.Errorf("the install ended %s: %s", last.Outcome, last.Why)
	}
}

// TestKeysOfASensitiveMapStayOut: what is sensitive as a whole is one secret: no key of it stands in a plan.
func TestKeysOfASensitiveMapStayOut(t *testing.T) {
	for name, expression := range map[string]string{
		"a key":         `{ (var.secret) = "x" }`,
		"a made map":    `{ for k in [var.secret] : k => "x" }`,
		"a parsed text": `jsondecode("{\"${var.secret}\": 1}")`,
		"merged":        `merge({ a = 1 }, { (var.secret) = "x" })`,
		"a zipped one":  `zipmap([var.secret], ["x"])`,
	} {
		t.Run(name, func(t *testing.T) {
			spec, said := read(t, secretVariable+"helm_release \"a\" {\n  release   = \"nvdp\"\n  namespace = \"gpu\"\n  chart {\n    path = \"charts/a\"\n  }\n"+
				"  values = {\n    users = "+expression+"\n  }\n}\n")
			text, err := json.Marshal(spec)
			if err != nil || len(said) > 0 || strings.Contains(string(text), "canary") {
				t.Fatalf("%s %v %v", text, err, said)
			}
			if diff := cmp.Diff([]string{"users"}, spec.SecretMaps()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			question := spec.Needs().Helm.Releases[0]
			if diff := cmp.Diff([]string{"users"}, question.Offer.Remove); diff != "" || strings.Contains(strings.Join(question.Keys, " "), "canary") {
				t.Errorf("(-want +got):\n%s%q", diff, question.Keys)
			}
		})
	}
}
