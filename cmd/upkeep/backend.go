package main

import (
	"fmt"
	"path/filepath"

	"upkeep/state"
	"upkeep/state/local"
	"upkeep/state/spill"
)

// stateTypes are the kinds of state backends that there are; a new one is a line here.
func stateTypes(env environment) []state.Type {
	return []state.Type{local.Type(local.Options{Trace: env.trace})}
}

// stateBackend returns the backend that the configuration names.
func stateBackend(w workspace) (state.Backend, error) {
	return state.Open(w.desired.State, w.directory, stateTypes(w.env)...)
}

// spillDirectories are where a run keeps records that its journal does not take, in the order in which they are tried:
// beside the configuration, then among the user's own files, which may lie on another disk.
func spillDirectories(w workspace) []string {
	directories := []string{filepath.Join(w.directory, ".upkeep")}
	if home := w.env.lookup("XDG_STATE_HOME"); filepath.IsAbs(home) {
		return append(directories, filepath.Join(home, "upkeep"))
	}
	if home := w.env.lookup("HOME"); filepath.IsAbs(home) {
		return append(directories, filepath.Join(home, ".local", "state", "upkeep"))
	}
	return directories
}

// mergeSpilled adds what an earlier run could not write to its journal, and says so.
func mergeSpilled(w workspace, lock state.Lock) error {
	merged, err := spill.Merge(lock.Context(), lock, spillDirectories(w), w.env.trace)
	for _, m := range merged {
		word := "Note"
		if m.Problem != "" {
			word = "Warning"
		}
		fmt.Fprintf(w.env.stderr, "%s: %s\n", word, m)
	}
	return err
}
