package report

import (
	"fmt"
	"time"

	"upkeep/planner"
	"upkeep/planner/window"
)

// WindowsJSON says what of the declared maintenance windows is open at a time, why, and what comes.
type WindowsJSON struct {
	FormatVersion string    `json:"format_version"` // "1.0"
	Version       string    `json:"upkeep_version,omitempty"`
	Timestamp     time.Time `json:"timestamp"` // the time that it is about
	Windows       []Window  `json:"windows"`
	// Blocks are the declared blocks, each with when its disruptive steps may begin.
	Blocks []BlockWindow `json:"blocks"`
}

// Window is one declared window.
type Window struct {
	Address  string `json:"address"`
	Kind     string `json:"kind"`  // "allow" or "deny"
	Opens    string `json:"opens"` // "0 2 * * SUN for 4h", "12-18 to 01-07"
	Timezone string `json:"timezone"`
	window.State
	// Comes are the openings that have not ended, in order.
	Comes    []ComingOpening `json:"comes"`
	Position string          `json:"position,omitempty"` // file:line
	// Days are the openings of the weeks around the time, for a calendar.
	Days []window.Opening `json:"-"`
}

// ComingOpening is an opening, and by which windows it is denied, in part or in full, whatever it is for.
type ComingOpening struct {
	window.Opening
	DeniedBy []string `json:"denied_by,omitempty"`
}

// BlockWindow is a block with its windows.
type BlockWindow struct {
	Address string `json:"address"`
	// Window names them, as steps and plans do: "weekly, not in christmas".
	Window string `json:"window"`
	window.State
}

// daysShown is how far ahead Window.Days reach.
const daysShown = 5 * 7

// Windows evaluates the windows of a request's configuration at a time, with the next openings of each, next of
// them at most.
func Windows(r planner.Request, at time.Time, next int) WindowsJSON {
	out := WindowsJSON{FormatVersion: "1.0", Timestamp: at, Windows: []Window{}, Blocks: []BlockWindow{}}
	windows := planner.Windows(r.Desired)
	for _, w := range windows {
		// Of a window that denies, the times are those at which it does.
		own := window.Calendar{Allow: []*window.Window{w}}
		shown := Window{
			Address: w.Address(), Kind: "allow", Opens: opens(w), Timezone: w.Timezone, State: w.At(at), Comes: []ComingOpening{},
			Position: w.Position.String(), Days: w.Openings(at.AddDate(0, 0, -7), at.AddDate(0, 0, daysShown)),
		}
		if w.Deny {
			shown.Kind = "deny"
		}
		for _, o := range own.Next(at, next) {
			coming := ComingOpening{Opening: o}
			for _, other := range windows {
				if !w.Deny && other.Deny && other.AppliesTo.Empty() && len(other.Openings(o.From, o.Until)) > 0 {
					coming.DeniedBy = append(coming.DeniedBy, other.Name)
				}
			}
			shown.Comes = append(shown.Comes, coming)
		}
		out.Windows = append(out.Windows, shown)
	}
	for _, b := range planner.Calendars(r.Desired) {
		out.Blocks = append(out.Blocks, BlockWindow{Address: b.Address.String(), Window: b.Name(), State: b.At(at)})
	}
	return out
}

// opens says when a window opens as its block does.
func opens(w *window.Window) string {
	if w.Cron != "" {
		return fmt.Sprintf("%s for %s", w.Cron, w.Duration)
	}
	return fmt.Sprintf("%s to %s", w.From, w.Until)
}
