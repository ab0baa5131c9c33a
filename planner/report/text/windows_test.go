package text

import (
	"testing"
	"time"

	"upkeep/planner"
	"upkeep/planner/window"
)

// TestFits: what a plan says of its window is about the first opening that is long enough, and names it where it is
// another one than the next.
func TestFits(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	opening := func(from, until time.Duration) window.Opening {
		return window.Opening{From: now.Add(from), Until: now.Add(until)}
	}
	open, shut := window.State{Open: true}, window.State{Next: opening(time.Hour, 2*time.Hour)}
	for name, test := range map[string]struct {
		use  planner.WindowUse
		want string
	}{
		"nothing opens": {planner.WindowUse{State: window.State{}, Steps: 2}, "2 disruptive steps cannot begin."},
		"too short":     {planner.WindowUse{State: shut, Opening: opening(time.Hour, 2*time.Hour), Steps: 2}, "No opening is long enough for a disruptive step. Make the window longer."},
		"open": {planner.WindowUse{State: open, Opening: opening(-time.Hour, time.Hour), Steps: 1, Fit: 1, Ends: now.Add(90 * time.Second)},
			"1 disruptive step fits, done by 12:02 UTC."},
		"open, and nearly over": {planner.WindowUse{State: open, Opening: opening(23*time.Hour, 24*time.Hour), Steps: 1, Fit: 1, Ends: now.Add(23*time.Hour + time.Minute)},
			"The first opening that is long enough begins Mon 2026-11-23 11:00 UTC. 1 disruptive step fits into it, done by Mon 2026-11-23 11:01 UTC."},
		"the next one": {planner.WindowUse{State: shut, Opening: opening(time.Hour, 2*time.Hour), Steps: 3, Fit: 2, Ends: now.Add(2 * time.Hour),
			Last: "restart kube-scheduler", LastNode: "cp2"},
			"2 of 3 disruptive steps fit into it. The last one is: restart kube-scheduler on cp2. The rest waits for the next opening."},
		"the one after it": {planner.WindowUse{State: shut, Opening: opening(25*time.Hour, 27*time.Hour), Steps: 3, Fit: 2, Ends: now.Add(27 * time.Hour),
			Last: "upgrade the provider"},
			"The first opening that is long enough begins Mon 2026-11-23 13:00 UTC. 2 of 3 disruptive steps fit into it. The last one is: upgrade the provider. The rest waits for the next opening."},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fits(test.use, now); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}
