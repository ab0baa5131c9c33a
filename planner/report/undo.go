package report

import (
	"cmp"
	"slices"

	"upkeep/providers"
)

// Money is how the steps of one resource change prices.
type Money struct {
	Address providers.Address `json:"address"`
	providers.Money
}

// money lists the resources of which a step is about prices, in the order of their steps.
func money(steps []providers.Step) []Money {
	out := []Money{}
	for _, s := range steps {
		if s.Money != nil {
			out = append(out, Money{s.Address, *s.Money})
		}
	}
	return out
}

// Undo is how steps of one resource are taken back: those with one way, on all their nodes.
type Undo struct {
	Address providers.Address `json:"address"`
	providers.Reversal
	// Nodes are those of the steps, in their order; empty for steps of the cluster. Steps are their numbers, from 1.
	Nodes []string `json:"nodes,omitempty"`
	Steps []int    `json:"steps"`
}

// undo folds the ways back of all steps: what cannot be taken back first.
func undo(steps []providers.Step) []Undo {
	type way struct {
		address providers.Address
		providers.Reversal
	}
	out := []Undo{}
	index := map[way]int{}
	for i, s := range steps {
		key := way{s.Address.Resource(), s.Reversed()}
		at, seen := index[key]
		if !seen {
			at = len(out)
			index[key] = at
			out = append(out, Undo{Address: key.address, Reversal: key.Reversal})
		}
		u := &out[at]
		u.Steps = append(u.Steps, i+1)
		if s.Node != "" && !slices.Contains(u.Nodes[max(0, len(u.Nodes)-1):], s.Node) {
			u.Nodes = append(u.Nodes, s.Node)
		}
	}
	slices.SortStableFunc(out, func(a, b Undo) int { return cmp.Compare(rank(a.Way), rank(b.Way)) })
	return out
}

func rank(w providers.Way) int {
	switch w {
	case providers.ReverseNever:
		return 0
	case providers.ReverseNone:
		return 2
	}
	return 1
}
