package facts_test

import (
	"testing"

	"upkeep/providers/facts"
)

func TestCompareKernels(t *testing.T) {
	sorted := []string{"5.15.0-9-generic", "5.15.0-130-generic", "6.8.0-45-generic", "6.8.0-45-generic-64k", "6.8.0-100-generic", "6.11.0-1-generic"}
	for i, a := range sorted {
		for j, b := range sorted {
			if got := facts.CompareKernels(a, b); (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%s and %s: %d", a, b, got)
			}
		}
	}
}
