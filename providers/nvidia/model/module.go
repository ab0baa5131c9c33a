package model

import "slices"

// Which kernel modules a model works with (NVIDIA's "Transitioning to open-source GPU kernel modules", 2024-07, and the
// supported GPUs of the driver's release notes). The open modules need a GSP, which GPUs have from Turing on; Grace
// Hopper and Blackwell work with nothing else.
var (
	openOnly = []string{"b100", "b200", "b300", "gb200", "gb300", "gh200", "pro6000se", "rtx5090"}
	// Maxwell, Pascal and Volta. 580 is the last branch that supports them.
	proprietaryOnly = []string{
		"gt1030", "gtx1050", "gtx1050ti", "gtx1060", "gtx1070", "gtx1070ti", "gtx1080", "gtx1080ti", "gtx960", "gtx970",
		"gtx980ti",
		"m4000", "mx150", "p100", "p2000", "p4", "p40", "p4000", "p5000", "p6000", "v100",
	}
)

// OpenOnly reports whether a model works with the open kernel module alone.
func OpenOnly(name string) bool { return slices.Contains(openOnly, name) }

// ProprietaryOnly reports whether a model works with the proprietary kernel module alone. The last driver branch that
// supports such a model is LastProprietary.
func ProprietaryOnly(name string) bool { return slices.Contains(proprietaryOnly, name) }

// The bounds of branches by generation: the last one for Maxwell, Pascal and Volta, and the first one for Blackwell.
const (
	LastProprietary = 580
	FirstBlackwell  = 570
)

// Blackwell reports whether a model needs a driver of FirstBlackwell or later.
func Blackwell(name string) bool { return OpenOnly(name) && name != "gh200" }
