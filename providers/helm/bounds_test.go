package helm

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/chartutil"
)

// TestMain makes the test binary the child that renders, where it was started as one.
func TestMain(m *testing.M) {
	Child()
	os.Exit(m.Run())
}

// orderOf is what renders a chart of one template.
func orderOf(t *testing.T, file, template string) order {
	t.Helper()
	got, err := NewCharts().loadPath(t.Context(), chartDirectory(t, map[string]string{file: template}))
	if err != nil {
		t.Fatal(err)
	}
	return order{Chart: "x", Files: got.Files, Options: chartutil.ReleaseOptions{Name: "x", Namespace: "x"}, Capabilities: chartutil.DefaultCapabilities}
}

// Templates that loop, or make more than anybody needs, end with an error that names the chart. The process that
// renders them ends, and this one goes on.
func TestTemplateBombs(t *testing.T) {
	const loop = `{{ range until 2500 }}{{ range until 2500 }}{{ range until 2500 }}{{ end }}{{ end }}{{ end }}`
	for name, test := range map[string]struct {
		template string
		bounds   bounds
		want     string
	}{
		"a sound chart":   {`a: {{ .Release.Name }}`, bounds{}, ""},
		"loops":           {loop, bounds{time: 300 * time.Millisecond}, "the templates of chart x were not rendered within 300ms"},
		"much text":       {`a: {{ repeat 3000000 "x" }}`, bounds{output: 1 << 20}, "the templates of chart x make 2 MiB; at most 1 MiB are taken"},
		"much memory":     {loop, bounds{memory: 1}, "the templates of chart x fill the memory: more than 0 MiB are in use"},
		"a gigabyte":      {`a: {{ repeat 1000000000 "x" | len }}` + loop, bounds{memory: 256 << 20}, "fill the memory: more than 256 MiB are in use"},
		"includes itself": {`{{ define "x" }}{{ include "x" . }}{{ include "x" . }}{{ end }}{{ include "x" . }}`, bounds{}, "nested reference name"},
	} {
		t.Run(name, func(t *testing.T) {
			// Where its time is not what ends it, a busy machine may take long to start a child.
			if test.bounds.time == 0 {
				test.bounds.time = 5 * time.Minute
			}
			began := time.Now()
			_, err := test.bounds.apart(context.Background(), orderOf(t, "templates/NOTES.txt", test.template), nil)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v; want %q", err, test.want)
			}
			if took := time.Since(began); took > 4*time.Minute {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// A child that ends without a word of its own is explained.
func TestRenderingDies(t *testing.T) {
	killed := exec.Command("sh", "-c", "kill -9 $$").Run()
	for words, want := range map[string]string{
		"": "rendering chart x was ended from outside (signal: killed), as the kernel does when memory runs out",
		"fatal error: runtime: out of memory\n\ngoroutine 1": "rendering chart x ended early: fatal error: runtime: out of memory",
	} {
		if err := died(order{Chart: "x"}, killed, words); err.Error() != want {
			t.Errorf("%v; want %q", err, want)
		}
	}
}

// A canceled caller gets its own reason, and the child is gone.
func TestRenderingIsCanceled(t *testing.T) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), 300*time.Millisecond, errors.New("interrupted"))
	defer cancel()
	o := orderOf(t, "templates/a.yaml", `{{ range until 2500 }}{{ range until 2500 }}{{ range until 2500 }}{{ end }}{{ end }}{{ end }}`)
	if _, err := (bounds{}).apart(ctx, o, nil); err == nil || err.Error() != "interrupted" {
		t.Error(err)
	}
}

// A stop that comes before the child has started is told like any other.
func TestRenderingIsCanceledBeforeItStarts(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("interrupted"))
	_, err := (bounds{}).apart(ctx, orderOf(t, "templates/a.yaml", "a: b"), nil)
	if err == nil || err.Error() != "interrupted" {
		t.Error(err)
	}
}

// A child makes what this process makes, lookups among it, and integers stay integers.
func TestRenderingApartIsRendering(t *testing.T) {
	o := orderOf(t, "templates/a.yaml", `
{{- $one := lookup "v1" "Service" "shop" "db" }}
apiVersion: v1
kind: ConfigMap
metadata: {name: a, labels: {v: {{ .Capabilities.KubeVersion.Version | quote }}}}
data:
  secret: {{ .Values.secret | quote }}
  big: "{{ .Values.big }}"
  port: "{{ $one.port }}"
  all: "{{ range (lookup "v1" "Service" "shop" "").items }}{{ .metadata.name }} {{ end }}"
  none: "{{ if not (lookup "v1" "Service" "shop" "gone") }}none{{ end }}"
  nothing: "{{ if not (lookup "v1" "Service" "empty" "") }}none{{ end }}"
`)
	o.Values = map[string]any{"secret": "s3cret <&> \u2028 ü", "big": float64(30000000)}
	o.Lookup = true
	find := func(_, _, namespace, name string) (map[string]any, error) {
		switch {
		case namespace == "empty" || name == "gone":
			return map[string]any{}, nil
		case name == "db":
			return map[string]any{"port": int64(123456789)}, nil
		}
		item := map[string]any{"metadata": map[string]any{"name": "db"}}
		return map[string]any{"kind": "ServiceList", "items": []any{item}}, nil
	}
	want, err := bounds{}.here(o, find)
	if err != nil {
		t.Fatal(err)
	}
	got, err := bounds{}.apart(context.Background(), o, find)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	text, _ := json.Marshal(got.Objects)
	for _, part := range []string{`"port":"123456789"`, `"all":"db "`, `"none":"none"`, `"nothing":"none"`, `"big":"3e+07"`} {
		if !strings.Contains(string(text), part) {
			t.Errorf("%s is not in %s", part, text)
		}
	}
	if _, err := (bounds{}).apart(context.Background(), o, func(string, string, string, string) (map[string]any, error) {
		return nil, errors.New("the API server does not answer")
	}); err == nil || !strings.Contains(err.Error(), "the API server does not answer") {
		t.Error(err)
	}
}
