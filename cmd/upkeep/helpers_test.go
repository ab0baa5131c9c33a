package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestHelpersOf(t *testing.T) {
	root := t.TempDir()
	program, packaged := filepath.Join(root, "usr", "bin", "upkeep"), filepath.Join(root, "packaged")
	place := func(directory string) {
		t.Helper()
		if err := os.MkdirAll(directory, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(directory, "upkeep-node-linux-amd64"), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	want := filepath.Dir(program)
	check := func(when string) {
		t.Helper()
		if got := helpersOf(program, packaged); got != want {
			t.Errorf("%s: %s, want %s", when, got, want)
		}
	}
	check("no helpers")
	place(packaged)
	want = packaged
	check("packaged helpers alone")
	want = filepath.Join(root, "usr", "lib", "upkeep")
	place(want)
	check("helpers of the same prefix")
	want = filepath.Dir(program)
	place(want)
	check("helpers beside it")
}
