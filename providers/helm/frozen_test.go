package helm

import (
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
	f, err := freeze(got, o.Values, out.Texts, false)
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

// TestFirstInstallWithDefinitions: the templates may ask for definitions that Helm makes first, so Helm renders
// them.
func TestFirstInstallWithDefinitions(t *testing.T) {
	got, err := loadFiles(append(withDependencies(), &chart.File{Name: "crds/a.yaml", Data: []byte("kind: CustomResourceDefinition\n")}))
	if err != nil {
		t.Fatal(err)
	}
	if f, err := freeze(got, values.Tree{}, nil, true); err != nil || f.chart != got || f.original != got {
		t.Errorf("%+v, %v", f, err)
	}
	if f, err := freeze(got, values.Tree{}, nil, false); err != nil || f.chart == got {
		t.Errorf("an upgrade: %+v, %v", f, err)
	}
}
