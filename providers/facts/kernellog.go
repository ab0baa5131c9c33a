package facts

import "time"

// KernelLogQuestion says from where the kernel log is of interest. The zero value asks for all that the kernel
// still has.
type KernelLogQuestion struct {
	// Boot and From are where the last look ended: the boot's id, and the number of the first record that was not read
	// (KernelLog.Boot and KernelLog.Next). In another boot From means nothing, and everything is read.
	Boot string `json:"boot,omitempty"`
	From uint64 `json:"from,omitempty"`
}

// merge asks for all that both ask for.
func (q *KernelLogQuestion) merge(other *KernelLogQuestion) *KernelLogQuestion {
	switch {
	case q == nil:
		return other
	case other == nil:
		return q
	case q.Boot != other.Boot:
		return &KernelLogQuestion{}
	}
	return &KernelLogQuestion{Boot: q.Boot, From: min(q.From, other.From)}
}

// KernelLog is what NVIDIA's driver said in /dev/kmsg, and what could not be read of it. Records about anything
// else are left out.
type KernelLog struct {
	// Unknown: nobody asked, or the log cannot be read.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Boot is the boot of all records.
	Boot string `json:"boot,omitempty"`
	// From is the first record that was of interest, Next the one after the last that was read: the next
	// question's From.
	From uint64 `json:"from,omitempty"`
	Next uint64 `json:"next,omitempty"`
	// Lost counts the records that are known to be missing from From on: the kernel has overwritten them.
	Lost uint64 `json:"lost,omitempty"`
	// LowerBound: something was lost, limited or cut, so that every count is at least so many.
	LowerBound bool `json:"lower_bound,omitempty"`
	// Truncated: there is more than one answer may hold; ask again from Next.
	Truncated bool          `json:"truncated,omitempty"`
	Events    []KernelEvent `json:"events,omitempty"`
	// Notes are about the log itself, in words.
	Notes []string `json:"notes,omitempty" plain:"told"`
}

// KernelEvent is one thing that the driver said. The fields are those of package kernellog's Event, which
// documents their values.
type KernelEvent struct {
	Kind         string `json:"kind"` // "Xid", "SXid", "NVRM"
	Topic        string `json:"topic,omitempty"`
	Code         int    `json:"code,omitempty"`
	Unclassified bool   `json:"unclassified,omitempty"`
	// PCI is in the form of PCIAddress; empty where the line has none.
	PCI      string `json:"pci,omitempty"`
	MIG      string `json:"mig,omitempty"`
	Severity string `json:"severity,omitempty"`
	Cause    int    `json:"cause,omitempty"`
	Client   string `json:"client,omitempty"`
	Module   string `json:"module,omitempty"`
	// Origin is "kernel", or "user" for a line that a program of a user wrote, which proves nothing.
	Origin   string `json:"origin"`
	Sequence uint64 `json:"sequence"`
	// Monotonic is the time since boot; At the same on the node's clock, which is wrong by the time spent in suspend.
	Monotonic time.Duration `json:"monotonic,omitempty"`
	At        time.Time     `json:"at,omitzero"`
	// Text is the message on one line, cleaned and bounded.
	Text string `json:"text,omitempty" plain:"told"`
}
