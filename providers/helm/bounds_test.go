package helm

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"helm.sh/helm/v3/pkg/chartutil"
)

// Templates that loop, or make more than anybody needs, end with an error that names the chart.
func TestTemplateBombs(t *testing.T) {
	for name, test := range map[string]struct {
		template string
		bounds   bounds
		want     string
		ends     bool // the program is to end
	}{
		"a sound chart": {`a: {{ .Release.Name }}`, bounds{}, "", false},
		"loops": {
			`{{ range until 2500 }}{{ range until 2500 }}{{ end }}{{ end }}`, bounds{time: 50 * time.Millisecond},
			"the templates of chart x were not rendered within 50ms", false,
		},
		"much text": {`a: {{ repeat 3000000 "x" }}`, bounds{output: 1 << 20}, "the templates of chart x make 2 MiB; at most 1 MiB are taken", false},
		"much memory": {
			`{{ range until 2500 }}{{ range until 2500 }}{{ end }}{{ end }}`, bounds{memory: 1},
			"the templates of chart x fill the memory: more than 0 MiB are in use", true,
		},
		"includes itself": {`{{ define "x" }}{{ include "x" . }}{{ include "x" . }}{{ end }}{{ include "x" . }}`, bounds{}, "nested reference name", false},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := loadPath(chartDirectory(t, map[string]string{"templates/NOTES.txt": test.template}))
			if err != nil {
				t.Fatal(err)
			}
			var ended atomic.Bool
			test.bounds.exhausted = func(error) { ended.Store(true) }
			_, err = render(test.bounds, archive{chart: got}, map[string]any{}, chartutil.ReleaseOptions{Name: "x", Namespace: "x"}, chartutil.DefaultCapabilities, nil)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) || ended.Load() != test.ends {
				t.Errorf("%v, ended %t; want %q", err, ended.Load(), test.want)
			}
		})
	}
}
