package providers

import "time"

// Clock is the time at which a pure decision is made. A Diff asks it instead of comparing instants itself: each answer
// that time alone would change is noted, and Outcome.Until is the first of them. It is for one goroutine.
type Clock struct {
	now   time.Time
	start Start
	next  *time.Time // nil: nobody asks when an answer changes
}

// ClockAt is a clock that notes nothing, for those who act on an answer at once.
func ClockAt(now time.Time) Clock { return Clock{now: now} }

// Clock returns the clock of the input.
func (in Input) Clock() Clock { return Clock{in.Now, in.Start, in.next} }

// Now is the time itself, for what a person reads and for what is predicted. Nothing may be decided by it.
func (c Clock) Now() time.Time { return c.now }

// Passed reports whether an instant has come: it is now, or was before.
func (c Clock) Passed(t time.Time) bool {
	if !c.now.Before(t) {
		return true
	}
	if c.next != nil && (c.next.IsZero() || t.Before(*c.next)) {
		*c.next = t
	}
	return false
}

// Beyond reports whether an instant was before now.
func (c Clock) Beyond(t time.Time) bool { return c.Passed(t.Add(1)) }

// Review returns what a resource finds and would do, with Outcome.Until.
func Review(r Resource, in Input) Outcome {
	in.next = new(time.Time)
	out := r.Diff(in)
	out.Until = *in.next
	return out
}
