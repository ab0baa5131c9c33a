package main

import (
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
)

// damageBundle flips a byte in the middle of the newest bundle of a directory: damage-bundle DIRECTORY.
func damageBundle(ts *testscript.TestScript, _ bool, args []string) {
	paths, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "*.upkeep-bundle"))
	ts.Check(err)
	if len(paths) == 0 {
		ts.Fatalf("%s has no bundle", args[0])
	}
	path := paths[len(paths)-1] // their names end in their times
	data, err := os.ReadFile(path)
	ts.Check(err)
	data[len(data)/2] ^= 1
	ts.Check(os.WriteFile(path, data, 0o600))
}
