package helm

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"sigs.k8s.io/yaml"

	"upkeep/fixtures/chartrepo"
	"upkeep/providers/facts"
)

func TestChartInIndex(t *testing.T) {
	want := map[string][]indexed{
		"a": {{version: facts.ChartVersion{Name: "a", Version: "1.0.0", AppVersion: "2", Digest: "abc", Deprecated: true}, url: "a.tgz"}},
		"b": {}, "c": nil,
	}
	for name, text := range map[string]string{
		"flow items": "\napiVersion: v1\nentries:\n  a:\n  - {name: a, version: 1.0.0, appVersion: \"2\", digest: sha256:ABC, urls: [a.tgz, b.tgz], deprecated: true}\n" +
			"  - {name: a, urls: [no-version.tgz]}\n  - {name: a, version: 2.0.0}\n  -\n  b: []\n",
		"blocks": "apiVersion: v1\nentries:\n  a:\n  - annotations:\n      x: |\n        - not an item\n    appVersion: \"2\"\n    deprecated: true\n    digest: ABC\n    name: a\n    urls:\n    - a.tgz\n    - b.tgz\n    version: 1.0.0\n" +
			"  - name: a\n    version: 2.0.0\n  b: []\ngenerated: now\n",
		"deeper blocks": "entries:\n    \"a\":\n        - appVersion: \"2\"\n          deprecated: true\n          digest: ABC\n          name: a\n          urls:\n              - a.tgz\n          version: 1.0.0\n        - name: a\n          version: 2.0.0\n    b: []\n",
		"JSON":          `{"x": [{}], "entries": {"z": [[1]], "a": [null, {"name": "a", "version": "1.0.0", "appVersion": "2", "digest": "abc", "deprecated": true, "urls": ["a.tgz"]}], "b": []}}`,
		"flow":          "entries: {a: [{name: a, version: 1.0.0, appVersion: '2', digest: ABC, urls: [a.tgz], deprecated: true}], b: []}",
	} {
		for chart, versions := range want {
			got, err := chartInIndex([]byte(text), chart)
			if diff := cmp.Diff(versions, got, cmp.AllowUnexported(indexed{})); diff != "" || err != nil {
				t.Errorf("%s, chart %s: %v (-want +got):\n%s", name, chart, err, diff)
			}
		}
	}
	for _, text := range []string{"", "[]", "entries: 3", "<html>", "apiVersion: v1", "{}", `{"entries": 3}`, "entries:\n  a:\n  - {", "entries:\n  a: &x\n  - {version: 1.0.0}\n"} {
		if _, err := chartInIndex([]byte(text), "a"); err == nil {
			t.Errorf("%q is an index", text)
		}
	}
}

// TestAVersionTwice: which of two charts with one version is taken follows neither from their order nor from the layout of
// the index. Two that differ are an error that names both.
func TestAVersionTwice(t *testing.T) {
	const x, y = "1111111111111111111111111111111111111111111111111111111111111111", "2222222222222222222222222222222222222222222222222222222222222222"
	entry := func(version, digest, url string) map[string]any {
		return map[string]any{"name": "a", "version": version, "digest": digest, "urls": []string{url}}
	}
	for name, test := range map[string]struct {
		entries            []map[string]any
		wanted, expected   string
		url, digest, wrong string
	}{
		"once":                     {[]map[string]any{entry("1.0.0", x, "x")}, "1.0.0", "", "x", x, ""},
		"alike":                    {[]map[string]any{entry("1.0.0", x, "x"), entry("1.0.0", x, "x")}, "1.0.0", "", "x", x, ""},
		"from two places":          {[]map[string]any{entry("1.0.0", x, "x"), entry("1.0.0", x, "w")}, "1.0.0", "", "w", x, ""},
		"once with a digest":       {[]map[string]any{entry("1.0.0", "", "x"), entry("1.0.0", x, "x")}, "1.0.0", "", "x", x, ""},
		"another digest":           {[]map[string]any{entry("1.0.0", x, "x"), entry("1.0.0", y, "x")}, "1.0.0", "", "", "", x + " " + y},
		"another URL":              {[]map[string]any{entry("1.0.0", "", "x"), entry("1.0.0", "", "y")}, "1.0.0", "", "", "", `"x" "y"`},
		"another, and no digest":   {[]map[string]any{entry("1.0.0", "", "x"), entry("1.0.0", y, "y")}, "1.0.0", "", "", "", `"x" "y"`},
		"three, two alike":         {[]map[string]any{entry("1.0.0", x, "x"), entry("1.0.0", "", "x"), entry("1.0.0", y, "x")}, "1.0.0", "", "", "", y},
		"spelt otherwise":          {[]map[string]any{entry("1.0.0", x, "x"), entry("v1.0.0", y, "y")}, "1.0.0", "", "", "", x + " " + y},
		"the expected one":         {[]map[string]any{entry("1.0.0", x, "x"), entry("1.0.0", y, "y")}, "1.0.0", "sha256:" + y, "y", y, ""},
		"neither is expected":      {[]map[string]any{entry("1.0.0", x, "x"), entry("1.0.0", y, "y")}, "1.0.0", strings.Repeat("3", 64), "", "", x + " " + y},
		"another one is twice":     {[]map[string]any{entry("1.0.0", x, "x"), entry("1.0.0", y, "y"), entry("1.0.1", x, "z")}, "1.0.1", "", "z", x, ""},
		"builds of one version":    {[]map[string]any{entry("1.0.0+a", x, "x"), entry("1.0.0+b", y, "y")}, "1.0.0+b", "", "y", y, ""},
		"some build, not said":     {[]map[string]any{entry("1.0.0+a", x, "x"), entry("1.0.0+b", y, "y")}, "1.0.0", "", "", "", x + " " + y},
		"the only build, not said": {[]map[string]any{entry("1.0.0+a", x, "x")}, "1.0.0", "", "x", x, ""},
		"none":                     {[]map[string]any{entry("1.0.0", x, "x")}, "1.0.1", "", "", "", ""},
	} {
		for _, turned := range []bool{false, true} {
			if turned {
				slices.Reverse(test.entries)
			}
			data, err := json.Marshal(map[string]any{"entries": map[string]any{"a": test.entries}})
			if err != nil {
				t.Fatal(err)
			}
			inYAML, err := yaml.JSONToYAML(data)
			if err != nil {
				t.Fatal(err)
			}
			for layout, text := range map[string][]byte{"JSON": data, "YAML": inYAML, "flow": append([]byte("# flow\n"), data...)} {
				list, err := chartInIndex(text, "a")
				if err != nil {
					t.Fatalf("%s, %s: %v", name, layout, err)
				}
				got, err := pick(list, test.wanted, test.expected)
				switch {
				case test.wrong != "":
					for _, word := range strings.Fields(test.wrong) {
						if err == nil || !strings.Contains(err.Error(), word) {
							t.Errorf("%s, %s, turned %t: %v; want %s named", name, layout, turned, err, word)
						}
					}
				case err != nil:
					t.Errorf("%s, %s, turned %t: %v", name, layout, turned, err)
				case test.url == "":
					if got != nil {
						t.Errorf("%s, %s, turned %t: %+v", name, layout, turned, *got)
					}
				case got == nil || got.url != test.url || got.version.Digest != test.digest:
					t.Errorf("%s, %s, turned %t: %+v", name, layout, turned, got)
				}
			}
		}
	}
}

// TestAnIndexSaysThingsOnce: a chart, its list or a field that stands twice is an error in every layout.
func TestAnIndexSaysThingsOnce(t *testing.T) {
	for _, text := range []string{
		`{"entries": {"a": [{"version": "1.0.0", "urls": ["x"]}], "b": [], "a": [{"version": "1.0.0", "urls": ["y"]}]}}`,
		`{"entries": {"a": [{"version": "1.0.0", "urls": ["x"]}]}, "entries": {"a": []}}`,
		`{"entries": {"a": [{"version": "1.0.0", "urls": ["x"], "digest": "a", "digest": "b"}]}}`,
		`{"entries": {"a": [{"version": "1.0.0", "urls": ["x"], "digest": "a", "Digest": "b"}]}}`,
		"entries:\n  a:\n  - version: 1.0.0\n    urls: [x]\n  b: []\n  a:\n  - version: 1.0.0\n    urls: [y]\n",
		"entries:\n  a:\n  - version: 1.0.0\n    urls: [x]\n  \"a\":\n  - version: 1.0.0\n    urls: [y]\n",
		"entries:\n  a:\n  - version: 1.0.0\n    urls: [x]\nentries:\n  a:\n  - version: 1.0.0\n    urls: [y]\n",
		"entries:\n  a:\n  - version: 1.0.0\n    urls: [x]\n    digest: a\n    digest: b\n",
		"entries: {a: [{version: 1.0.0, urls: [x]}], a: []}",
	} {
		if list, err := chartInIndex([]byte(text), "a"); err == nil || !strings.Contains(err.Error(), "twice") {
			t.Errorf("%s: %+v, %v", text, list, err)
		}
	}
}

// TestIndexesOfFixturesReadAlike: an index as `helm repo index` writes it reads as the document that it is.
func TestIndexesOfFixturesReadAlike(t *testing.T) {
	list := packed(t)
	index, err := chartrepo.Index(list)
	if err != nil {
		t.Fatal(err)
	}
	for _, chart := range list {
		byLayout, _, err := entriesInYAML(index, chart.Name)
		if err != nil {
			t.Fatal(err)
		}
		asDocument, _, err := entriesInDocument(index, chart.Name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(asDocument, byLayout, cmpopts.EquateEmpty()); diff != "" || len(byLayout) == 0 {
			t.Errorf("%s: %s", chart.Name, diff)
		}
	}
}

// TestLargeIndex: the largest index that is fetched costs little more than its own size.
func TestLargeIndex(t *testing.T) {
	var text strings.Builder
	text.WriteString("apiVersion: v1\nentries:\n")
	for chart := 0; text.Len() < indexLimit-1<<20; chart++ {
		fmt.Fprintf(&text, "  chart%d:\n", chart)
		for version := range 1000 {
			fmt.Fprintf(&text, "  - apiVersion: v2\n    description: %s\n    name: chart%d\n    urls:\n    - c-%d.tgz\n    version: 1.0.%d\n", strings.Repeat("x", 100), chart, version, version)
		}
	}
	data := []byte(text.String())
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := chartInIndex(data, "chart3")
	runtime.ReadMemStats(&after)
	if err != nil || len(got) != 1000 {
		t.Fatalf("%d versions, %v", len(got), err)
	}
	if made := after.TotalAlloc - before.TotalAlloc; made > 256<<20 {
		t.Errorf("an index of %d MiB takes %d MiB", len(data)>>20, made>>20)
	}
	flow := []byte("entries: {" + strings.Repeat("x: [],\n", otherwiseLimit/6) + "}")
	if _, err := chartInIndex(flow, "chart3"); err == nil {
		t.Error("a large index in another layout is read as one document")
	}
}

func FuzzChartInIndex(f *testing.F) {
	index, err := chartrepo.Index(packed(f)[:2])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(index)
	f.Add([]byte(`{"entries":{"a":[null,{"version":"1","urls":["x"]}]}}`))
	f.Add([]byte("entries: {a: [{version: 1, urls: [x]}]}"))
	f.Add([]byte("entries:\n  a:\n  - {version: 1.0.0, urls: [x]}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := chartInIndex(data, "a")
		if err != nil {
			return
		}
		for _, entry := range list {
			if entry.version.Version == "" || entry.url == "" {
				t.Fatalf("an entry without version or address: %+v", entry)
			}
		}
	})
}

// TestRedirectsKeepTLS: a repository with TLS cannot send its reader to one without.
func TestRedirectsKeepTLS(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, "entries:\n  x:\n  - {version: 1.0.0, urls: [x]}\n")
	}))
	t.Cleanup(plain.Close)
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL+"/index.yaml", http.StatusFound))
	t.Cleanup(secure.Close)
	charts := NewCharts()
	charts.http.Transport = secure.Client().Transport
	if _, err := charts.Versions(context.Background(), facts.ChartSource{Repository: secure.URL, Name: "x"}); err == nil || !strings.Contains(err.Error(), "which has no TLS") {
		t.Error(err)
	}
}
