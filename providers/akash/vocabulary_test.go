package akash_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/fixtures/fakeprovider"
	"upkeep/planner"
	"upkeep/providers"
	"upkeep/providers/akash"
)

// A misspelt value is named with what was meant, at its own line.
func TestValuesThatTheChartDoesNotRead(t *testing.T) {
	_, diags := load(t, chart+`
  values = {
    price_target_gpu_mapping = "t4=80"
    price_target_mem = "0.8"
    bidpricescipt = "x"
    monitor = { maxRetries = 3 }
    domain = "example.net"
    image = { tag = "0.8.3" }
  }`)
	for _, want := range []string{
		`Chart version 6.0.5 does not read price_target_gpu_mapping, so the value has no effect. Did you mean "price_target_gpu_mappings"? price_targets.gpu sets it.`,
		`does not read price_target_mem, so the value has no effect. Did you mean "price_target_memory"? price_targets.memory sets it.`,
		`Did you mean "bidpricescript"? The block bid_script sets it.`,
		`does not read monitor, which 11.1.1 is the first to read.`,
		`image.tag = 0.8.3 overrides the program of chart version 6.0.5`,
	} {
		if !slices.ContainsFunc(diags, func(d string) bool { return strings.Contains(d, want) }) {
			t.Errorf("%q, want %q", diags, want)
		}
	}
	if len(diags) != 5 {
		t.Errorf("there are %d diagnostics: %q", len(diags), diags)
	}
	if s, _ := load(t, chart); s.MaxChange != "50" {
		t.Errorf("max_change is %q by default", s.MaxChange)
	}
}

// What the release has without effect is found, and what overrides the chart.
func TestVocabularyOfARelease(t *testing.T) {
	w, s := healthy(t)
	world := w.World(t.Context(), s)
	release := world.Releases["akash-services/akash-provider"]
	release.Values["price_target_gpu_mapping"] = "t4=80"
	release.Values["image"] = map[string]any{"tag": "0.4.6"}
	release.Values["ours"] = "x"
	p, err := planner.Build(planner.Request{Desired: fakeprovider.Desired(s), World: world, Now: clock}, []providers.Type{akash.Type()})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]providers.Finding{}
	for _, f := range p.Findings {
		found[f.ID+" "+f.Object] = f
	}
	for name, severity := range map[string]providers.Severity{
		"CHART_VALUE_UNKNOWN price_target_gpu_mapping": providers.SeverityWarning, "CHART_VALUE_UNKNOWN ours": providers.SeverityNote,
		"CHART_IMAGE_OVERRIDDEN image.tag": providers.SeverityWarning, "CHART_KNOWN_ISSUE 9.2.2": providers.SeverityNote,
	} {
		if f, ok := found[name]; !ok || f.Severity != severity {
			t.Errorf("%s is %+v", name, f)
		}
	}
	if hint := found["CHART_VALUE_UNKNOWN price_target_gpu_mapping"].Summary; !strings.Contains(hint, `Did you mean "price_target_gpu_mappings"?`) {
		t.Errorf("says %q", hint)
	}
}

// TestImageValues: each way to run another program than the chart's, or to take it from elsewhere, is said.
func TestImageValues(t *testing.T) {
	const digest = "@sha256:7d1a54127b222502f5b79b5fb0803061152a44f92b37e23c6527baf665d4da9a"
	type said map[string]providers.Severity
	for _, test := range []struct {
		name  string
		image any
		want  said
		text  string
	}{
		{"the chart's own", map[string]any{"repository": "ghcr.io/akash-network/provider", "pullPolicy": "Always", "tag": ""}, said{}, ""},
		{"no tag", map[string]any{"tag": nil, "repository": nil}, said{}, ""},
		{"a tag", map[string]any{"tag": "0.8.3"}, said{"image.tag": providers.SeverityWarning}, "image.tag is 0.8.3"},
		{"a tag that YAML reads as a number", map[string]any{"tag": 0.10}, said{"image.tag": providers.SeverityWarning}, "image.tag is 0.1,"},
		{"a tag with a digest", map[string]any{"tag": "0.8.3" + digest}, said{"image.tag": providers.SeverityWarning}, "image.tag is 0.8.3@sha256:"},
		{"a mirror", map[string]any{"repository": "registry.example.net:5000/akash/provider"},
			said{"image.repository": providers.SeverityNote}, "takes its program from ghcr.io/akash-network/provider"},
		{"a digest in the repository", map[string]any{"repository": "ghcr.io/akash-network/provider" + digest},
			said{"image.repository": providers.SeverityWarning}, "no node can pull the image"},
		{"a tag in the repository", map[string]any{"repository": "ghcr.io/akash-network/provider:0.8.3", "tag": "0.8.4"},
			said{"image.repository": providers.SeverityWarning, "image.tag": providers.SeverityWarning}, "ends with a tag or a digest"},
		{"no map", "ghcr.io/akash-network/provider", said{}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, s := healthy(t)
			world := w.World(t.Context(), s)
			world.Releases["akash-services/akash-provider"].Values["image"] = test.image
			got, text := said{}, ""
			for _, f := range planned(t, world, s).Findings {
				if f.ID == "CHART_IMAGE_OVERRIDDEN" {
					got[f.Object] = f.Severity
					text += f.Summary + "\n"
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if !strings.Contains(text, test.text) {
				t.Errorf("says %q, want %q", text, test.text)
			}
		})
	}
	_, diags := load(t, chart+`
  values = { image = { repository = "ghcr.io/akash-network/provider:0.8.3" } }`)
	if len(diags) != 1 || !strings.Contains(diags[0], "Write the tag or digest into image.tag.") {
		t.Errorf("the configuration says %q", diags)
	}
}
