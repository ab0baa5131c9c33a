package planner

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"upkeep/providers"
)

// sameMachine refuses a plan whose nodes are one machine under several names: what is planned for one node at a time
// would disturb the same machine twice, and a count of healthy nodes would count it twice. Each machine has an id of
// its own (machine-id(5)); kubeadm asks for that, too.
func sameMachine(in providers.Input) (refusals []string) {
	names := map[string][]string{}
	for _, n := range in.Inventory.Nodes {
		if id := in.World.Node(n.Name).System.MachineID; id != "" {
			names[id] = append(names[id], n.Name)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(names)) {
		if list := names[id]; len(list) > 1 {
			refusals = append(refusals, fmt.Sprintf("%s have one machine id, so they are one machine: correct their hosts. A cloned machine needs an id of its own: "+
				"rm /etc/machine-id && systemd-machine-id-setup, then restart it", strings.Join(list, " and ")))
		}
	}
	return refusals
}
