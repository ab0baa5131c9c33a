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

	"upkeep/providers/facts"
)

// chartDirectory writes a chart of files.
func chartDirectory(t *testing.T, files map[string]string) string {
	t.Helper()
	directory := filepath.Join(t.TempDir(), "chart")
	files["Chart.yaml"] = "apiVersion: v2\nname: x\nversion: 1.0.0\n"
	for name, text := range files {
		path := filepath.Join(directory, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return directory
}

// TestSchemasAreClosed: a chart's schema reads no file and fetches no URL, however it asks.
func TestSchemasAreClosed(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		_, _ = fmt.Fprint(w, "true")
	}))
	t.Cleanup(server.Close)
	secret := filepath.Join(t.TempDir(), "secret.json")
	if err := os.WriteFile(secret, []byte(`{"const": "canary"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, schema := range map[string]string{
		"a URL":              `{"$ref": "` + server.URL + `"}`,
		"a file":             `{"properties": {"a": {"$ref": "file://` + secret + `"}}}`,
		"a relative file":    `{"allOf": [{"$ref": "../` + secret + `"}]}`,
		"by its id":          `{"$id": "` + server.URL + `/", "$ref": "x.json"}`,
		"a metaschema":       `{"$schema": "` + server.URL + `"}`,
		"a dynamic one":      `{"$schema": "https://json-schema.org/draft/2020-12/schema", "$dynamicRef": "` + server.URL + `#a"}`,
		"a written-out name": `{"\u0024ref": "` + server.URL + `"}`,
		"a name":             `{"$ref": "urn:example:x"}`,
		"in a definition":    `{"$defs": {"a": {"items": [{"$ref": "` + server.URL + `"}]}}, "$ref": "#/$defs/a"}`,
	} {
		for file, files := range map[string]map[string]string{
			"its own":        {"values.schema.json": schema},
			"a dependency's": {"charts/sub/values.schema.json": schema, "charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.0.0\n"},
		} {
			_, err := NewCharts().fetch(context.Background(), facts.ChartSource{Path: chartDirectory(t, files)}, "1.0.0", "")
			if err == nil || strings.Contains(err.Error(), "canary") {
				t.Errorf("%s, %s: %v", name, file, err)
			}
		}
	}
	if asked > 0 {
		t.Errorf("%d requests were made", asked)
	}
	for _, schema := range []string{`{"$schema": "http://json-schema.org/draft-07/schema#", "$ref": "#/definitions/a", "definitions": {"a": {"type": "object"}}}`, `true`} {
		if _, err := NewCharts().fetch(context.Background(), facts.ChartSource{Path: chartDirectory(t, map[string]string{"values.schema.json": schema})}, "1.0.0", ""); err != nil {
			t.Errorf("%s: %v", schema, err)
		}
	}
}

// TestChartsAreContained: a chart's directory brings in nothing from elsewhere.
func TestChartsAreContained(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "id_ed25519")
	if err := os.WriteFile(outside, []byte("canary"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ to, want string }{
		"out": {outside, "leads out of the chart"}, "nowhere": {"none", "leads nowhere"}, "a device": {"/dev/zero", "leads out of the chart"}, "in": {"values.yaml", ""},
	} {
		directory := chartDirectory(t, map[string]string{"values.yaml": "a: 1\n"})
		if err := os.Symlink(test.to, filepath.Join(directory, "files")); err != nil {
			t.Fatal(err)
		}
		if _, err := NewCharts().loadPath(t.Context(), directory); (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTemplatesLookNothingUp: a chart reads the cluster only where its block says so, however it spells that.
func TestTemplatesLookNothingUp(t *testing.T) {
	for name, template := range map[string]string{
		"plain":    `{{ (lookup "v1" "Secret" "kube-system" "token").data }}`,
		"guarded":  `{{ if lookup "v1" "Secret" "" "" }}a: 1{{ end }}`,
		"by tpl":   `{{ tpl (printf "{{ l%s \"v1\" \"Secret\" \"a\" \"b\" }}" "ookup") . }}`,
		"a helper": `{{ define "x" }}{{ lookup "v1" "Secret" "a" "b" }}{{ end }}{{ include "x" . }}`,
	} {
		_, err := bounds{}.apart(context.Background(), orderOf(t, "templates/a.yaml", template), nil)
		if err == nil || !strings.Contains(err.Error(), "only with lookup = true in the block chart") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
