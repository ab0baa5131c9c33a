package vocabulary_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/akash/vocabulary"
)

func TestUnreads(t *testing.T) {
	tree := map[string]any{
		"price_target_gpu_mapping": "t4=80", "bidpricescipt": "x", "price_target_cpu": "1.6",
		"image": map[string]any{"tag": "0.8.3", "tga": "x"}, "letsEncrypt": map[string]any{"enabled": true, "acme": map[string]any{"email": "a"}},
		"resources": map[string]any{"anything": map[string]any{"goes": 1}}, "attributes": []any{}, "log_restart_patterns": "x", "global": map[string]any{"x": 1},
	}
	want := []vocabulary.Unread{
		{Path: "bidpricescipt"}, {Path: "image.tga"}, {Path: "letsEncrypt", Since: "12.0.0"},
		{Path: "log_restart_patterns", Since: "6.0.4", Until: "8.0.1"}, {Path: "price_target_gpu_mapping"},
	}
	if diff := cmp.Diff(want, vocabulary.UnreadValues("9.2.2", tree)); diff != "" {
		t.Errorf("9.2.2 (-want +got)\n%s", diff)
	}
	for _, u := range vocabulary.UnreadValues("19.0.2", tree) {
		if u.Path == "letsEncrypt" {
			t.Error("19.0.2 does not read letsEncrypt")
		}
	}
	if left := vocabulary.UnreadValues("6.0.7", map[string]any{"log_restart_patterns": "x"}); len(left) > 0 {
		t.Errorf("6.0.7 does not read %v", left)
	}
}

// The table is whole: sorted, each value once, within a value that is there.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	last := ""
	for _, v := range vocabulary.Values() {
		if v.Path <= last || v.Since == "" {
			t.Errorf("%+v stands after %s", v, last)
		}
		for i, c := range v.Path {
			if c == '.' && !seen[v.Path[:i]] {
				t.Errorf("%s is within nothing", v.Path)
			}
		}
		seen[v.Path], last = true, v.Path
	}
	for _, must := range []string{"bidpricescript", "price_target_gpu_mappings", "monitor.maxRetries", "image.tag", "keysecret"} {
		if !seen[must] {
			t.Errorf("%s is missing", must)
		}
	}
}

// What is known against versions has a source, a way out, and bounds that are versions.
func TestKnownBad(t *testing.T) {
	for _, b := range vocabulary.KnownBad() {
		if b.Source == "" || b.Instead == "" || b.Why == "" || b.From == "" && b.Before == "" {
			t.Errorf("%+v is incomplete", b)
		}
	}
	for version, want := range map[string]int{"6.0.4": 3, "6.0.5": 3, "11.6.0": 1, "11.6.4": 1, "12.1.3": 0, "19.0.2": 0, "no version": 0} {
		if got := vocabulary.Against(version); len(got) != want {
			t.Errorf("%s: %+v", version, got)
		}
	}
}
