package window

import (
	"slices"
	"sort"
	"time"
)

// Opening is when something is open: from From until just before Until.
type Opening struct {
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
}

// join adds an opening that does not begin before the last one.
func join(openings []Opening, o Opening) []Opening {
	if !o.From.Before(o.Until) {
		return openings
	}
	if n := len(openings); n > 0 && !o.From.After(openings[n-1].Until) {
		if o.Until.After(openings[n-1].Until) {
			openings[n-1].Until = o.Until
		}
		return openings
	}
	return append(openings, o)
}

// since leaves out what has ended at a time.
func since(openings []Opening, t time.Time) []Opening {
	return openings[sort.Search(len(openings), func(i int) bool { return openings[i].Until.After(t) }):]
}

// union returns when at least one of two is open.
func union(a, b []Opening) []Opening {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(a, b Opening) int { return a.From.Compare(b.From) })
	var out []Opening
	for _, o := range all {
		out = join(out, o)
	}
	return out
}

// without returns when one is open and another is not.
func without(open, shut []Opening) []Opening {
	var out []Opening
	for _, o := range open {
		shut = since(shut, o.From)
		for _, s := range shut {
			if !s.From.Before(o.Until) {
				break
			}
			out = join(out, Opening{o.From, s.From})
			o.From = s.Until
		}
		out = join(out, o)
	}
	return out
}
