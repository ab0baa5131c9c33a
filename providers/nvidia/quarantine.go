package nvidia

import (
	"fmt"
	"strings"

	"upkeep/providers"
	"upkeep/providers/facts"
)

// quarantineArgs are the arguments of a cordon. They are the same for the same due work on any day.
type quarantineArgs struct {
	// Object is the name of the Node in Kubernetes.
	Object string `json:"object"`
	// Limit is how many nodes may be cordoned by upkeep for the health of their GPUs, over all blocks together.
	Limit int `json:"limit"`
	// Classes are those of the faults that the node is cordoned for, Ignores the Xids that are accepted.
	Classes []string `json:"classes"`
	Ignores []Ignore `json:"ignores,omitempty"`
	// Reason is what the mark says, without times.
	Reason string `json:"reason"`
}

// quarantineEstimate is in seconds: one request to the API server.
const quarantineEstimate = 2

// longestReason bounds what a mark says, in bytes.
const longestReason = 512

// budget is how many nodes may be cordoned at a time: what the operator said, else 5 % of the accepted nodes with
// GPUs, rounded down, and at least 1 (the rates of GPU faults and of spare machines: fleet notes, arXiv
// 2503.11901).
func (s Spec) budget(accepted map[string]facts.AcceptedNode) int {
	if s.MaxQuarantined > 0 {
		return s.MaxQuarantined
	}
	gpus := 0
	for _, a := range accepted {
		if len(a.GPUs) > 0 {
			gpus++
		}
	}
	return max(1, gpus*5/100)
}

// quarantined counts the nodes that blocks of this type have cordoned, whatever block and selection. A mark that
// cannot be read counts: it may be one.
func quarantined(k facts.Kubernetes) (n int) {
	for i := range k.Nodes {
		c := k.Nodes[i].Cordon
		if c != nil && k.Nodes[i].Unschedulable && (c.Unknown != "" || strings.HasPrefix(c.By, "gpu_health.")) {
			n++
		}
	}
	return n
}

// quarantine plans cordons for nodes with faults that are seen now, as many as the budget has left.
func (r *review) quarantine() {
	k := r.in.World.Kubernetes
	if len(r.faulty) == 0 {
		return
	}
	if k.Unknown != "" {
		r.add(providers.Finding{ID: "NVIDIA_UNKNOWN", Severity: providers.SeverityError, Unknown: true,
			Object:  "quarantine",
			Summary: "nobody can be cordoned: " + k.Unknown})
		return
	}
	limit := r.spec.budget(r.accepted)
	left := limit - quarantined(k)
	for _, c := range r.faulty {
		address := r.spec.Address().On(c.node.Name)
		switch {
		case c.object == nil:
			r.add(providers.Finding{ID: "NVIDIA_UNKNOWN", Severity: providers.SeverityError, Unknown: true,
				Address: address, Object: "quarantine",
				Summary: "Kubernetes has no such node, so nobody can cordon the node"})
		case c.object.Unschedulable: // by whomever
		case left <= 0:
			r.add(providers.Finding{
				ID: "GPU_QUARANTINE_LIMIT", Severity: providers.SeverityError, Address: address,
				Summary: fmt.Sprintf("the node has faults, and is not cordoned: %d nodes may be cordoned at a time", limit),
				Hint:    "repair cordoned nodes first (`upkeep marks`), or raise max_quarantined",
			})
		default:
			left--
			r.cordon(c, limit)
		}
	}
}

func (r *review) cordon(c candidate, limit int) {
	var faults, reasons []string
	for _, p := range c.faults {
		faults = append(faults, p.Object+": "+p.Summary)
		if reason := p.ID + " on " + p.Object; len(strings.Join(reasons, "; "))+len(reason) < longestReason {
			reasons = append(reasons, reason)
		}
	}
	args := quarantineArgs{Object: c.object.Name, Limit: limit, Classes: r.spec.Classes, Ignores: r.spec.Ignores,
		Reason: strings.Join(reasons, "; ")}
	s := providers.NewStep(r.in, r.spec.Address().On(c.node.Name), "quarantine", OperationQuarantine, args,
		quarantineEstimate)
	s.Position = r.spec.Position.String()
	s.Summary = "cordon " + c.object.Name
	s.Why = faults
	s.Changes = []providers.Change{{What: "schedulable", Before: "yes", After: "no, under a mark of upkeep's",
		Always: true}}
	s.Unaffected = "pods on the node keep running; no new pod is placed on the node"
	s.Proof = "the node is unschedulable and carries the mark of " + r.spec.Address().String()
	s.Undo = "upkeep marks -undo cordon/" + c.object.Name
	s.Reversal = providers.Reversal{Way: providers.ReverseByHand}
	r.out.Steps = append(r.out.Steps, s)
}
