package facts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"upkeep/providers/plain"
)

// FileVersion is the newest version of the facts file, which a reader refuses any newer one of. Version 1 is a world
// alone; version 2 has next to it what the state remembered.
const FileVersion = 2

// Recording is what a facts file holds: all that a plan is made from, except for the configuration. So the one who
// plans from it needs no cluster and no state.
type Recording struct {
	World World
	// Memory is what the state remembered, and Lineage and Serial say which state that was; empty where there was none.
	Memory  Memory
	Lineage string
	Serial  uint64
	// Seals are what stood for the secrets of each resource, by their paths, under the key that seals those of the world:
	// equal texts are equal secrets.
	Seals map[Address]map[string]string
}

type file struct {
	Version int                           `json:"facts_version"`
	World   World                         `json:"world"`
	State   *fileState                    `json:"state,omitempty"`
	Seals   map[Address]map[string]string `json:"seals,omitempty"`
}

type fileState struct {
	Lineage string `json:"lineage,omitempty"`
	Serial  uint64 `json:"serial"`
	Memory  Memory `json:"memory"`
}

// Encode writes a facts file of a world alone: indented JSON, the same bytes for the same world.
func Encode(w World) ([]byte, error) { return Recording{World: w}.Encode() }

// Encode writes a facts file: indented JSON, the same bytes for the same recording.
func (r Recording) Encode() ([]byte, error) {
	f := file{Version: 1, World: r.World, Seals: r.Seals}
	if r.Lineage != "" {
		f.State = &fileState{r.Lineage, r.Serial, r.Memory}
	}
	if f.State != nil || len(f.Seals) > 0 {
		f.Version = 2
	}
	data, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		return nil, fmt.Errorf("encoding facts: %w", err)
	}
	return append(data, '\n'), nil
}

// Decode reads the world of a facts file; see DecodeRecording.
func Decode(data []byte) (World, error) {
	r, err := DecodeRecording(data)
	return r.World, err
}

// DecodeRecording reads a facts file that is in memory; see ReadRecording.
func DecodeRecording(data []byte) (Recording, error) { return ReadRecording(bytes.NewReader(data)) }

// ReadRecording reads a facts file, of which it holds one node's text at a time. It refuses what Encode cannot have
// written: a newer version, words it does not know, a key that stands twice, a node under another's name, facts without
// a time.
func ReadRecording(in io.Reader) (Recording, error) {
	f, err := readFile(in)
	if f.Version > FileVersion {
		return Recording{}, fmt.Errorf("the facts file has version %d and this upkeep reads versions 1 to %d", f.Version, FileVersion)
	}
	if err != nil {
		return Recording{}, err
	}
	if f.Version < 1 {
		return Recording{}, errors.New("not a facts file: it has no facts_version")
	}
	plain.In(&f.World, plain.Text) // anybody may have written the file
	plain.QuoteRecorded(&f.World)
	if f.World.ObservedAt.IsZero() {
		return Recording{}, errors.New("the facts file does not say when it was observed")
	}
	for name, node := range f.World.Nodes {
		if node == nil || node.Name != name {
			return Recording{}, fmt.Errorf("the facts of node %q are not its own", name)
		}
	}
	r := Recording{World: f.World, Seals: f.Seals}
	if s := f.State; s != nil {
		r.Memory, r.Lineage, r.Serial = s.Memory, s.Lineage, s.Serial
	}
	return r, nil
}
