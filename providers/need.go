package providers

// Need is a guard that a step needs.
type Need struct {
	Name string `json:"name"` // "backup"
	// Optional: the step goes within the guard where a block provides it, and is not held back where none does.
	Optional bool `json:"optional,omitempty"`
	// Waived is the operator's reason for not asking for the guard (without = { backup = "reason" }).
	Waived string `json:"waived,omitempty"`
}

// Placed reports whether the guard goes around the step where a block provides it.
func (n Need) Placed() bool { return n.Waived == "" }

// Consent is a rule of a domain that only a person's word lifts, given for one run by the rule's name.
type Consent struct {
	Rule    string `json:"rule"`    // "max_change"
	Demands string `json:"demands"` // "no price changes by more than 20 %"
}
