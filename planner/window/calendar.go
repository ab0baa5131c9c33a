package window

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep/config"
)

// Calendar is what holds for a step: it may begin while one of Allow is open, or at any time where there is none, and
// while none of Deny is.
type Calendar struct {
	Allow, Deny []*Window
	// Together: it may begin only while all of Allow are open. Which of them hold is not known.
	Together bool
}

// Of returns the calendar of a step, or of a block, whose `window` names some windows (none: "always"). Windows with a
// selector hold for what they choose, without being named; a denying one without a selector holds for everything.
//
// Of a node whose labels are unknown, the calendar opens when every calendar would that it may have: a window that
// denies by labels holds, and one that allows by labels adds nothing to others. Where there are no others, it is open
// while all of these are.
func Of(windows []*Window, named []string, of Subject) Calendar {
	var c Calendar
	var perhaps []*Window
	for _, w := range windows {
		chosen := w.AppliesTo.Applies(of)
		switch {
		case w.Deny && chosen:
			c.Deny = append(c.Deny, w)
		case w.Deny:
		case slices.Contains(named, w.Address()):
			c.Allow = append(c.Allow, w)
		case chosen && of.LabelsUnknown && len(w.AppliesTo.Labels) > 0:
			perhaps = append(perhaps, w)
		case chosen && !w.AppliesTo.Empty():
			c.Allow = append(c.Allow, w)
		}
	}
	if len(c.Allow) == 0 {
		c.Allow, c.Together = perhaps, len(perhaps) > 1
	}
	return c
}

// Name names the calendar: equal names are equal calendars, of one configuration.
func (c Calendar) Name() string {
	name := names(c.Allow)
	if c.Together {
		name = "all of " + name
	}
	if len(c.Allow) == 0 {
		name = Always
	}
	if len(c.Deny) > 0 {
		name += ", not in " + names(c.Deny)
	}
	return name
}

// Always is the name of the calendar that is always open.
const Always = "always"

// Bound reports whether the calendar is shut at some time.
func (c Calendar) Bound() bool { return len(c.Allow)+len(c.Deny) > 0 }

func names(windows []*Window) string {
	var out []string
	for _, w := range windows {
		out = append(out, w.Name)
	}
	return strings.Join(out, ", ")
}

// Openings returns when a step may begin, from `from` until just before `until`. Where nothing allows by name, an
// opening begins no earlier than a year before `from`, and ends no later than a year after `until`.
func (c Calendar) Openings(from, until time.Time) []Opening {
	var open []Opening
	for i, w := range c.Allow {
		opens := w.Openings(from, until)
		if c.Together && i > 0 {
			open = without(open, without(open, opens))
			continue
		}
		open = union(open, opens)
	}
	if len(c.Allow) == 0 && from.Before(until) {
		open = []Opening{{from.Add(-longest), until.Add(longest)}}
	}
	for _, w := range c.Deny {
		if len(open) == 0 {
			return nil
		}
		open = without(open, w.Openings(open[0].From, open[len(open)-1].Until))
	}
	open = since(open, from)
	for n := len(open); n > 0 && !open[n-1].From.Before(until); n-- {
		open = open[:n-1]
	}
	return open
}

// farthestLook is how far ahead Next looks: past the 29 February after next. It looks at a stretch at a time, the
// first ones short, so that what it does and keeps depends little on how often a window opens.
const (
	farthestLook = 10 * longest
	firstLook    = 2 * 24 * time.Hour
	longestLook  = 64 * 24 * time.Hour
)

// Next returns the openings that end after a time, n of them or all that begin within ten years.
func (c Calendar) Next(at time.Time, n int) []Opening {
	var out []Opening
	look := firstLook
	for from := at; from.Before(at.Add(farthestLook)) && len(out) <= n; { // one more than n: the last may go on
		out = union(out, c.Openings(from, from.Add(look)))
		from, look = from.Add(look), min(2*look, longestLook)
	}
	return out[:min(n, len(out))]
}

// State says whether something may begin at a time, and why.
type State struct {
	Open bool `json:"open"`
	// Until is when it closes, where it is open.
	Until time.Time `json:"until,omitzero"`
	// Next is the next opening, where it is not.
	Next Opening `json:"next,omitzero"`
	// Why is a sentence for a person, in the zone of the window that it is about.
	Why string `json:"why"`
}

// At evaluates the calendar.
func (c Calendar) At(t time.Time) State {
	if !c.Bound() {
		return State{Open: true, Why: "no window holds it back"}
	}
	next := c.Next(t, 1)
	if len(next) > 0 && !next[0].From.After(t) {
		return State{Open: true, Until: next[0].Until, Why: c.whyOpen(t, next[0])}
	}
	s := State{Why: c.whyShut(t)}
	if len(next) == 0 {
		s.Why += "; nothing opens in the next ten years"
		return s
	}
	s.Next = next[0]
	s.Why += fmt.Sprintf("; opens %s, in %s", clockText(next[0].From, c.zone()), about(next[0].From.Sub(t)))
	return s
}

// At evaluates a window by itself. One that denies is open while it denies.
func (w *Window) At(t time.Time) State {
	s := Calendar{Allow: []*Window{w}}.At(t)
	if !w.Deny {
		return s
	}
	switch begins := s.Next.From; {
	case s.Open:
		s.Why = fmt.Sprintf("%s denies until %s", w.Name, clockText(s.Until, w.zone))
	case begins.IsZero():
		s.Why = w.Name + " denies nothing in the next ten years"
	default:
		s.Why = fmt.Sprintf("%s begins %s, in %s", w.Name, clockText(begins, w.zone), about(begins.Sub(t)))
	}
	return s
}

func (c Calendar) whyOpen(t time.Time, o Opening) string {
	if len(c.Allow) == 0 {
		return fmt.Sprintf("open until %s, when %s begins", clockText(o.Until, c.zone()), names(c.Deny))
	}
	return fmt.Sprintf("%s is open until %s", names(openAt(c.Allow, t)), clockText(o.Until, c.zone()))
}

func (c Calendar) whyShut(t time.Time) string {
	for _, w := range openAt(c.Deny, t) {
		return fmt.Sprintf("%s denies it until %s", w.Name, clockText(w.Openings(t, t.Add(time.Second))[0].Until, w.zone))
	}
	return names(c.Allow) + " is closed"
}

func openAt(windows []*Window, t time.Time) []*Window {
	var out []*Window
	for _, w := range windows {
		if o := w.Openings(t, t.Add(time.Second)); len(o) > 0 && !o[0].From.After(t) {
			out = append(out, w)
		}
	}
	return out
}

// zone is the one that times are told in: of the first window.
func (c Calendar) zone() *time.Location {
	for _, w := range slices.Concat(c.Allow, c.Deny) {
		return w.zone
	}
	return time.UTC
}

// clockText tells a time as the people around the window do, with the zone's own word for the offset.
func clockText(t time.Time, zone *time.Location) string {
	return t.In(zone).Format("Mon 2006-01-02 15:04 MST")
}

// about rounds to what a person waits for: minutes, and hours beyond two days.
func about(d time.Duration) string {
	unit := time.Minute
	if d >= 48*time.Hour {
		unit = time.Hour
	}
	return config.Duration(max(d.Round(unit), time.Minute)).String()
}
