package nvidia

import (
	"strings"

	"upkeep/providers/facts"
)

// gpus reports each GPU that NVML complains about, or does not list.
func (e *examination) gpus() {
	v := e.n.NVML
	if v.Unknown != "" || v.Kind != "" {
		return
	}
	for _, d := range e.n.Devices.GPUs {
		if _, listed := v.GPU(d.Address); !listed && d.Driver == "nvidia" {
			e.fault("GPU_LOST", StatusLost, ClassLost, gpuAt(d.Address), "nvidia-smi -L; dmesg | grep NVRM | tail -30",
				"the GPU is on the PCI bus, and NVML does not list the GPU")
		}
	}
	for _, g := range v.GPUs {
		before := len(e.state.Problems)
		e.gpu(g)
		if len(e.state.Problems) == before {
			e.state.Working++
		}
	}
}

func (e *examination) gpu(g facts.GPU) {
	object := gpuAt(g.PCI)
	serial := serialText(g.Serial)
	switch {
	case g.Kind == facts.NVMLLost:
		e.fault("GPU_LOST", StatusLost, ClassLost, object, "dmesg | grep NVRM | tail -30",
			"the GPU%s does not answer: %s", serial, g.Unknown)
		return
	case g.Kind == facts.NVMLReset:
		e.fault("GPU_RECOVERY_DUE", StatusFaulty, ClassReset, object, "nvidia-smi --gpu-reset -i "+g.PCI,
			"the GPU%s must be reset", serial)
		return
	case g.Unknown != "":
		e.unknown(object, g.Unknown)
		return
	}
	switch action := g.Recovery.Action; action {
	case "", facts.RecoveryNone:
	case facts.RecoveryReset, facts.RecoveryDrainReset:
		e.fault("GPU_RECOVERY_DUE", StatusFaulty, ClassReset, object, "nvidia-smi --gpu-reset -i "+g.PCI,
			"the driver asks for: %s%s", action, serial)
	case facts.RecoveryReboot:
		e.fault("GPU_RECOVERY_DUE", StatusFaulty, ClassReboot, object, "drain the node, then: systemctl reboot",
			"the driver asks for: %s%s", action, serial)
	default:
		e.fault("GPU_RECOVERY_DUE", StatusFaulty, ClassUnclear, object, "nvidia-smi -q -i "+g.PCI,
			"the driver asks for: %s%s", action, serial)
	}
	if why := g.Recovery.Unknown; why != "" && !normal(why) {
		e.unknown(object, "recovery action: "+why)
	}
	switch {
	case g.Remap.Failed:
		e.fault("GPU_REMAP_FAILED", StatusFaulty, ClassMemory, object, "nvidia-bug-report.sh",
			"a row of memory could not be replaced%s: the board must be replaced", serial)
	case g.Remap.Pending:
		e.due("GPU_REMAP_PENDING", object, "nvidia-smi --gpu-reset -i "+g.PCI,
			"a row of memory is replaced at the next reset%s", serial)
	case g.Remap.Unknown != "" && !normal(g.Remap.Unknown):
		e.unknown(object, "row remapping: "+g.Remap.Unknown)
	}
	switch {
	case g.ECC.Unknown != "" && !normal(g.ECC.Unknown):
		e.unknown(object, "ECC: "+g.ECC.Unknown)
	case g.ECC.Uncorrected > 0:
		e.due("GPU_ECC", object, "nvidia-smi -q -d ECC -i "+g.PCI,
			"%d uncorrected memory errors since the driver was loaded%s",
			g.ECC.Uncorrected, serial)
	}
}

// normal reports whether a part is unknown since this GPU or driver does not have it: no fault.
func normal(why string) bool { return strings.Contains(why, facts.NotSupported) }
