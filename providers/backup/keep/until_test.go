package keep_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"upkeep/providers/backup/keep"
)

// TestDecisionsHoldUntil: a bundle that is made at any time before Until leads to the same decisions about the others.
func TestDecisionsHoldUntil(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 34, 56, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		count := func(name string) int { return rapid.IntRange(0, 4).Draw(t, name) }
		span := func(name string) keep.Span {
			return keep.Span{Months: rapid.IntRange(0, 2).Draw(t, name+" months"), Hours: rapid.IntRange(0, 50).Draw(t, name+" hours")}
		}
		p := keep.Policy{Last: 1 + count("last"), Hourly: count("hourly"), Daily: count("daily"), Weekly: count("weekly"), Yearly: count("yearly")}
		if rapid.Bool().Draw(t, "within") {
			p.Within, p.WithinDaily = span("within"), span("within daily")
		}
		var bundles []keep.Bundle
		for i := range rapid.IntRange(0, 8).Draw(t, "bundles") {
			age := time.Duration(rapid.IntRange(1, 90*24*60).Draw(t, "minutes old")) * time.Minute
			bundles = append(bundles, keep.Bundle{ID: fmt.Sprint(i), Time: now.Add(-age), Proved: rapid.Bool().Draw(t, "proved")})
		}
		at := func(now time.Time) []keep.Decision {
			decisions, err := keep.Apply(p, append(bundles[:len(bundles):len(bundles)], keep.Bundle{ID: "new", Time: now, Proved: true}), now, nil)
			if err != nil {
				t.Fatal(err)
			}
			return decisions
		}
		until, want := keep.Until(p, bundles, now), at(now)
		if until.IsZero() {
			until = now.AddDate(10, 0, 0)
		}
		for _, later := range []time.Time{until.Add(-1), now.Add(until.Sub(now) / 2), now.Add(1)} {
			if diff := cmp.Diff(want, at(later)); diff != "" {
				t.Fatalf("until %s, and at %s:\n%s", until, later, diff)
			}
		}
	})
}
