package driver

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// sectionVersion is the version of the memory's section of an nvidia_driver block.
const sectionVersion = 1

// mostProofs is how many versions the memory keeps of one model: a block that goes back to an older version finds the
// older proof, and the section does not grow for ever.
const mostProofs = 4

// section is what the state remembers of one nvidia_driver block.
type section struct {
	Version int     `json:"version"`
	Proofs  []proof `json:"proofs,omitempty"`
}

// proof says that a version of the driver was proved on the node that had it first of all nodes of its model.
type proof struct {
	Model  string `json:"model"`
	Driver string `json:"driver"`
	Node   string `json:"node"`
	// GPUs is how many worked then.
	GPUs int       `json:"gpus,omitempty"`
	At   time.Time `json:"at"`
}

// remembered returns the proofs that the memory has of a block.
func remembered(memory facts.Memory, block providers.Address) ([]proof, error) {
	var s section
	if err := facts.DecodeSection(block, memory.Sections[block], sectionVersion, &s); err != nil {
		return nil, err
	}
	return s.Proofs, nil
}

// proofOf returns the proof of a model and version; nil: there is none.
func proofOf(proofs []proof, model, version string) *proof {
	i := slices.IndexFunc(proofs, func(p proof) bool { return p.Model == model && p.Driver == version })
	if i < 0 {
		return nil
	}
	return &proofs[i]
}

// Remember returns the section of a block that knows what a step of OperationRecord has learned at a time. A section
// that it cannot read is an error, and must not be replaced.
func Remember(old json.RawMessage, step providers.Step, at time.Time) (json.RawMessage, error) {
	a, err := providers.ArgsOf[canaryArgs](step)
	if err != nil {
		return nil, err
	}
	block := step.Address.Resource()
	s := section{}
	if err := facts.DecodeSection(block, old, sectionVersion, &s); err != nil {
		return nil, err
	}
	s.Version = sectionVersion
	s.Proofs = slices.DeleteFunc(s.Proofs, func(p proof) bool { return p.Model == a.Model && p.Driver == a.Version })
	s.Proofs = append(s.Proofs, proof{Model: a.Model, Driver: a.Version, Node: a.Canary, GPUs: a.GPUs, At: at.UTC()})
	kept := map[string]int{}
	for i := len(s.Proofs) - 1; i >= 0; i-- { // the newest are last
		if kept[s.Proofs[i].Model]++; kept[s.Proofs[i].Model] > mostProofs {
			s.Proofs = slices.Delete(s.Proofs, i, i+1)
		}
	}
	data, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode the memory of %s: %w", block, err)
	}
	return data, nil
}

// modelOf names the model of a node's GPUs as provider-configs does: "h100". GPUs of several models are a model of
// their own, "a100+h100"; one that upkeep's table does not have goes by its PCI id. Empty: nothing is known of them.
func modelOf(n facts.Node) string {
	var names []string
	for _, g := range n.NVIDIA.Devices.GPUs {
		names = append(names, orElse(g.Model, orElse(strings.ReplaceAll(g.Device, ":", "-"), "unknown")))
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), "+")
}
