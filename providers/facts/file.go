package facts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// FileVersion is the version of the facts file. A reader refuses another.
const FileVersion = 1

type file struct {
	Version int   `json:"facts_version"`
	World   World `json:"world"`
}

// Encode writes a facts file: indented JSON, the same bytes for the same world.
func Encode(w World) ([]byte, error) {
	data, err := json.MarshalIndent(file{FileVersion, w}, "", " ")
	if err != nil {
		return nil, fmt.Errorf("encoding facts: %w", err)
	}
	return append(data, '\n'), nil
}

// Decode reads a facts file. It refuses what Encode cannot have written: another version, words it does not know, a
// node under another's name, facts without a time.
func Decode(data []byte) (World, error) {
	in := json.NewDecoder(bytes.NewReader(data))
	in.DisallowUnknownFields()
	var f file
	if err := in.Decode(&f); err != nil {
		return World{}, fmt.Errorf("not a facts file: %w", err)
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		return World{}, errors.New("not a facts file: something follows the facts")
	}
	if f.Version != FileVersion {
		return World{}, fmt.Errorf("the facts file has version %d and this upkeep reads version %d", f.Version, FileVersion)
	}
	if f.World.ObservedAt.IsZero() {
		return World{}, errors.New("the facts file does not say when it was observed")
	}
	for name, node := range f.World.Nodes {
		if node == nil || node.Name != name {
			return World{}, fmt.Errorf("the facts of node %q are not its own", name)
		}
	}
	return f.World, nil
}
