package facts

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTook: the median and the worst of the last runs; of a state of an older upkeep, the average alone.
func TestTook(t *testing.T) {
	type times struct{ Median, Worst float64 }
	for name, test := range map[string]struct {
		runs    []float64
		average float64
		want    times
	}{
		"never":                          {},
		"once":                           {runs: []float64{3}, want: times{3, 3}},
		"twice":                          {runs: []float64{3, 5}, want: times{4, 5}},
		"one bad night":                  {runs: []float64{3, 90, 4, 5, 4}, want: times{4, 90}},
		"an older state":                 {average: 7, want: times{7, 0}},
		"an older state, and since then": {average: 7, runs: []float64{9}, want: times{9, 9}},
	} {
		t.Run(name, func(t *testing.T) {
			var m Memory
			if test.average > 0 {
				m.Durations = map[string]float64{"a.b": test.average}
			}
			for _, seconds := range test.runs {
				m = m.WithDuration("a.b", seconds)
			}
			median, worst := m.Took("a.b")
			if diff := cmp.Diff(test.want, times{median, worst}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestHistoryForgets: the oldest times go, other operations stay, and a memory that is shared is not written into.
func TestHistoryForgets(t *testing.T) {
	first := Memory{}.WithDuration("a.b", 900).WithDuration("c.d", 1)
	m := first
	for range mostDurations {
		m = m.WithDuration("a.b", 5)
	}
	if _, worst := m.Took("a.b"); worst != 5 || len(m.History["a.b"]) != mostDurations {
		t.Errorf("the worst is %v s of %d", worst, len(m.History["a.b"]))
	}
	if diff := cmp.Diff(map[string][]float64{"a.b": {900}, "c.d": {1}}, first.History); diff != "" {
		t.Errorf("the first memory changed:\n%s", diff)
	}
}
