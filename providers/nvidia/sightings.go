package nvidia

import (
	"upkeep/providers/facts"
)

// Sightings are what one look at nodes adds to the record of what was seen.
type Sightings struct {
	// Faults are new faults of devices, by serial number; Logs how far each node's kernel log was counted.
	Faults map[string][]facts.DeviceFault
	Logs   map[string]facts.KernelLogQuestion
}

// Sighted returns what a world adds to earlier looks: nothing that was counted before counts again. A kernel log
// that was truncated counts up to where it was read.
func Sighted(world facts.World, accepted map[string]facts.AcceptedNode, earlier facts.Earlier) Sightings {
	s := Sightings{Faults: map[string][]facts.DeviceFault{}, Logs: map[string]facts.KernelLogQuestion{}}
	for _, name := range world.NodeNames() {
		n := world.Node(name)
		if n.Unknown != "" || n.KernelLog.Unknown != "" || n.KernelLog.Boot == "" {
			continue
		}
		for serial, faults := range NewFaults(n, accepted[name], earlier) {
			s.Faults[serial] = append(s.Faults[serial], faults...)
		}
		s.Logs[name] = facts.KernelLogQuestion{Boot: n.KernelLog.Boot, From: n.KernelLog.Next}
	}
	return s
}
