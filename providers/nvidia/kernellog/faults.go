package kernellog

import (
	"strings"
	"time"
)

// Fault is one fault of one device in one boot, however often and in whatever words it was told.
type Fault struct {
	Boot, PCI string
	Kind      Kind
	Topic     Topic
	Code      int
	// Count is how many times it happened; a lower bound where Log.LowerBound is set.
	Count        int
	Unclassified bool
	// Severity is the worst that was said of a SXid.
	Severity string
	// Recovery is the action that the last Xid 154 of the GPU names, behind "to". It outranks NVIDIA's table.
	Recovery string
	// First and Last are places in Log.Events.
	First, Last int
}

// lostXid is the Xid of a GPU that has fallen off the bus.
const lostXid = 79

// together is how long the driver takes to tell of one lost device in all its words.
const together = time.Second

type key struct {
	boot, pci    string
	kind         Kind
	topic        Topic
	code         int
	unclassified string
}

// Faults are the faults of a log, in the order in which they were first told. Lines that users wrote are none.
// Loading the module is none. A Xid 154 is no fault of its own where the same GPU has another.
func Faults(log Log) (faults []Fault) {
	at := map[key]int{}
	recovery := map[[2]string]string{}
	for i, e := range log.Events {
		if e.Origin == User || e.Topic == Loaded || e.Kind == NVRM && e.Topic == "" {
			continue
		}
		if e.Kind == Xid && e.Code == 154 {
			recovery[[2]string{e.Boot, e.PCI}] = action(e.Text)
		}
		k := key{boot: e.Boot, pci: e.PCI, kind: e.Kind, topic: e.Topic, code: e.Code}
		lost := e.Topic == Lost || e.Kind == Xid && e.Code == lostXid
		if lost {
			k.kind, k.topic, k.code = Xid, Lost, lostXid
		}
		if e.Unclassified && e.Code == 0 {
			k.unclassified = e.Text
		}
		n, known := at[k]
		if !known {
			at[k] = len(faults)
			faults = append(faults, Fault{
				Boot: e.Boot, PCI: e.PCI, Kind: k.kind, Topic: k.topic, Code: k.code, Count: 1, Unclassified: e.Unclassified,
				Severity: e.Severity, First: i, Last: i,
			})
			continue
		}
		f := &faults[n]
		if !lost || apart(log.Events[f.Last], e) {
			f.Count++
		}
		f.Last, f.Unclassified = i, f.Unclassified || e.Unclassified
		if e.Severity == "Fatal" || f.Severity == "" {
			f.Severity = e.Severity
		}
	}
	return withRecovery(faults, recovery)
}

// withRecovery gives each fault the last action of its GPU, and leaves out the 154 that only announced it.
func withRecovery(faults []Fault, recovery map[[2]string]string) (out []Fault) {
	others := map[[2]string]bool{}
	for _, f := range faults {
		others[[2]string{f.Boot, f.PCI}] = others[[2]string{f.Boot, f.PCI}] || f.Kind == Xid && f.Code != 154
	}
	for _, f := range faults {
		gpu := [2]string{f.Boot, f.PCI}
		if f.Kind == Xid && f.Code == 154 && others[gpu] {
			continue
		}
		f.Recovery = recovery[gpu]
		out = append(out, f)
	}
	return out
}

// apart reports whether two words about a lost device tell of two losses. Without times they do not.
func apart(a, b Event) bool {
	if !a.Wall.IsZero() && !b.Wall.IsZero() {
		return b.Wall.Sub(a.Wall).Abs() > together
	}
	return (b.Monotonic - a.Monotonic).Abs() > together
}

// action is what a Xid 154 names: `changed from 0x0 (None) to 0x1 (GPU Reset Required)`. Where it cannot be read, it is
// unknown, not None.
func action(text string) string {
	_, after, found := strings.Cut(text, " to 0x")
	if _, name, ok := strings.Cut(after, "("); found && ok {
		if name, _, ok := strings.Cut(name, ")"); ok && name != "" {
			return name
		}
	}
	return "unknown"
}
