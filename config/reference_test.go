package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// TestReferencePagesAreFresh compares the pages of the language's own blocks with what the block types say. Pages of
// registered types are checked where those types are registered.
func TestReferencePagesAreFresh(t *testing.T) {
	directory := filepath.Join("..", "docs", "reference")
	for name, want := range ReferencePages(nil) {
		path := filepath.Join(directory, name)
		if name == "README.md" {
			continue // it lists registered types too
		}
		if *update {
			if err := os.MkdirAll(directory, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatalf("%v (write it with: go test ./config -update)", err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is out of date; run go test ./config -update (-want +got):\n%s", path, diff)
		}
	}
}

func TestReferencePagesOfRegisteredTypes(t *testing.T) {
	golden(t, "testdata/reference_certs.md", ReferencePages(testTypes())["certs.md"])
	if index := string(ReferencePages(testTypes())["README.md"]); !strings.Contains(index, "[`certs`](certs.md)") || !strings.Contains(index, "[`node`](node.md)") {
		t.Errorf("the index does not list certs and node:\n%s", index)
	}
}

func TestSchemaJSON(t *testing.T) {
	got, err := SchemaJSON(testTypes())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/schema.json", got)
	if !json.Valid(got) {
		t.Error("not JSON")
	}
}

// TestEverythingIsDocumented keeps words without an explanation out of the reference.
func TestEverythingIsDocumented(t *testing.T) {
	var walk func(path string, s Schema)
	walk = func(path string, s Schema) {
		for _, a := range s.Attributes {
			if !strings.HasSuffix(a.Doc, ".") {
				t.Errorf("%s.%s: the description %q is not a sentence", path, a.Name, a.Doc)
			}
		}
		for _, b := range s.Blocks {
			if b.Doc == "" {
				t.Errorf("%s.%s has no description", path, b.Name)
			}
			walk(path+"."+b.Name, b.Schema)
		}
	}
	for _, b := range Language() {
		if b.Doc == "" || b.Example == "" {
			t.Errorf("%s lacks a description or an example", b.Name)
		}
		walk(b.Name, b.Schema)
	}
	for name, f := range functions(reach{}) {
		if f.Description() == "" {
			t.Errorf("the function %s has no description", name)
		}
	}
}

// TestExamplesLoad: what the reference shows must work.
func TestExamplesLoad(t *testing.T) {
	var all strings.Builder
	for _, b := range Language() {
		if b.Name == "include" {
			continue // its files would have to exist; a valid configuration in testdata has an include block
		}
		if formatted := string(Format([]byte(b.Example))); formatted != b.Example {
			t.Errorf("the example of %s is not formatted:\n%s", b.Name, formatted)
		}
		if _, diags := hclsyntax.ParseConfig([]byte(b.Example), b.Name, hcl.InitialPos); diags.HasErrors() {
			t.Errorf("the example of %s: %v", b.Name, diags)
		}
		all.WriteString(b.Example)
	}
	desired, _, diags := Load(write(t, map[string]string{"all.upkeep.hcl": all.String()}), Options{Environ: testEnviron, Version: "1.0.0"})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	if len(desired.Nodes) != 3 || len(desired.Fleets) != 1 || len(desired.Connections) != 1 || desired.Cluster == nil {
		t.Errorf("not everything is there: %+v", desired)
	}
}
