// Package model says which NVIDIA GPU a PCI device id is: its model, interface and memory in the names of Akash's
// provider-configs, and on what kind of board it is.
//
// It is a table and looks at nothing. It promises no answer: a GPU that is newer than the table is unknown, and
// unknown is never the same as having no fabric.
package model

import "strings"

// Board is the kind of board that a GPU's id alone tells. Ids of earlier GPUs tell none.
type Board string

// The boards.
const (
	// HGX is an HGX Blackwell, whose NVLink switches are no PCI functions of the host (reference: NVIDIA's
	// fabric-manager package from 570 on, whose unit looks for ConnectX functions instead).
	HGX Board = "HGX"
	// Tray is a compute tray of an NVL72 rack: the fabric manager runs on the rack's switch trays.
	Tray Board = "tray"
)

// GPU is one model.
type GPU struct {
	// Name is that of provider-configs: "h100". Memory is written like "80Gi".
	Name, Interface, Memory string
	Board                   Board
}

// SXM reports whether the GPU is a module on a baseboard, and no card.
func (g GPU) SXM() bool { return strings.HasPrefix(g.Interface, "SXM") }

// Vendor is NVIDIA's PCI vendor id.
const Vendor = "10de"

// Of returns the model of a device id in small letters, "2330".
func Of(device string) (GPU, bool) {
	if g, ok := listed[device]; ok {
		return g, true
	}
	g, ok := others[device]
	return g, ok
}

// Known reports whether any GPU has this name, so that a mistyped model in a configuration is found.
func Known(name string) bool {
	for _, table := range []map[string]GPU{listed, others} {
		for _, g := range table {
			if g.Name == name {
				return true
			}
		}
	}
	return false
}
