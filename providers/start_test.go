package providers_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"upkeep/providers"
)

// asking is a resource whose outcome is what its clock answers to some questions.
type asking struct {
	providers.Resource
	at []time.Time
}

func (a asking) Diff(in providers.Input) (out providers.Outcome) {
	clock := in.Clock()
	for _, t := range a.at {
		for _, yes := range []bool{clock.Due(t), clock.DueNext(t)} {
			answer := "no"
			if yes {
				answer = "yes"
			}
			out.Warnings = append(out.Warnings, answer)
		}
	}
	return out
}

// TestDue holds due dates at openings against a walk over every minute, and Outcome.Until against the answers.
func TestDue(t *testing.T) {
	origin := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	minute := func(m int) time.Time { return origin.Add(time.Duration(m) * time.Minute) }
	rapid.Check(t, func(t *rapid.T) {
		var start providers.Start
		if start.Bound = rapid.Bool().Draw(t, "bound"); start.Bound {
			for at := rapid.IntRange(-20, 20).Draw(t, "first"); at < 150 && len(start.Openings) < 6; {
				end := at + rapid.IntRange(1, 25).Draw(t, "long")
				start.Openings = append(start.Openings, providers.Opening{From: minute(at), Until: minute(end)})
				at = end + rapid.IntRange(1, 40).Draw(t, "apart")
			}
		}
		open := func(m int) int { // which opening this minute lies in; -1: none
			for i, o := range start.Openings {
				if !minute(m).Before(o.From) && minute(m).Before(o.Until) {
					return i
				}
			}
			return -1
		}
		// starts and next are the first minute of the earliest opening and of the one after, as minutes; 10,000: none.
		starts := func(now int) (first, next int) {
			if !start.Bound {
				return now, now
			}
			first, next = 10_000, 10_000
			for m := now; m < 500; m++ {
				switch at := open(m); {
				case at < 0:
				case first == 10_000:
					first = m
				case at != open(first) && next == 10_000:
					next = m
				}
			}
			return first, next
		}
		ask := asking{at: []time.Time{minute(rapid.IntRange(-10, 200).Draw(t, "asked"))}}
		now := 0
		for range 5 {
			out := providers.Review(ask, providers.Input{Now: minute(now), Start: start})
			first, next := starts(now)
			asked := int(ask.at[0].Sub(origin) / time.Minute)
			for i, want := range []bool{first >= asked || now >= asked, next >= asked || now >= asked} {
				if got := out.Warnings[i] == "yes"; got != want {
					t.Fatalf("question %d at minute %d about minute %d: %v, want %v; %+v", i, now, asked, got, want, start)
				}
			}
			end := 400
			if !out.Until.IsZero() {
				if end = int(out.Until.Sub(origin) / time.Minute); end <= now {
					t.Fatalf("at minute %d, the answers hold until minute %d", now, end)
				}
			}
			for m := now; m < end; m++ {
				again := providers.Review(ask, providers.Input{Now: minute(m), Start: start})
				if again.Warnings[0] != out.Warnings[0] || again.Warnings[1] != out.Warnings[1] {
					t.Fatalf("answers of minute %d should hold until minute %d, and differ at minute %d: %+v", now, end, m, start)
				}
			}
			if out.Until.IsZero() {
				return
			}
			now = end
		}
	})
}
