package facts

import (
	"maps"
	"slices"
)

// mostDurations is how many durations of an operation are remembered: some months of a weekly window, and few enough
// that one bad night is forgotten.
const mostDurations = 20

// WithDuration returns a history with one more duration of an operation, in seconds; m is not changed.
func (m Memory) WithDuration(operation string, seconds float64) Memory {
	m.History = maps.Clone(m.History)
	if m.History == nil {
		m.History = map[string][]float64{}
	}
	all := append(slices.Clone(m.History[operation]), seconds)
	m.History[operation] = all[max(0, len(all)-mostDurations):]
	return m
}

// Took returns how long an operation took, the median and the worst time of those remembered, in seconds; zeroes where
// no run of it is remembered.
func (m Memory) Took(operation string) (median, worst float64) {
	all := slices.Sorted(slices.Values(m.History[operation]))
	if n := len(all); n > 0 {
		return (all[(n-1)/2] + all[n/2]) / 2, all[n-1]
	}
	return m.Durations[operation], 0
}
