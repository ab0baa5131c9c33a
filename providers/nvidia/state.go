package nvidia

import (
	"fmt"
	"slices"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// Status names what a node is as a machine with GPUs. The worst that holds is the status.
type Status string

// The statuses, the worst first. Unknown is never healthy: it stands before everything that only works in part.
const (
	StatusLost     Status = "GPU lost"
	StatusNoDriver Status = "driver not working"
	StatusMismatch Status = "versions differ"
	StatusFabric   Status = "fabric down"
	StatusFaulty   Status = "GPU faulty"
	StatusUnknown  Status = "unknown"
	StatusDue      Status = "work is due"
	StatusHealthy  Status = "healthy"
	StatusNone     Status = "no GPU"
)

// The classes of faults that a block may quarantine a node for.
const (
	ClassLost    = "lost"    // a GPU is missing, or does not answer
	ClassDriver  = "driver"  // the driver does not work: not loaded, versions that differ, CUDA fails
	ClassFabric  = "fabric"  // the fabric manager is needed and does not work
	ClassMemory  = "memory"  // a row of memory could not be replaced
	ClassReset   = "reset"   // the driver or NVIDIA's table asks for a reset of the GPU
	ClassReboot  = "reboot"  // the driver or NVIDIA's table asks for a reboot
	ClassHands   = "hands"   // somebody must look at the hardware
	ClassUnclear = "unclear" // NVIDIA names no action for the fault
)

// FaultClasses lists the classes, in the order of their constants.
func FaultClasses() []string {
	return []string{ClassLost, ClassDriver, ClassFabric, ClassMemory, ClassReset, ClassReboot, ClassHands,
		ClassUnclear}
}

// Problem is one thing that does not hold on a node.
type Problem struct {
	ID       string
	Severity providers.Severity
	// Status is what the node is because of it.
	Status Status
	// Class is the class of a fault that is seen now; empty where nobody may be cordoned for it.
	Class  string
	Object string // "GPU 0000:3b:00", "fabric manager"
	// Summary says what was seen, Hint what to type.
	Summary, Hint string
	Unknown       bool
}

// State is what a node is.
type State struct {
	Status Status
	// GPUs are on the PCI bus, Working those that NVML lists without a complaint.
	GPUs, Working int
	Models        []string
	Driver        string
	Problems      []Problem
}

// Look is everything that the state of a node follows from.
type Look struct {
	Node facts.Node
	// Kubernetes is the node's object; nil where there is none, or the API did not answer.
	Kubernetes *facts.KubernetesNode
	// Claims are those of other programs on the node.
	Claims []facts.MaintenanceClaim
	// Accepted is the machine as a person accepted it; the zero value: nobody did.
	Accepted facts.AcceptedNode
	Earlier  facts.Earlier
	Clock    providers.Clock
	Repeat   Repeat
	Ignores  []Ignore
}

// examination is one look in progress.
type examination struct {
	Look
	n     facts.NVIDIA
	state State
	// operator: NVIDIA's GPU Operator runs the driver in a container, so the host has neither packages nor units.
	operator bool
}

// StateOf says what a node is. It is pure, and takes one pass over the node's facts.
func StateOf(look Look) State {
	e := &examination{Look: look, n: look.Node.NVIDIA}
	switch {
	case look.Node.Unknown != "":
		e.unknown("node", look.Node.Unknown)
	case e.n.Unknown != "":
		e.unknown("driver", e.n.Unknown)
	case e.n.Absent && len(look.Accepted.GPUs) == 0:
		return State{Status: StatusNone}
	case e.n.Absent:
		e.hardware()
	default:
		e.operator = slices.ContainsFunc(e.n.Maintainers.Found, func(m facts.Maintainer) bool {
			return m.Name == facts.MaintainerOperator
		})
		e.hardware()
		e.driver()
		e.libraries()
		e.nvml()
		e.gpus()
		e.cuda()
		e.fabric()
		e.packages()
		e.containers()
		e.kernelLog()
	}
	e.state.Status = worst(e.state.Problems)
	return e.state
}

// worst returns the worst status of some problems.
func worst(problems []Problem) Status {
	order := []Status{
		StatusLost, StatusNoDriver, StatusMismatch, StatusFabric, StatusFaulty, StatusUnknown, StatusDue, StatusHealthy,
	}
	at := len(order) - 1
	for _, p := range problems {
		if i := slices.Index(order, p.Status); i >= 0 && i < at {
			at = i
		}
	}
	return order[at]
}

func (e *examination) add(p Problem) { e.state.Problems = append(e.state.Problems, p) }

// unknown notes a part of which nothing is known.
func (e *examination) unknown(object, why string) {
	e.add(Problem{
		ID: "NVIDIA_UNKNOWN", Severity: providers.SeverityError, Status: StatusUnknown, Object: object,
		Summary: why, Unknown: true,
	})
}

// fault is a problem that keeps the node from its work now.
func (e *examination) fault(id string, status Status, class, object, hint, format string, args ...any) {
	e.add(Problem{
		ID: id, Severity: providers.SeverityError, Status: status, Class: class, Object: object, Hint: hint,
		Summary: fmt.Sprintf(format, args...),
	})
}

// due is a problem that will keep the node from its work later.
func (e *examination) due(id, object, hint, format string, args ...any) {
	e.add(Problem{
		ID: id, Severity: providers.SeverityWarning, Status: StatusDue, Object: object, Hint: hint,
		Summary: fmt.Sprintf(format, args...),
	})
}

// note is worth knowing, and no problem.
func (e *examination) note(id, object, hint, format string, args ...any) {
	e.add(Problem{
		ID: id, Severity: providers.SeverityNote, Status: StatusHealthy, Object: object, Hint: hint,
		Summary: fmt.Sprintf(format, args...),
	})
}

func gpuAt(address string) string { return "GPU " + facts.PCIAddress(address) }

// hardware compares the PCI bus with what a person accepted. It needs no driver.
func (e *examination) hardware() {
	d := e.n.Devices
	if d.Unknown != "" {
		e.unknown("PCI bus", d.Unknown)
		return
	}
	e.state.GPUs = len(d.GPUs)
	names, strangers := d.Models()
	e.state.Models = names
	if strangers > 0 {
		e.note("GPU_MODEL_UNKNOWN", "PCI bus", "", "%d GPUs have a PCI id that upkeep does not know", strangers)
	}
	for _, g := range d.GPUs {
		switch {
		case g.Unknown != "":
			e.unknown(gpuAt(g.Address), g.Unknown)
		case g.Driver == "" || g.Driver == "nouveau":
			e.fault("GPU_UNBOUND", StatusNoDriver, ClassDriver, gpuAt(g.Address), "dmesg | grep -E 'NVRM|nouveau'",
				"the GPU is bound to %s, not to nvidia", orElse(g.Driver, "no driver"))
		}
	}
	e.inventory()
}

// inventory tells missing, moved and replaced GPUs by PCI address and serial number.
func (e *examination) inventory() {
	accepted := e.Accepted.GPUs
	if len(accepted) == 0 {
		return
	}
	hint := "upkeep node accept " + e.Node.Name
	bus := map[string]facts.PCIDevice{}
	serials := map[string]string{} // where a serial number is now
	for _, g := range e.n.Devices.GPUs {
		bus[facts.PCIAddress(g.Address)] = g
	}
	for _, g := range e.n.NVML.GPUs {
		if g.Serial != "" {
			serials[g.Serial] = facts.PCIAddress(g.PCI)
		}
	}
	known := map[string]bool{}
	for _, a := range accepted {
		known[a.PCI] = true
		told, _ := e.n.NVML.GPU(a.PCI)
		_, there := bus[a.PCI]
		at, moved := serials[a.Serial]
		moved = moved && a.Serial != "" && at != a.PCI
		switch {
		case moved:
			e.due("GPU_REPLACED", gpuAt(a.PCI), hint, "the GPU with serial %s moved: %s -> %s", a.Serial, a.PCI, at)
		case !there:
			e.fault("GPU_MISSING", StatusLost, ClassLost, gpuAt(a.PCI), "lspci -s "+a.PCI+".0",
				"%d of %d accepted GPUs are on the PCI bus; this GPU%s is missing", len(bus), len(accepted), serialText(a.Serial))
		case a.Serial != "" && told.Serial != "" && told.Serial != a.Serial:
			e.due("GPU_REPLACED", gpuAt(a.PCI), hint, "another GPU is in this slot: serial %s -> %s", a.Serial, told.Serial)
		case a.Device != "" && bus[a.PCI].Device != "" && a.Device != bus[a.PCI].Device:
			e.due("GPU_REPLACED", gpuAt(a.PCI), hint, "another GPU is in this slot: %s -> %s", a.Device, bus[a.PCI].Device)
		}
	}
	for _, g := range e.n.Devices.GPUs {
		at := facts.PCIAddress(g.Address)
		told, _ := e.n.NVML.GPU(at)
		moved := told.Serial != "" && slices.ContainsFunc(accepted,
			func(a facts.AcceptedGPU) bool { return a.Serial == told.Serial })
		if !known[at] && !moved {
			e.due("GPU_REPLACED", gpuAt(at), hint, "nobody has accepted this GPU%s", serialText(told.Serial))
		}
	}
}

func serialText(serial string) string {
	if serial == "" {
		return ""
	}
	return " (serial " + serial + ")"
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
