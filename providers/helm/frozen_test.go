package helm

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage"
	"helm.sh/helm/v3/pkg/storage/driver"

	"upkeep/providers/helm/values"
)

// withDependencies are the files of a chart with two dependencies, of which one has another name, and one is turned
// off.
func withDependencies() []*chart.File {
	return []*chart.File{
		{Name: "Chart.yaml", Data: []byte("apiVersion: v2\nname: a\nversion: 1.0.0\ndependencies:\n- {name: b, version: 1.0.0, alias: other}\n- {name: c, version: 1.0.0, condition: c.enabled}\n")},
		{Name: "values.yaml", Data: []byte("word: no\nc: {enabled: false}\n")},
		{Name: "templates/_part.tpl", Data: []byte("{{- define \"part\" }}{{ randAlphaNum 40 }}{{ end }}")},
		{Name: "templates/a.yaml", Data: []byte("kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\ndata: {x: {{ include \"part\" . }}, y: {{ .Values.word }}}\n")},
		{Name: "templates/NOTES.txt", Data: []byte("Note {{ randAlphaNum 40 }} of {{ .Release.Name }}\n")},
		{Name: "charts/b/Chart.yaml", Data: []byte("apiVersion: v2\nname: b\nversion: 1.0.0\n")},
		{Name: "charts/b/templates/b.yaml", Data: []byte("kind: Secret\napiVersion: v1\nmetadata: {name: {{ .Chart.Name }}, annotations: {v: {{ genPrivateKey \"ed25519\" | b64enc }}}}\n")},
		{Name: "charts/c/Chart.yaml", Data: []byte("apiVersion: v2\nname: c\nversion: 1.0.0\n")},
		{Name: "charts/c/templates/c.yaml", Data: []byte("kind: Secret\n")},
	}
}

// renders renders a chart as Helm does in an upgrade, with some values.
func renders(t *testing.T, c *chart.Chart, full values.Tree) map[string]string {
	t.Helper()
	if err := chartutil.ProcessDependenciesWithMerge(c, full); err != nil {
		t.Fatal(err)
	}
	rendering, err := chartutil.ToRenderValues(c, full, chartutil.ReleaseOptions{Name: "shop", Revision: 7, IsUpgrade: true}, chartutil.DefaultCapabilities)
	if err != nil {
		t.Fatal(err)
	}
	texts, err := engine.Engine{}.Render(c, rendering)
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// TestHelmMakesWhatTheChildMade: the templates of this chart make another thing each time. What Helm makes of it in
// an upgrade is what was made within the bounds, and the record has the chart as Helm would have left it.
func TestHelmMakesWhatTheChildMade(t *testing.T) {
	o := orderOf(t, "templates/x.yaml", "")
	o.Chart, o.Files, o.Values, o.Texts = "a", withDependencies(), values.Tree{"word": "yes"}, true
	out, err := bounds{}.apart(t.Context(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := loadFiles(withDependencies())
	if err != nil {
		t.Fatal(err)
	}
	f, err := freeze(unpackedChart{Files: withDependencies(), Path: "a"}, o.Values, out.Texts)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(out.Texts, renders(t, f.chart, values.Tree{"word": "other"})); diff != "" || len(out.Texts) != 3 {
		t.Errorf("Helm makes another thing (-child +Helm):\n%s", diff)
	}
	again := renders(t, got, values.Clone(o.Values))
	if cmp.Equal(again, out.Texts) {
		t.Error("the chart makes the same each time, and this test shows nothing")
	}

	configuration := &action.Configuration{Releases: storage.Init(driver.NewMemory())}
	f.use(configuration)
	r := release.Mock(&release.MockReleaseOptions{Name: "shop", Chart: f.chart, Status: release.StatusPendingUpgrade})
	if err := configuration.Releases.Create(r); err != nil {
		t.Fatal(err)
	}
	r.Info.Status = release.StatusDeployed
	if err := configuration.Releases.Update(r); err != nil {
		t.Fatal(err)
	}
	recorded, err := configuration.Releases.Get("shop", r.Version)
	if err != nil {
		t.Fatal(err)
	}
	if r.Chart != f.chart || recorded.Info.Status != release.StatusDeployed {
		t.Errorf("the release has the chart %p and the record the status %s", r.Chart, recorded.Info.Status)
	}
	if diff := cmp.Diff(files(got), files(recorded.Chart)); diff != "" {
		t.Errorf("the record's chart (-want +got):\n%s", diff)
	}
}

// files are the templates and the values of a chart and of its dependencies, by their paths.
func files(c *chart.Chart) map[string]string {
	out := map[string]string{}
	for _, file := range c.Templates {
		out[c.ChartFullPath()+"/"+file.Name] = string(file.Data)
	}
	for _, dependency := range c.Dependencies() {
		for name, text := range files(dependency) {
			out[name] = text
		}
	}
	return out
}

// TestLiterals: whatever a template made is made once more, letter by letter.
func TestLiterals(t *testing.T) {
	for _, text := range []string{"", "a", "{{ fail \"x\" }}", "`", "a`b{{`}}", "\"\\\"", "\r\n\t", "}}{{", "{{- /* x */ -}}", "ü\u2028\x00\u0085\ufeff\U000e0041", "- a\n\n  \n", "no\xffUTF-8"} {
		made := &chart.Chart{Metadata: &chart.Metadata{Name: "a"}, Templates: []*chart.File{{Name: "templates/x", Data: literal(text)}}}
		if got := renders(t, made, values.Tree{})["a/templates/x"]; got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

// TestFirstInstallWithDefinitions: Helm makes the definitions of a chart before it renders. Templates see their kinds
// in the child, too, and Helm renders nothing but what the child made; the definitions stay in the chart.
func TestFirstInstallWithDefinitions(t *testing.T) {
	const crd = `# a chart's definitions
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: example.net
  names: {kind: Thing}
  versions: [{name: v1, served: true}, {name: v1alpha1, served: false}]
---
kind: CustomResourceDefinition
spec: {group: old.example.net, names: {kind: Old}, version: v1beta1}
`
	const template = `{{ range $x := list "example.net/v1" "example.net/v1/Thing" "example.net/v1alpha1" "old.example.net/v1beta1/Old" -}}
{{ $.Capabilities.APIVersions.Has $x }} {{ end }}{{ len (lookup "example.net/v1" "Thing" "a" "b") }} {{ randAlphaNum 40 }}`
	files := []*chart.File{
		{Name: "Chart.yaml", Data: []byte("apiVersion: v2\nname: a\nversion: 1.0.0\n")},
		{Name: "crds/a.yaml", Data: []byte(crd)},
		{Name: "templates/NOTES.txt", Data: []byte(template)},
	}
	asked := 0
	find := func(string, string, string, string) (map[string]any, error) {
		asked++
		return map[string]any{"a": 1, "b": 2}, nil
	}
	for name, test := range map[string]struct {
		install bool
		known   []string
		want    string
		asked   int
	}{
		"an install":                              {true, nil, "true true false true 0 ", 0},
		"an install beside older definitions":     {true, []string{"example.net/v1", "example.net/v1/Thing"}, "true true false true 2 ", 1},
		"an upgrade, in which Helm makes nothing": {false, nil, "false false false false 2 ", 1},
	} {
		t.Run(name, func(t *testing.T) {
			asked = 0
			capabilities := chartutil.DefaultCapabilities.Copy()
			capabilities.APIVersions = append(slices.Clone(capabilities.APIVersions), test.known...)
			before := len(capabilities.APIVersions)
			o := order{Chart: "a", Files: files, Texts: true, Lookup: true, Capabilities: capabilities,
				Options: chartutil.ReleaseOptions{Name: "a", Namespace: "a", IsInstall: test.install}}
			out, err := bounds{}.apart(t.Context(), o, find)
			if err != nil {
				t.Fatal(err)
			}
			text := out.Texts["a/templates/NOTES.txt"]
			if !strings.HasPrefix(text, test.want) || asked != test.asked || len(capabilities.APIVersions) != before {
				t.Errorf("%q after %d questions; want %q after %d", text, asked, test.want, test.asked)
			}
			f, err := freeze(unpackedChart{Files: files, Path: "a"}, values.Tree{}, out.Texts)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(out.Texts, renders(t, f.chart, values.Tree{})); diff != "" {
				t.Errorf("Helm makes another thing (-child +Helm):\n%s", diff)
			}
			if len(f.chart.CRDObjects()) != 1 || len(f.original.CRDObjects()) != 1 {
				t.Error("the definitions are gone")
			}
		})
	}
}
