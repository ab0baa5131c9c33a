package facts

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// AcceptedNode is a machine that a person has accepted under the name of a node, as it was then. What comes later
// is compared with it: a box that was accepted with 8 GPUs and has 7 says 7 of 8.
type AcceptedNode struct {
	Name      string `json:"name"`
	MachineID string `json:"machine_id"`
	// HostKeys are the fingerprints of its SSH host keys; none where they were unknown.
	HostKeys []string      `json:"host_keys,omitempty"`
	GPUs     []AcceptedGPU `json:"gpus,omitempty"` // by PCI address
	Who      string        `json:"who,omitempty"`  // user@host
	At       time.Time     `json:"at"`
}

// AcceptedGPU is one GPU that the machine had.
type AcceptedGPU struct {
	PCI string `json:"pci"` // in the form of PCIAddress
	// Device is vendor:device, Model its name in provider-configs. Serial is empty where NVML did not tell it.
	Device string `json:"device,omitempty"`
	Model  string `json:"model,omitempty"`
	Serial string `json:"serial,omitempty"`
}

// acceptedOwner is the section of the memory that holds the accepted nodes.
var acceptedOwner = Address{Type: "node", Name: "accepted"}

// acceptedVersion is the version of that section.
const acceptedVersion = 1

type acceptedSection struct {
	Version int            `json:"version"`
	Nodes   []AcceptedNode `json:"nodes"`
}

// Accepted returns the accepted nodes by name.
func (m Memory) Accepted() (map[string]AcceptedNode, error) {
	var section acceptedSection
	if err := DecodeSection(acceptedOwner, m.Sections[acceptedOwner], acceptedVersion, &section); err != nil {
		return nil, err
	}
	accepted := make(map[string]AcceptedNode, len(section.Nodes))
	for _, n := range section.Nodes {
		accepted[n.Name] = n
	}
	return accepted, nil
}

// WithAccepted returns a memory in which some more nodes are accepted; m is not changed.
func (m Memory) WithAccepted(nodes ...AcceptedNode) (Memory, error) {
	accepted, err := m.Accepted()
	if err != nil {
		return m, err
	}
	for _, n := range nodes {
		accepted[n.Name] = n
	}
	section := acceptedSection{Version: acceptedVersion}
	for _, n := range accepted {
		section.Nodes = append(section.Nodes, n)
	}
	slices.SortFunc(section.Nodes, func(a, b AcceptedNode) int { return cmp.Compare(a.Name, b.Name) })
	data, err := json.Marshal(section)
	if err != nil {
		return m, fmt.Errorf("remembering the accepted nodes: %w", err)
	}
	return m.WithSections(Sections{acceptedOwner: data}), nil
}

// AcceptanceOf returns a node as a person would accept it now. It is an error where what tells the machine is
// unknown.
func AcceptanceOf(n Node) (AcceptedNode, error) {
	switch {
	case n.Unknown != "":
		return AcceptedNode{}, fmt.Errorf("nothing is known of %s: %s", n.Name, n.Unknown)
	case n.System.MachineID == "":
		return AcceptedNode{}, fmt.Errorf("the machine id of %s is unknown: %s", n.Name, n.System.Unknown)
	case n.NVIDIA.Unknown != "":
		return AcceptedNode{}, fmt.Errorf("the GPUs of %s are unknown: %s", n.Name, n.NVIDIA.Unknown)
	case n.NVIDIA.Devices.Unknown != "":
		return AcceptedNode{}, fmt.Errorf("the GPUs of %s are unknown: %s", n.Name, n.NVIDIA.Devices.Unknown)
	}
	a := AcceptedNode{Name: n.Name, MachineID: n.System.MachineID, HostKeys: n.Floor.HostKeys}
	for _, g := range n.NVIDIA.Devices.GPUs {
		one := AcceptedGPU{PCI: PCIAddress(g.Address), Device: g.Device, Model: g.Model}
		if told, known := n.NVIDIA.NVML.GPU(g.Address); known {
			one.Serial = told.Serial
		}
		a.GPUs = append(a.GPUs, one)
	}
	slices.SortFunc(a.GPUs, func(x, y AcceptedGPU) int { return cmp.Compare(x.PCI, y.PCI) })
	return a, nil
}

// Replaced says why a node is another machine than the accepted one; empty where it is the same, or that is
// unknown. Another machine id alone is another machine; so are host keys of which none is left.
func (a AcceptedNode) Replaced(n Node) string {
	if n.Unknown != "" || a.Name == "" {
		return ""
	}
	if id := n.System.MachineID; id != "" && id != a.MachineID {
		return fmt.Sprintf("machine id %s -> %s", a.MachineID, id)
	}
	if len(a.HostKeys) == 0 || len(n.Floor.HostKeys) == 0 {
		return ""
	}
	for _, key := range n.Floor.HostKeys {
		if slices.Contains(a.HostKeys, key) {
			return ""
		}
	}
	return fmt.Sprintf("SSH host key %s -> %s", a.HostKeys[0], n.Floor.HostKeys[0])
}

// GPU returns what NVML says of the GPU at an address in any form, and whether it lists one there.
func (n NVML) GPU(address string) (GPU, bool) {
	at := PCIAddress(address)
	for _, g := range n.GPUs {
		if at != "" && PCIAddress(g.PCI) == at {
			return g, true
		}
	}
	return GPU{}, false
}
