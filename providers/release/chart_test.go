package release_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/charts"
	"upkeep/planner/apply"
	"upkeep/providers/facts"
	"upkeep/providers/release"
)

// plugin writes the plugin's chart into a directory, with a version.
func plugin(t *testing.T, directory, version string) {
	t.Helper()
	files, err := fs.Sub(charts.Files(), "device-plugin")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(directory); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(directory, files); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(directory, "Chart.yaml")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(strings.Replace(string(data), "version: 0.0.0", "version: "+version, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestChartAtAPath: what stands at a path is what runs, unless it is known to be bad or somebody changes it meanwhile.
func TestChartAtAPath(t *testing.T) {
	w := open(t)
	s := w.spec("", nil)
	s.Chart = release.Chart{Source: facts.ChartSource{Path: filepath.Join(t.TempDir(), "plugin")}}
	for _, version := range []string{"0.15.0", "0.17.0"} {
		plugin(t, s.Chart.Source.Path, version)
		p := w.plan(t, s)
		if len(p.Steps) != 1 || len(p.Remaining) > 0 {
			t.Fatalf("%s: steps %v, remaining %+v", version, operationsOf(p), p.Remaining)
		}
		if result := w.execute(t, p, s); result.Outcome != apply.Complete {
			t.Fatalf("%+v", result.Steps)
		}
		if again := w.plan(t, s); len(again.Steps) > 0 || !strings.Contains(again.Objects[0].Detail, version) {
			t.Errorf("a second plan has %v; %s", operationsOf(again), again.Objects[0].Detail)
		}
	}

	plugin(t, s.Chart.Source.Path, "0.16.1")
	want := []string{"RELEASE_UPGRADE_BLOCKED nvdp", "CHART_VERSION_DIFFERS nvidia-device-plugin", "CHART_KNOWN_BAD 0.16.1"}
	for _, constraint := range []string{"~0.16", ""} {
		s.Chart.Version = constraint
		if p := w.plan(t, s); len(p.Steps) > 0 || cmp.Diff(want, ids(p.Findings)) != "" {
			t.Errorf("constraint %q: %v (%v)", constraint, ids(p.Findings), operationsOf(p))
		}
	}

	plugin(t, s.Chart.Source.Path, "0.18.0")
	p := w.plan(t, s)
	if err := os.WriteFile(filepath.Join(s.Chart.Source.Path, "values.yaml"), []byte("image: {repository: other, tag: \"1\", pullPolicy: Always}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	result := w.execute(t, p, s)
	if last := result.Steps[0]; last.Outcome != apply.Refused || !strings.Contains(last.Why, "has another content than when the plan was made") {
		t.Errorf("the upgrade ended %s: %s", last.Outcome, last.Why)
	}
}

// TestWhatHelmCannotDo: changes that an upgrade cannot make are told, with what to do.
func TestWhatHelmCannotDo(t *testing.T) {
	tests := []struct {
		name   string
		change func(*facts.Release)
		want   []string
		says   string
		steps  int
	}{
		{"a field that Kubernetes does not let be changed", func(r *facts.Release) {
			r.Offer.Preview.Forbidden = []string{"DaemonSet a: spec.selector"}
		}, []string{"RELEASE_UPGRADE_BLOCKED nvdp", "RELEASE_VALUE_DIFFERS runtimeClassName"}, "delete that object by hand", 0},
		{"a kind that the cluster does not have", func(r *facts.Release) {
			r.Offer.Preview.Absent = []string{"gateway.networking.k8s.io/v1 HTTPRoute"}
		}, []string{"RELEASE_UPGRADE_BLOCKED nvdp", "RELEASE_VALUE_DIFFERS runtimeClassName"}, "HTTPRoute", 0},
		{"a custom resource that somebody has changed", func(r *facts.Release) {
			r.Values["runtimeClassName"] = "nvidia"
			r.Objects = []facts.ObjectDrift{{APIVersion: "nvidia.com/v1", Kind: "ClusterPolicy", Name: "a", Differences: []facts.FieldDifference{{Path: "spec.a", Rendered: "1", Live: "2"}}}}
		}, []string{"RELEASE_DRIFT ClusterPolicy a"}, `has spec.a = "2" in the cluster and was rendered with "1"`, 0},
		{"definitions that Helm does not upgrade", func(r *facts.Release) {
			r.Chart.Version = "0.15.0"
			r.Offer.Preview.CRDs = []string{"crds/a.yaml"}
		}, []string{"RELEASE_VALUE_DIFFERS runtimeClassName", "CHART_VERSION_DIFFERS nvidia-device-plugin"}, "crds/a.yaml", 1},
		{"an object that cannot be read", func(r *facts.Release) {
			r.Objects = []facts.ObjectDrift{{APIVersion: "v1", Kind: "Secret", Name: "a", Unknown: "forbidden"}}
		}, []string{"RELEASE_VALUE_DIFFERS runtimeClassName", "RELEASE_UNKNOWN Secret a"}, "forbidden", 1},
		{"objects that cannot be compared", func(r *facts.Release) {
			r.ObjectsUnknown = "no answer"
		}, []string{"RELEASE_VALUE_DIFFERS runtimeClassName", "RELEASE_UNKNOWN nvdp"}, "no answer", 1},
		{"a release that is being uninstalled", func(r *facts.Release) {
			r.Status = facts.ReleaseUninstalling
		}, []string{"RELEASE_UPGRADE_BLOCKED nvdp", "RELEASE_FAILED nvdp", "RELEASE_VALUE_DIFFERS runtimeClassName"}, "revision 1 is uninstalling", 0},
		{"a release that cannot be read", func(r *facts.Release) {
			r.Unknown = "no route to host"
		}, []string{"RELEASE_UNKNOWN nvdp"}, "no route to host", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := open(t)
			w.install(t, "0.16.2", nil)
			s := w.spec("0.16.2", map[string]any{"runtimeClassName": "nvidia"})
			seen := w.observe(t, s)
			r := seen.Releases[facts.ReleaseKey(namespace, name)]
			if r.Values == nil {
				r.Values = map[string]any{}
			}
			test.change(r)
			p := build(t, seen, nil, s)
			if diff := cmp.Diff(test.want, ids(p.Findings)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			text := ""
			for _, f := range p.Findings {
				text += f.Summary + "\n" + f.Hint + "\n"
			}
			if !strings.Contains(text, test.says) {
				t.Errorf("nothing says %q:\n%s", test.says, text)
			}
			if len(p.Steps) != test.steps {
				t.Errorf("steps %v", operationsOf(p))
			}
		})
	}
}
