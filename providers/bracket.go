package providers

// Bracket is a guard as the plan keeps it: which steps begin it, which go within it, which end it. Every id names a step of
// the same plan.
//
// The bracket alone says how its steps follow one another: all of Begin must have succeeded before a step of Guarded starts,
// and End runs when Guarded has ended, however it ended, provided that Begin was begun. Step.After does not repeat it.
//
// There are four kinds. A bracket with Begin and End surrounds its steps (a provider stopped, and started again). One without
// an End stays begun (a backup that was taken stays taken). One with an End alone begins with the first of its guarded steps.
// One with neither was asked for and is not needed in the world of the plan (see Dormant); the one who applies it asks again.
//
// Two blocks that provide the same guard have a bracket each.
type Bracket struct {
	Guard string  `json:"guard"` // "leases"
	Of    Address `json:"of"`    // the block that provides the guard
	// Target is what the guard is for, as written in the configuration (see Guard).
	Target string `json:"target,omitempty"`
	// Condition: the guard is also, or only, a condition (Guard.Holds), asked before each guarded step.
	Condition bool     `json:"condition,omitempty"`
	Begin     []string `json:"begin,omitempty"`
	// Due are those of Begin that the plan has anyway, because they are due by themselves: in a bracket without an End they
	// run also where nothing is left to guard, and do not wait until something is.
	Due     []string `json:"due,omitempty"`
	Guarded []string `json:"guarded,omitempty"`
	End     []string `json:"end,omitempty"`
}

// Dormant reports whether the guard was asked for steps and gave none, so that it must be asked again.
func (b Bracket) Dormant() bool { return !b.Condition && len(b.Begin)+len(b.End) == 0 }

// Begins are the steps whose start begins the bracket: Begin, and where there is none the guarded steps.
func (b Bracket) Begins() []string {
	if len(b.Begin) > 0 {
		return b.Begin
	}
	return b.Guarded
}

// BracketIndex says in which brackets of a list a step begins, goes within, or ends, as indices into the list by step id.
type BracketIndex struct {
	Begins, Guarded, Ends map[string][]int
}

// IndexBrackets takes time in proportion to the lists of the brackets.
func IndexBrackets(brackets []Bracket) BracketIndex {
	index := BracketIndex{Begins: map[string][]int{}, Guarded: map[string][]int{}, Ends: map[string][]int{}}
	for i, b := range brackets {
		for _, side := range []struct {
			into map[string][]int
			ids  []string
		}{{index.Begins, b.Begin}, {index.Guarded, b.Guarded}, {index.Ends, b.End}} {
			for _, id := range side.ids {
				side.into[id] = append(side.into[id], i)
			}
		}
	}
	return index
}
