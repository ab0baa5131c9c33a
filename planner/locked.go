package planner

import (
	"fmt"
	"slices"
	"strings"

	"upkeep/config"
	"upkeep/providers"
)

// LockedNodes names the nodes that are locked for the steps of a plan while the API is down: the control planes, as the
// lane of that name has them; without any, the nodes that the steps change. Where there are none either, why says so.
func LockedNodes(steps []providers.Step, in providers.Input) (names []string, why string) {
	planes := ControlPlanes(in)
	var declared []string
	for _, node := range in.Inventory.Nodes {
		declared = append(declared, node.Name)
		if planes[node.Name] {
			names = append(names, node.Name)
		}
	}
	if len(names) > 0 {
		return names, ""
	}
	for _, step := range steps {
		if step.Node != "" && !slices.Contains(names, step.Node) {
			names = append(names, step.Node)
		}
	}
	switch {
	case len(names) > 0:
		return names, ""
	case len(declared) == 0:
		return nil, `the configuration declares no node; declare those that run etcd, with roles = ["etcd"], and plan again, or bring the API back`
	}
	const fix = `give the nodes that run etcd roles = ["etcd"] and plan again, or bring the API back`
	return nil, fmt.Sprintf("none of %s is known to run etcd or a control plane; %s", strings.Join(declared, ", "), fix)
}

// unlocked foresees that apply starts none of the steps, since the API does not answer and no node gives its lock
// instead.
func unlocked(steps []providers.Step, desired config.Desired, in providers.Input) (out []ExpectedRefusal) {
	down := in.World.Kubernetes.Unknown
	if desired.Cluster == nil {
		down = "the configuration has no cluster block"
	}
	if down == "" {
		return nil
	}
	_, why := LockedNodes(steps, in)
	if why == "" {
		return nil
	}
	for _, step := range steps {
		out = append(out, ExpectedRefusal{Step: step.ID, Why: fmt.Sprintf("the Kubernetes API does not answer (%s), and no node gives a lock instead: %s", down, why)})
	}
	return out
}
