package config

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

// FuzzLoad: whatever a file holds, Load does not panic, its diagnostics lie in their files, and they can be rendered.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/broken/*/*.upkeep.hcl", "testdata/valid/*/*.upkeep.hcl"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(src, []byte("region = \"fra\"\n"), "x")
		}
	}
	f.Add([]byte("variable \"v\" {\n  type = list(number)\n}\n"), []byte("v = [1, {}]"), "[1, 2")
	f.Fuzz(func(t *testing.T, src, variables []byte, value string) {
		if bytes.Contains(src, []byte("file")) && bytes.Contains(src, []byte("/")) {
			return // paths of the machine the test runs on have no place in it
		}
		directory := t.TempDir()
		for name, content := range map[string][]byte{"a.upkeep.hcl": src, "b.auto.upkeepvars": variables} {
			if err := os.WriteFile(filepath.Join(directory, name), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, sources, diags := Load(directory, Options{
			Types: testTypes(), Environ: []string{"UPKEEP_VAR_w=" + value}, Version: "1.0.0",
			Variables: []VariableAssignment{{Name: "v", Value: value}},
		})
		checkSettled(t, diags)
		described := Describe(diags, sources)
		for _, d := range described {
			_ = d.Text(TextOptions{Width: 80})
			_ = d.Text(TextOptions{Color: true})
		}
		for _, d := range diags {
			if d.Subject != nil && sources[d.Subject.Filename] != nil {
				checkRanges(t, hcl.Diagnostics{d}, sources)
			}
		}
		_ = Format(src)
	})
}

// checkSettled: a diagnostic says what is wrong.
func checkSettled(t *testing.T, diags hcl.Diagnostics) {
	t.Helper()
	for _, d := range diags {
		if d.Summary == "" || d.Severity == hcl.DiagInvalid {
			t.Errorf("a diagnostic without words: %+v", d)
		}
	}
}

// FuzzRestore: whatever a plan file holds, Restore answers with an error or a state that it reads back unchanged.
func FuzzRestore(f *testing.F) {
	files, err := filepath.Glob("testdata/valid/*/desired.json")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Add([]byte(`{"state":{"backend":"local","local":{"path":"x"}},"resources":[{"type":"certs","name":"a","value":null}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		desired, err := Restore(data, testTypes())
		if err != nil {
			return
		}
		again := roundTrip(t, desired)
		if diff := diffDesired(desired, again); diff != "" {
			t.Error(diff)
		}
	})
}
