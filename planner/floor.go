package planner

import (
	"fmt"
	"slices"

	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/facts"
	"upkeep/providers/floor"
)

const (
	nodeNew      = "NODE_NEW"
	nodeReplaced = "NODE_REPLACED"
)

// nodeAddress names a node as the block that declares it does, since what is said of it belongs to no domain.
func nodeAddress(n config.Node) providers.Address {
	kind := "node"
	if n.Fleet {
		kind = "nodes"
	}
	address, err := facts.ParseAddress(kind + "." + n.Block)
	if err != nil {
		address = providers.Address{Type: kind, Name: n.Name}
	}
	return address.On(n.Name)
}

// floors judges what every node stands on, and which machine it is.
func floors(
	r Request, everyone providers.Inventory,
) (findings []providers.Finding, objects []providers.Object, err error) {
	accepted, err := r.Memory.Accepted()
	if err != nil {
		return nil, nil, err
	}
	in := providers.Input{Now: r.Now}
	for _, n := range everyone.Nodes {
		if _, asked := r.World.Nodes[n.Name]; !asked {
			continue
		}
		node, address := r.World.Node(n.Name), nodeAddress(n)
		found, watched := floor.Review(floor.Input{Node: node, Address: address, Clock: in.Clock(),
			Earlier: r.Memory.Earlier})
		found = append(found, whichMachine(node, address, accepted)...)
		for i := range found {
			found[i].Position = n.Position.String()
		}
		findings = append(findings, found...)
		objects = append(objects, watched...)
	}
	return findings, objects, nil
}

// whichMachine compares a node with the machine that a person accepted under its name. A node with GPUs that nobody
// has accepted is new; a node without GPUs is new only where others have been accepted.
func whichMachine(n facts.Node, address providers.Address, accepted map[string]facts.AcceptedNode) []providers.Finding {
	known, is := accepted[n.Name]
	gpus := len(n.NVIDIA.Devices.GPUs)
	finding := providers.Finding{ID: nodeNew, Severity: providers.SeverityWarning, Address: address,
		Hint: "upkeep node accept " + n.Name}
	switch why := known.Replaced(n); {
	case n.Unknown != "":
		return nil
	case why != "":
		finding.ID, finding.Severity = nodeReplaced, providers.SeverityError
		finding.Summary = fmt.Sprintf("another machine has this name: %s. Nothing is planned for the node", why)
	case is || n.System.MachineID == "":
		return nil
	case gpus > 0:
		finding.Summary = fmt.Sprintf("nobody has accepted this machine with %s", count(gpus, "GPU"))
	case len(accepted) > 0:
		finding.Summary = "nobody has accepted this machine"
	default:
		return nil
	}
	return []providers.Finding{finding}
}

// withoutReplaced leaves out the nodes that are other machines than the accepted ones: nothing is planned for them
// until a person accepts them. A memory that cannot be read leaves none out; Build reports it.
func withoutReplaced(inventory providers.Inventory, world facts.World, memory facts.Memory) providers.Inventory {
	accepted, err := memory.Accepted()
	if err != nil || len(accepted) == 0 {
		return inventory
	}
	inventory.Nodes = slices.DeleteFunc(slices.Clone(inventory.Nodes), func(n config.Node) bool {
		return accepted[n.Name].Replaced(world.Node(n.Name)) != ""
	})
	return inventory
}
