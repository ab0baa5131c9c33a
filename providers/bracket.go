package providers

// Bracket is a guard as the plan keeps it: which steps begin it, which go within it, which end it. Every id names a step of
// the same plan. A bracket with an empty Begin that has no condition was asked for and is not needed in the world of the
// plan; whoever applies it asks again. One without an End stays begun (a backup that was taken stays taken).
//
// Two blocks that provide the same guard have a bracket each.
type Bracket struct {
	Guard string  `json:"guard"` // "leases"
	Of    Address `json:"of"`    // the block that provides the guard
	// Condition: the guard is no step but a condition (Condition.Holds), asked before each guarded step.
	Condition bool     `json:"condition,omitempty"`
	Begin     []string `json:"begin,omitempty"`
	// Due are those of Begin that the plan has anyway, because they are due by themselves: in a bracket without an End they
	// run also where nothing is left to guard, and do not wait until something is.
	Due     []string `json:"due,omitempty"`
	Guarded []string `json:"guarded,omitempty"`
	End     []string `json:"end,omitempty"`
}
