package backup

import (
	"encoding/json"
	"fmt"
	"slices"

	"upkeep/providers/facts"
)

// sectionVersion is the version of the memory's section of an etcd_backup.
const sectionVersion = 2

// section is what the state remembers of one etcd_backup.
type section struct {
	Version int `json:"version"`
	// Proofs are the bundles that were proved, oldest proof first.
	Proofs []facts.Proof `json:"proofs,omitempty"`
}

// Remembered returns the proofs that the memory has of one etcd_backup, oldest proof first.
func Remembered(memory facts.Memory, address facts.Address) ([]facts.Proof, error) {
	var s section
	if err := facts.DecodeSection(address, memory.Sections[address], sectionVersion, &s); err != nil {
		return nil, err
	}
	return s.Proofs, nil
}

// WithProofs returns the section of an etcd_backup that knows these proofs as well: each takes the place of an earlier one
// of the same bundle at the same level. A section that it cannot read is an error, and must not be replaced.
func WithProofs(address facts.Address, old json.RawMessage, proofs ...facts.Proof) (json.RawMessage, error) {
	return changed(address, old, func(known []facts.Proof) []facts.Proof {
		for _, p := range proofs {
			known = slices.DeleteFunc(known, func(old facts.Proof) bool { return old.Bundle == p.Bundle && old.Level == p.Level })
			known = append(known, p)
		}
		return known
	})
}

// Without returns the section of an etcd_backup without the proofs of bundles.
func Without(address facts.Address, old json.RawMessage, bundles ...string) (json.RawMessage, error) {
	return changed(address, old, func(known []facts.Proof) []facts.Proof {
		return slices.DeleteFunc(known, func(p facts.Proof) bool { return slices.Contains(bundles, p.Bundle) })
	})
}

// Going returns the section with bundles marked that are about to be removed: one that is killed on the way leaves none that
// is missed.
func Going(address facts.Address, old json.RawMessage, bundles ...string) (json.RawMessage, error) {
	return changed(address, old, func(known []facts.Proof) []facts.Proof {
		for i, p := range known {
			known[i].Going = p.Going || slices.Contains(bundles, p.Bundle)
		}
		return known
	})
}

func changed(address facts.Address, old json.RawMessage, change func([]facts.Proof) []facts.Proof) (json.RawMessage, error) {
	s := section{}
	if err := facts.DecodeSection(address, old, sectionVersion, &s); err != nil {
		return nil, err
	}
	s.Version, s.Proofs = sectionVersion, change(s.Proofs)
	data, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode the memory of %s: %w", address, err)
	}
	return data, nil
}

// learned is the update of the memory by one proof; none where the section cannot be read, which every look says.
func learned(memory facts.Memory, address facts.Address, proof facts.Proof) facts.Sections {
	data, err := WithProofs(address, memory.Sections[address], proof)
	if err != nil {
		return nil
	}
	return facts.Sections{address: data}
}

// adding is the change of a section by a proof, for Tools.Remember.
func adding(address facts.Address, proof facts.Proof) func(json.RawMessage) (json.RawMessage, error) {
	return func(old json.RawMessage) (json.RawMessage, error) { return WithProofs(address, old, proof) }
}
