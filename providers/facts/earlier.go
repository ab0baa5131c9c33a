package facts

import "time"

// Earlier is what earlier looks saw of things whose present alone says too little. It comes from the record of what
// was seen, which is kept apart from the state, and it goes into no state.
type Earlier struct {
	// KernelLogs say how far the kernel log of each node was counted, by the node's name.
	KernelLogs map[string]KernelLogQuestion `json:"kernel_logs,omitempty"`
	// Faults are those of devices, by serial number.
	Faults map[string]DeviceFaults `json:"faults,omitempty"`
	// Space is the oldest look at a file system that is remembered, by node and directory ("gpu1 /var").
	Space map[string]SpaceSeen `json:"space,omitempty"`
}

// IsZero reports whether nothing is known of earlier looks.
func (e Earlier) IsZero() bool {
	return len(e.KernelLogs)+len(e.Faults)+len(e.Space) == 0
}

// DeviceFaults are the faults of one device, wherever it was built in.
type DeviceFaults struct {
	// Count is how many there were in all; a lower bound where a kernel log had gaps.
	Count int `json:"count"`
	// Last are the last ones, oldest first.
	Last []DeviceFault `json:"last,omitempty"`
}

// DeviceFault is one of them.
type DeviceFault struct {
	Node string `json:"node"`
	// PCI is the slot that the device was in, in the form of PCIAddress.
	PCI  string    `json:"pci,omitempty"`
	Kind string    `json:"kind"` // "Xid 79"
	At   time.Time `json:"at"`
	// Text is what the kernel log said, on one line.
	Text string `json:"text,omitempty" plain:"told"`
}

// Since returns how many of the last faults came at or after an instant.
func (f DeviceFaults) Since(from time.Time) (n int) {
	for _, one := range f.Last {
		if !one.At.Before(from) {
			n++
		}
	}
	return n
}
