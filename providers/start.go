package providers

import (
	"sort"
	"time"
)

// Opening is when something may begin: from From until just before Until.
type Opening struct {
	From  time.Time
	Until time.Time
}

// Start is when the disruptive steps of a resource may begin. The zero Start is now and always. Due dates are judged
// there: what is due by the earliest opening is due now, since a plan for that opening is made and approved before.
type Start struct {
	// Bound: windows hold the resource back at some time.
	Bound bool
	// Openings are the present one, where there is one, and those to come: in order and apart, at least the next two
	// where two come. What has ended may stand among them.
	Openings []Opening
}

// from returns the openings that have not ended at a time.
func (s Start) from(now time.Time) []Opening {
	return s.Openings[sort.Search(len(s.Openings), func(i int) bool { return s.Openings[i].Until.After(now) }):]
}

// Starts returns the earliest instant at which the resource may act: now, or when its next opening begins. False:
// nothing opens any more.
func (c Clock) Starts() (time.Time, bool) {
	if !c.start.Bound {
		return c.now, true
	}
	open := c.start.from(c.now)
	if len(open) == 0 {
		return time.Time{}, false
	}
	if open[0].From.Before(c.now) {
		return c.now, true
	}
	return open[0].From, true
}

// Next returns when the opening after the earliest one begins; zero where no window holds the resource, or none comes.
func (c Clock) Next() time.Time {
	if open := c.start.from(c.now); c.start.Bound && len(open) > 1 {
		return open[1].From
	}
	return time.Time{}
}

// Bound reports whether windows hold the resource back at some time.
func (c Clock) Bound() bool { return c.start.Bound }

// Due reports whether an instant has come by the time at which the resource may act. Where no window holds the
// resource, it is Passed.
func (c Clock) Due(t time.Time) bool {
	if !c.start.Bound || !c.now.Before(t) {
		return c.Passed(t)
	}
	open := c.start.from(c.now)
	before := sort.Search(len(open), func(i int) bool { return !open[i].From.Before(t) })
	if before == 0 {
		return true
	}
	// It comes while an opening lasts, or with the end of the last one that begins before it.
	if end := open[before-1].Until; end.Before(t) {
		t = end
	}
	return c.Passed(t)
}

// DueNext reports whether an instant comes no later than the opening after the earliest one, which is then too late for
// it. Where no window holds the resource, it is Passed.
func (c Clock) DueNext(t time.Time) bool {
	if !c.start.Bound || !c.now.Before(t) {
		return c.Passed(t)
	}
	open := c.start.from(c.now)
	before := sort.Search(len(open), func(i int) bool { return !open[i].From.Before(t) })
	if before < 2 {
		return true
	}
	return c.Passed(open[before-2].Until)
}
