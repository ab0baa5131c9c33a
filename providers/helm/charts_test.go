package helm

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/chartrepo"
	"upkeep/providers/facts"
)

func packed(t testing.TB) []chartrepo.Chart {
	t.Helper()
	list, err := chartrepo.All()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// sources serves the same charts in every way that a chart can come; each answers for the device plugin.
func sources(t *testing.T) (*Charts, map[string]facts.ChartSource) {
	t.Helper()
	list := packed(t)
	overHTTP, err := chartrepo.Handler(list)
	if err != nil {
		t.Fatal(err)
	}
	overOCI, err := chartrepo.Registry("charts", list)
	if err != nil {
		t.Fatal(err)
	}
	repository, registry := httptest.NewServer(overHTTP), httptest.NewServer(overOCI)
	t.Cleanup(repository.Close)
	t.Cleanup(registry.Close)
	c := NewCharts()
	c.plain = true
	const name = "nvidia-device-plugin"
	return c, map[string]facts.ChartSource{
		"repository": {Repository: repository.URL, Name: name},
		"registry":   {Repository: strings.Replace(registry.URL, "http://", "oci://", 1) + "/charts", Name: name},
	}
}

func TestVersionsOfEverySource(t *testing.T) {
	t.Setenv("HELM_CONFIG_HOME", t.TempDir())
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	charts, from := sources(t)
	for kind, source := range from {
		t.Run(kind, func(t *testing.T) {
			got, err := charts.Versions(context.Background(), source)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, version := range got {
				names = append(names, version.Version)
			}
			if diff := cmp.Diff([]string{"0.16.2", "0.16.1", "0.16.0", "0.15.0"}, names); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			fetched, err := charts.fetch(context.Background(), source, "0.16.2", "")
			if err != nil {
				t.Fatal(err)
			}
			for _, chart := range packed(t) {
				if chart.Name == source.Name && chart.Version == "0.16.2" && fetched.digest != chart.Digest {
					t.Errorf("digest %s, want %s", fetched.digest, chart.Digest)
				}
			}
		})
	}
}

func TestChartFromPath(t *testing.T) {
	dir := t.TempDir()
	if err := chartrepo.Write(dir, packed(t)); err != nil {
		t.Fatal(err)
	}
	archive := facts.ChartSource{Path: filepath.Join(dir, "provider-9.2.2.tgz")}
	charts := NewCharts()
	got, err := charts.Versions(context.Background(), archive)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]facts.ChartVersion{{Name: "provider", Version: "9.2.2", AppVersion: "0.5.11"}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := charts.fetch(context.Background(), archive, "9.2.3", ""); err == nil || !strings.Contains(err.Error(), "calls itself version 9.2.2, not 9.2.3") {
		t.Errorf("another version: %v", err)
	}
	directory := facts.ChartSource{Path: filepath.Join("..", "..", "fixtures", "charts", "provider")}
	first, err := charts.fetch(context.Background(), directory, "0.0.0", "")
	if err != nil {
		t.Fatal(err)
	}
	if len(first.digest) != 64 {
		t.Errorf("digest %q", first.digest)
	}
	if _, err := charts.fetch(context.Background(), directory, "0.0.0", strings.ToUpper(first.digest)); err != nil {
		t.Errorf("its own digest: %v", err)
	}
	if _, err := charts.Versions(context.Background(), facts.ChartSource{Path: filepath.Join(dir, "nothing")}); err == nil {
		t.Error("a path that is not there has versions")
	}
}

func TestChartsRefuse(t *testing.T) {
	list := packed(t)[:1]
	index, err := chartrepo.Index(list)
	if err != nil {
		t.Fatal(err)
	}
	serve := func(path, body string) *httptest.Server {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/index.yaml":
				_, _ = w.Write(index)
			case path:
				_, _ = fmt.Fprint(w, body)
			default:
				http.NotFound(w, r)
			}
		}))
		t.Cleanup(server.Close)
		return server
	}
	plugin := func(url string) facts.ChartSource {
		return facts.ChartSource{Repository: url, Name: "nvidia-device-plugin"}
	}
	for _, test := range []struct {
		name, want string
		source     facts.ChartSource
	}{
		{"an archive that is not what the index promises", "but the repository's index says " + list[0].Digest, plugin(serve("/"+list[0].FileName(), "other").URL)},
		{"an archive that is gone", "404 Not Found", plugin(serve("/none", "").URL)},
		{"no index", "404 Not Found", facts.ChartSource{Repository: serve("/x", "").URL + "/deeper", Name: "x"}},
		{"both path and repository", "not from both", facts.ChartSource{Repository: "https://example.net", Path: "/x"}},
		{"neither", "needs repository and name", facts.ChartSource{Repository: "https://example.net"}},
		{"credentials in the address", "chart repository example.net: an address holds no credentials", facts.ChartSource{Repository: "http://ops:hush@example.net", Name: "x"}},
		{"no TLS", "has no TLS, so anybody on the way may replace the chart", facts.ChartSource{Repository: "http://charts.example.net", Name: "x"}},
		{"a file URL", "must begin with https://", facts.ChartSource{Repository: "file:///etc", Name: "passwd"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := NewCharts().fetch(context.Background(), test.source, list[0].Version, "")
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v; want %q", err, test.want)
			}
		})
	}
}

func TestIndexIsFetchedOnce(t *testing.T) {
	index, err := chartrepo.Index(packed(t))
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		if asked == 1 {
			http.Error(w, "later", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write(index)
	}))
	t.Cleanup(server.Close)
	charts, source := NewCharts(), facts.ChartSource{Repository: server.URL, Name: "provider"}
	if _, err := charts.Versions(context.Background(), source); err == nil {
		t.Fatal("a server that fails has versions")
	}
	for range 3 {
		if _, err := charts.Versions(context.Background(), source); err != nil {
			t.Fatal(err)
		}
	}
	if asked != 2 {
		t.Errorf("asked %d times; a failure is not remembered, a success is", asked)
	}
}

func FuzzParseManifest(f *testing.F) {
	f.Add("---\nkind: A\nmetadata: {name: a}\n---\n# nothing\n---\nkind: List\nitems: [{kind: B, metadata: {name: b}}, 3]\n")
	f.Add("kind: A")
	f.Add("- 1")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseManifest(text)
		if err != nil {
			return
		}
		for _, o := range list {
			typed(o)
		}
	})
}

func TestFixturesAreWhatHelmCallsCharts(t *testing.T) {
	dir := t.TempDir()
	list := packed(t)
	if err := chartrepo.Write(dir, list); err != nil {
		t.Fatal(err)
	}
	for _, chart := range list {
		got, err := NewCharts().loadPath(t.Context(), filepath.Join(dir, chart.FileName())) // Helm validates it
		if err != nil {
			t.Fatal(err)
		}
		if got.digest != chart.Digest {
			t.Errorf("%s: digest %s, want %s", chart.FileName(), got.digest, chart.Digest)
		}
	}
	again := packed(t)
	for i := range list {
		if list[i].Digest != again[i].Digest {
			t.Errorf("%s packs into other bytes each time", list[i].FileName())
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "index.yaml")); err != nil {
		t.Error(err)
	}
}
