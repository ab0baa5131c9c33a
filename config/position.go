package config

import (
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
)

// PositionOf returns the start of a range, with the file relative to a directory where it lies below it.
func PositionOf(r hcl.Range, directory string) Position {
	file := r.Filename
	if rel, err := filepath.Rel(directory, file); err == nil && filepath.IsLocal(rel) {
		file = rel
	}
	return Position{File: filepath.ToSlash(file), Line: r.Start.Line}
}
