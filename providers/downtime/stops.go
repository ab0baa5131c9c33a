package downtime

import (
	"upkeep/providers"
	"upkeep/providers/facts"
)

// Stop is what keeps a node that is due from being taken down now.
type Stop struct {
	// Why in words, Hint what to type.
	Why, Hint string
	// Unknown: something is not known. GiveBack: the block's own cordon must be taken away first (Return).
	Unknown, GiveBack bool
}

// Stops says what keeps a node that is due from being taken down now; nil: nothing does. Steps are planned for no other
// node.
func Stops(in providers.Input, w Work) *Stop {
	object, ours := w.Object, Ours(w.Object, w.Address)
	leases, tenants := in.World.Tenancies, []facts.TenantLease(nil)
	if leases != nil {
		tenants = leases.On(object.Name)
	}
	drain, asked := in.World.Drains[object.Name]
	why, hint := w.Policy.Forbidden(drain)
	switch c := object.Cordon; {
	case object.Unschedulable && c == nil:
		return &Stop{Why: "somebody else has cordoned the node"}
	case c != nil && c.Unknown != "":
		return &Stop{Why: "the node carries a mark of upkeep's that cannot be read: " + c.Unknown, Hint: "upkeep marks"}
	case leases == nil:
		return &Stop{Why: "whether tenants are on the node is not known", Unknown: true}
	case leases.Unknown != "":
		return &Stop{Why: "whether tenants are on the node is not known: " + leases.Unknown, Unknown: true}
	case ours && len(tenants) > 0 && w.Policy.Leases != LeasesInterrupt:
		return &Stop{GiveBack: true, Why: "an earlier run cordoned the node, and tenants are on it: " +
			LeasesText(object.Name, tenants)}
	case len(tenants) > 0 && w.Policy.Leases == LeasesRefuse:
		return &Stop{Why: LeasesText(object.Name, tenants),
			Hint: "write leases = \"wait\", or wait until the tenants have left"}
	case !object.Ready && !ours:
		return &Stop{Why: "the node is not Ready", Hint: "kubectl describe node " + object.Name}
	case !asked:
		return &Stop{Why: "which pods are on the node is not known: not asked", Unknown: true}
	case drain.Unknown != "":
		return &Stop{Why: "which pods are on the node is not known: " + drain.Unknown, Unknown: true}
	case why != "":
		return &Stop{Why: why, Hint: hint}
	}
	if w.Plane {
		if why := PlaneTrouble(in, w.Node); why != "" {
			return &Stop{Why: why}
		}
	}
	return nil
}
