package nvidia

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/nvidia/kernellog"
	"upkeep/providers/nvidia/xid"
)

// recent is how old a line of the kernel log may be to count as seen now. What lasts longer shows in the state of
// the GPU itself. A breaker of a peer that was stopped for long acted on events of days before (NVSentinel#450).
const recent = 24 * time.Hour

// faultsOf returns the faults of a kernel log that the kernel itself told, from some record on.
func faultsOf(log facts.KernelLog, from uint64) (faults []kernellog.Fault, events []facts.KernelEvent) {
	var kept kernellog.Log
	for _, e := range log.Events {
		if e.Sequence < from || e.Origin == string(kernellog.User) {
			continue
		}
		events = append(events, e)
		kept.Events = append(kept.Events, kernellog.Event{
			Kind: kernellog.Kind(e.Kind), Topic: kernellog.Topic(e.Topic), Code: e.Code, Unclassified: e.Unclassified,
			PCI: facts.PCIAddress(e.PCI),
			MIG: e.MIG, Severity: e.Severity, Cause: e.Cause, Client: e.Client, Module: e.Module,
			Origin: kernellog.Origin(e.Origin),
			Boot:   log.Boot, Sequence: e.Sequence, HasSequence: true, Monotonic: e.Monotonic, Wall: e.At, Text: e.Text,
		})
	}
	return kernellog.Faults(kept), events
}

// kernelLog reports the faults that the kernel log of this boot tells.
func (e *examination) kernelLog() {
	l := e.Node.KernelLog
	if l.Unknown != "" {
		e.unknown("kernel log", l.Unknown)
		return
	}
	if l.Truncated {
		e.unknown("kernel log", "the log holds more than one answer may hold")
	}
	if l.Lost > 0 {
		e.note("NVIDIA_LOG_GAP", "kernel log", "",
			"%d records were overwritten before upkeep read the log: counts are lower bounds", l.Lost)
	}
	faults, events := faultsOf(l, 0)
	for _, f := range faults {
		if e.ignored(f) {
			continue
		}
		e.logged(f, events[f.First], events[f.Last])
	}
	e.repeats()
}

// logged reports one fault. Old ones are worth knowing, and nobody acts on them.
func (e *examination) logged(f kernellog.Fault, first, last facts.KernelEvent) {
	object := name(f)
	if f.PCI != "" {
		object = gpuAt(f.PCI) + " " + object
	}
	times := fmt.Sprintf("%d times", f.Count)
	if f.Count == 1 {
		times = "once"
	}
	if e.Node.KernelLog.LowerBound {
		times = "at least " + times
	}
	when := ""
	if !last.At.IsZero() {
		when = ", last " + last.At.UTC().Format("2006-01-02 15:04 MST")
	}
	class, meaning := classOf(f)
	text := fmt.Sprintf("%s: %s%s", meaning, times, when)
	if f.Recovery != "" {
		text += ". The driver asks for: " + f.Recovery
	}
	hint := hintOf(f)
	id, fault := idOf(class)
	old := !last.At.IsZero() && e.Clock.Beyond(last.At.Add(recent))
	before := len(e.state.Problems)
	defer func() {
		for i := range e.state.Problems[before:] {
			if last.At.IsZero() { // nobody is cordoned for what may be old
				e.state.Problems[before+i].Class = ""
			}
		}
	}()
	switch {
	case f.Kind == kernellog.NVRM:
		e.driverSaid(f, first, object, text, old)
	case fault && !old:
		e.fault(id, StatusFaulty, string(class), object, hint, "%s", text)
	case class == xid.Unclear && !old:
		e.due(id, object, hint, "%s", text)
		e.state.Problems[len(e.state.Problems)-1].Class = ClassUnclear
	default:
		e.note(id, object, hint, "%s", text)
	}
}

// driverSaid reports what the driver said without a code.
func (e *examination) driverSaid(f kernellog.Fault, first facts.KernelEvent, object, text string, old bool) {
	switch {
	case f.Topic == kernellog.Mismatch:
		e.note("NVIDIA_API_MISMATCH", "kernel log", "ls -l /usr/lib/*/libcuda.so.1; cat /proc/driver/nvidia/version",
			"a program with version %s met module %s. %s", orElse(first.Client, "unknown"), orElse(first.Module,
				"unknown"), text)
	case old:
		e.note("NVIDIA_DRIVER_ERROR", object, "dmesg | grep NVRM | tail -30", "%s", text)
	default:
		e.fault("NVIDIA_DRIVER_ERROR", StatusNoDriver, ClassDriver, object, "dmesg | grep NVRM | tail -30", "%s", text)
	}
}

// name is how people call a fault: "Xid 79", "SXid 26006", "driver message".
func name(f kernellog.Fault) string {
	switch {
	case f.Kind == kernellog.NVRM:
		return "driver message"
	case f.Code == 0:
		return string(f.Kind) + " without a code"
	}
	return fmt.Sprintf("%s %d", f.Kind, f.Code)
}

// topicTexts say what the driver's lines without a code are about.
var topicTexts = map[kernellog.Topic]string{
	kernellog.Mismatch: "the versions of a program and of the module differ",
	kernellog.Init:     "the GPU could not be initialised",
	kernellog.Probe:    "the driver took no device", kernellog.NotSupport: "the open module does not support this GPU",
	kernellog.Region: "the firmware gave the device no valid PCI region",
}

// classOf says what a person does about a fault. The last Xid 154 of the GPU outranks NVIDIA's table.
func classOf(f kernellog.Fault) (xid.Class, string) {
	var entry xid.Entry
	switch f.Kind {
	case kernellog.NVRM:
		return xid.Unclear, orElse(topicTexts[f.Topic], "a message of the driver")
	case kernellog.SXid:
		entry = xid.LookupSwitch(f.Code)
		switch f.Severity {
		case "Fatal":
			entry.Class = xid.Reset
		case "Non-fatal":
			entry.Class = xid.Watch
		default:
			if !entry.Known {
				entry.Class = xid.Unclear
			}
		}
	default:
		entry = xid.Lookup(f.Code)
	}
	meaning := orElse(strings.TrimRight(entry.Meaning, "."), "no meaning is known")
	switch {
	case f.Unclassified && f.Code == 0:
		return xid.Unclear, "a line that upkeep cannot read"
	case f.Recovery == "":
		return entry.Class, meaning
	case strings.Contains(f.Recovery, "Reboot"):
		return xid.Reboot, meaning
	case strings.Contains(f.Recovery, "Reset"):
		return xid.Reset, meaning
	case f.Recovery == "None":
		return xid.Watch, meaning
	}
	return xid.Unclear, meaning
}

// idOf returns the id of the finding about a class, and whether the class keeps the node from its work.
func idOf(class xid.Class) (id string, fault bool) {
	switch class {
	case xid.Reset:
		return "NVIDIA_XID_RESET", true
	case xid.Reboot:
		return "NVIDIA_XID_REBOOT", true
	case xid.Hands:
		return "NVIDIA_XID_HANDS", true
	case xid.App:
		return "NVIDIA_XID_APP", false
	case xid.Watch, xid.Follow:
		return "NVIDIA_XID_WATCH", false
	}
	return "NVIDIA_XID_UNCLASSIFIED", false
}

func hintOf(f kernellog.Fault) string {
	switch {
	case f.Kind == kernellog.NVRM || f.Code == 0:
		return "dmesg | grep -E 'NVRM|SXid' | tail -30"
	case f.Kind == kernellog.SXid:
		return fmt.Sprintf("upkeep explain sxid %d", f.Code)
	}
	return fmt.Sprintf("upkeep explain xid %d", f.Code)
}

// repeats reports GPUs whose faults come back, by serial number: over boots and slots.
func (e *examination) repeats() {
	if e.Repeat.Faults == 0 {
		return
	}
	now := NewFaults(e.Node, e.Accepted, e.Earlier)
	for _, g := range e.n.NVML.GPUs {
		if g.Serial == "" {
			continue
		}
		known := e.Earlier.Faults[g.Serial]
		known.Last = slices.Concat(known.Last, now[g.Serial])
		if n := e.countSince(known); n >= e.Repeat.Faults {
			e.due("GPU_FAULTS_REPEAT", gpuAt(g.PCI), "upkeep history -serial="+g.Serial,
				"the GPU with serial %s had %d faults in %s. Ask the vendor for another board", g.Serial, n, e.Repeat.Within)
		}
	}
}

// countSince counts the faults that are not older than the block says.
func (e *examination) countSince(f facts.DeviceFaults) (n int) {
	for _, one := range f.Last {
		if !e.Clock.Beyond(one.At.Add(time.Duration(e.Repeat.Within))) {
			n++
		}
	}
	return n
}

// NewFaults returns the faults of devices that a node's kernel log tells and that were not counted yet, by serial
// number. A fault of a GPU whose serial number nobody knows is not among them. What asks for nothing is no fault of
// the device.
func NewFaults(n facts.Node, accepted facts.AcceptedNode, earlier facts.Earlier) map[string][]facts.DeviceFault {
	l := n.KernelLog
	if n.Unknown != "" || l.Unknown != "" {
		return nil
	}
	from := uint64(0)
	if counted := earlier.KernelLogs[n.Name]; counted.Boot == l.Boot {
		from = counted.From
	}
	serials := map[string]string{}
	for _, g := range accepted.GPUs {
		serials[g.PCI] = g.Serial
	}
	for _, g := range n.NVIDIA.NVML.GPUs {
		if g.Serial != "" {
			serials[facts.PCIAddress(g.PCI)] = g.Serial
		}
	}
	out := map[string][]facts.DeviceFault{}
	faults, events := faultsOf(l, from)
	for _, f := range faults {
		class, _ := classOf(f)
		serial := serials[f.PCI]
		if serial == "" || f.Kind == kernellog.NVRM || class == xid.App || class == xid.Watch {
			continue
		}
		last := events[f.Last]
		out[serial] = append(out[serial], facts.DeviceFault{Node: n.Name, PCI: f.PCI, Kind: name(f), At: last.At,
			Text: last.Text})
	}
	return out
}
