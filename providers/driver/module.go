package driver

import (
	"fmt"
	"strconv"
	"strings"

	"upkeep/providers/facts"
	"upkeep/providers/nvidia/model"
)

// moduleOf says whether a node is to have the open kernel module. why says what is impossible with its GPUs.
func moduleOf(declared, branch string, n facts.Node) (open bool, why string) {
	number, _ := strconv.Atoi(branch)
	names, _ := n.NVIDIA.Devices.Models()
	needsOpen, needsOther := "", ""
	for _, name := range names {
		switch {
		case model.OpenOnly(name):
			needsOpen = name
		case model.ProprietaryOnly(name):
			needsOther = name
		}
		switch {
		case model.Blackwell(name) && number < model.FirstBlackwell:
			return false, fmt.Sprintf("%s needs branch %d or later", name, model.FirstBlackwell)
		case model.ProprietaryOnly(name) && number > model.LastProprietary:
			return false, fmt.Sprintf("branch %d is the last one that supports %s", model.LastProprietary, name)
		}
	}
	switch {
	case needsOpen != "" && needsOther != "":
		return false, fmt.Sprintf("%s works with the open kernel module alone, and %s with the proprietary one alone",
			needsOpen, needsOther)
	case needsOpen != "" && declared == Proprietary:
		return false, needsOpen + " works with the open kernel module alone"
	case needsOther != "" && declared == Open:
		return false, needsOther + " works with the proprietary kernel module alone"
	case declared != Auto:
		return declared == Open, ""
	case needsOpen != "" || needsOther != "":
		return needsOpen != "", ""
	case n.NVIDIA.Module.Loaded:
		return n.NVIDIA.Module.Open, ""
	}
	if license := n.NVIDIA.ModuleOf(n.System.Kernel).License; license != "" {
		return strings.Contains(license, "GPL"), ""
	}
	return true, ""
}

// moduleText is how the plan calls a kernel module.
func moduleText(open bool) string {
	if open {
		return Open
	}
	return Proprietary
}
