package state

import (
	"encoding/json"
	"fmt"

	"upkeep/providers/facts"
)

// first is version 1 of the format: its memory had the proofs of all etcd_backup blocks in one list and no sections.
type first struct {
	stored
	Memory struct {
		Durations map[string]float64   `json:"durations,omitempty"`
		Cluster   facts.Identity       `json:"cluster,omitzero"`
		Overrides []facts.UsedOverride `json:"overrides,omitempty"`
		Proofs    []facts.Proof        `json:"proofs,omitempty"`
	} `json:"memory"`
}

// decodeFirst reads version 1 and returns it as this version. Each proof goes to the section of its etcd_backup, in
// version 1 of that section, which the domain reads for ever.
func decodeFirst(data []byte) (stored, error) {
	var f first
	if err := strictly(data, &f); err != nil {
		return stored{}, err
	}
	s := f.stored
	s.Version = Version
	s.State.Memory = facts.Memory{Durations: f.Memory.Durations, Cluster: f.Memory.Cluster, Overrides: f.Memory.Overrides}
	proofs := map[facts.Address][]facts.Proof{}
	for _, proof := range f.Memory.Proofs {
		address, err := facts.ParseAddress(proof.Address)
		if err != nil {
			return stored{}, fmt.Errorf("the proof of bundle %s: %w", proof.Bundle, err)
		}
		proofs[address] = append(proofs[address], proof)
	}
	for address, list := range proofs {
		section, err := json.Marshal(map[string]any{"version": 1, "proofs": list})
		if err != nil {
			return stored{}, fmt.Errorf("the proofs of %s: %w", address, err)
		}
		s.State.Memory = s.State.Memory.WithSections(facts.Sections{address: section})
	}
	return s, nil
}
