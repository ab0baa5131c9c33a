package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// packagedHelpers is where the Debian package puts the helpers.
const packagedHelpers = "/usr/lib/upkeep"

// helperDirectory is where the helpers lie.
func helperDirectory() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find the helpers next to upkeep: %w", err)
	}
	if real, err := filepath.EvalSymlinks(self); err == nil {
		self = real
	}
	return helpersOf(self, packagedHelpers), nil
}

// helpersOf returns where the helpers of a program lie: beside it, else in ../lib/upkeep as seen from it, else in the packaged
// place. Where there are none, it is beside the program, so that errors name that place.
func helpersOf(program, packaged string) string {
	beside := filepath.Dir(program)
	for _, directory := range []string{beside, filepath.Join(beside, "..", "lib", "upkeep"), packaged} {
		if found, err := filepath.Glob(filepath.Join(directory, "upkeep-node-linux-*")); err == nil && len(found) > 0 {
			return directory
		}
	}
	return beside
}
