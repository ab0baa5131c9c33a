package facts

import "time"

// Maintenance is what other programs have announced in the cluster: that they are about to take a node down, or have.
// What stands on the node's own object is KubernetesNode.Maintainers.
type Maintenance struct {
	// Unknown: not all of it could be read; why.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// Claims are sorted by node, then by who makes them.
	Claims []MaintenanceClaim `json:"claims,omitempty"`
}

// MaintenanceClaim says that a program has a node for its work.
type MaintenanceClaim struct {
	// Node is the node's name in Kubernetes; By the program, Evidence the object that says so.
	Node     string `json:"node"`
	By       string `json:"by"`
	Evidence string `json:"evidence" plain:"said"`
	// Until is when the claim ends by itself; zero: its maker ends it.
	Until time.Time `json:"until,omitzero"`
}

// On returns the claims on a node that hold at a time.
func (m Maintenance) On(node string, now time.Time) (out []MaintenanceClaim) {
	for _, c := range m.Claims {
		if c.Node == node && (c.Until.IsZero() || now.Before(c.Until)) {
			out = append(out, c)
		}
	}
	return out
}
