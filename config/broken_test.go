package config

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

// TestBroken loads configurations with mistakes. The golden file of each is what a person reads.
func TestBroken(t *testing.T) {
	directories, err := filepath.Glob("testdata/broken/*")
	if err != nil || len(directories) == 0 {
		t.Fatal("no cases", err)
	}
	for _, directory := range directories {
		t.Run(filepath.Base(directory), func(t *testing.T) {
			desired, sources, diags := Load(directory, Options{Types: testTypes(), Environ: testEnviron, Version: "1.0.0", Findings: []string{"CERT_EXPIRED", "CERT_EXPIRES_SOON"}})
			if !diags.HasErrors() {
				t.Fatal("no error")
			}
			if len(desired.Nodes)+len(desired.Resources) > 0 {
				t.Error("a configuration with errors has a desired state")
			}
			var text bytes.Buffer
			if err := WriteText(&text, Describe(diags, sources), TextOptions{Width: 100}); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(directory, "sensitive") {
				checkHidden(t, diags)
			}
			checkRanges(t, diags, sources)
			golden(t, filepath.Join(directory, "diagnostics.txt"), text.Bytes())
		})
	}
}

// checkHidden looks for the secret of the test files in everything but the source that holds it.
func checkHidden(t *testing.T, diags hcl.Diagnostics) {
	t.Helper()
	for _, d := range diags {
		if strings.Contains(d.Summary+d.Detail, "s3cr3t") {
			t.Errorf("a diagnostic shows a secret: %s", d)
		}
		for _, v := range valuesIn(d) {
			if strings.Contains(v.Statement, "s3cr3t") {
				t.Errorf("a diagnostic shows a secret: %+v", v)
			}
		}
	}
}

// checkRanges: every diagnostic lies in its file.
func checkRanges(t testing.TB, diags hcl.Diagnostics, sources Sources) {
	t.Helper()
	for _, d := range diags {
		if d.Subject == nil {
			continue
		}
		file, ok := sources[d.Subject.Filename]
		if !ok {
			t.Errorf("no source for %s", d)
			continue
		}
		if r := d.Subject; r.Start.Byte < 0 || r.End.Byte < r.Start.Byte || r.End.Byte > len(file.Bytes) {
			t.Errorf("%s lies outside of its file of %d bytes", d, len(file.Bytes))
		}
	}
}

func TestValidateJSON(t *testing.T) {
	directory := "testdata/broken/many_at_once"
	_, sources, diags := Load(directory, Options{Types: testTypes(), Environ: testEnviron})
	got, err := json.MarshalIndent(Validate(diags, sources), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("testdata", "validate.json"), append(got, '\n'))

	got, err = json.Marshal(Validate(nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"format_version":"1.0","valid":true,"error_count":0,"warning_count":0,"diagnostics":[]}`; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTextInColour(t *testing.T) {
	directory := "testdata/broken/for_each_body_error"
	_, sources, diags := Load(directory, Options{Types: testTypes(), Environ: testEnviron})
	var text bytes.Buffer
	if err := WriteText(&text, Describe(diags, sources), TextOptions{Color: true, Width: 80}); err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("testdata", "colour.txt"), text.Bytes())
}
