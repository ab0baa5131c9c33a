package config

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// testEnviron is the environment of every test; paths under HOME must not depend on who runs the test.
var testEnviron = []string{"HOME=/home/ops", "UPKEEP_VAR_region=fra", "EMPTY="}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (write it with: go test ./config -update)", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestValid(t *testing.T) {
	directories, err := filepath.Glob("testdata/valid/*")
	if err != nil || len(directories) == 0 {
		t.Fatal("no cases", err)
	}
	working, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, directory := range directories {
		t.Run(filepath.Base(directory), func(t *testing.T) {
			desired, _, diags := Load(directory, Options{Types: testTypes(), Environ: testEnviron, Version: "0.1.0-dev"})
			for _, d := range diags {
				t.Error(d)
			}
			for i := range desired.Connections {
				for _, path := range []*string{&desired.Connections[i].KnownHosts, &desired.Connections[i].Identity} {
					if rel, err := filepath.Rel(working, *path); *path != "" && err == nil {
						*path = rel
					}
				}
			}
			got, err := json.MarshalIndent(desired, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join(directory, "desired.json"), append(got, '\n'))
		})
	}
}

// write makes a configuration directory.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	directory := t.TempDir()
	for name, text := range files {
		path := filepath.Join(directory, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return directory
}
