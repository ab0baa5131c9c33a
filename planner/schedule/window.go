package schedule

import (
	"fmt"
	"slices"
	"sort"
	"time"

	"upkeep/providers"
)

// makeStretches notes, of each step, what must fit into an opening where a stretch begins with it: all up to the next
// rest, if a step of it is disruptive and repairs nothing.
func (s *Schedule) makeStretches() {
	for n := range s.series {
		se := &s.series[n]
		var need time.Duration
		var windows []string
		for k := len(se.steps) - 1; k >= 0; k-- {
			i := se.steps[k]
			from := &s.plan.Steps[i]
			if from.Rest {
				need, windows = 0, nil
			}
			need += from.WorstDuration()
			_, bounded := s.plan.Openings[from.Window]
			if bounded && from.Disruption != "" && !from.Repairs && !s.lifted(RuleWindow, from.Node) && !slices.Contains(windows, from.Window) {
				windows = append(slices.Clip(windows), from.Window)
			}
			if s.steps[i].ends == none {
				s.steps[i].need, s.steps[i].windows = need, windows
			}
		}
	}
}

// opensFor reports whether the windows of a stretch are open for long enough; else the step waits for them.
func (s *Schedule) opensFor(i int32) bool {
	st := &s.steps[i]
	for _, w := range st.windows {
		if _, begun := s.begunIn[w]; begun {
			continue
		}
		need := max(st.need, s.plan.Stretch[w])
		openings := s.plan.Openings[w]
		k := sort.Search(len(openings), func(k int) bool { return openings[k].Until.After(s.now) })
		if k < len(openings) && !openings[k].From.After(s.now) && !s.now.Add(need).After(openings[k].Until) {
			continue
		}
		wait := Wait{Window: w, For: fmt.Sprintf("an opening of window %q that has %s left", w, need)}
		for ; k < len(openings); k++ {
			if openings[k].From.After(s.now) && !openings[k].From.Add(need).After(openings[k].Until) {
				wait.Again = openings[k].From
				break
			}
		}
		if wait.Again.IsZero() {
			wait.For = fmt.Sprintf("an opening of window %q that is %s long; there is none", w, need)
		}
		s.park(i, wait)
		return false
	}
	return true
}

// edgeOf returns when the earliest of the openings ends that a stretch begins in.
func (s *Schedule) edgeOf(i int32) (edge time.Time) {
	for _, w := range s.steps[i].windows {
		until, begun := s.begunIn[w]
		if !begun {
			until = s.closes(w)
		}
		if !until.IsZero() && (edge.IsZero() || until.Before(edge)) {
			edge = until
		}
	}
	return edge
}

// closes returns when the opening ends that is now, or comes; zero where there is none.
func (s *Schedule) closes(w string) time.Time {
	openings := s.plan.Openings[w]
	k := sort.Search(len(openings), func(k int) bool { return openings[k].Until.After(s.now) })
	if k == len(openings) {
		return time.Time{}
	}
	return openings[k].Until
}

// beginIn notes in which openings the run has begun a plan that is one stretch.
func (s *Schedule) beginIn(windows []string) {
	for _, w := range windows {
		if _, begun := s.begunIn[w]; begun || s.plan.Stretch[w] == 0 {
			continue
		}
		if s.begunIn == nil {
			s.begunIn = map[string]time.Time{}
		}
		s.begunIn[w] = s.closes(w)
		for i := range s.steps { // what waits for its next opening may begin now
			if st := &s.steps[i]; st.phase == Parked && st.wait.Window == w {
				s.unpark(int32(i))
			}
		}
	}
}

// parks are the steps of one resource that wait.
type parks struct {
	steps []int32
	next  time.Time // when they are looked at together
	bound time.Time // and how far that may be put off
}

// park has a step wait for something outside the plan. Its node leaves its lanes unless its work has begun.
func (s *Schedule) park(i int32, wait Wait) {
	st := &s.steps[i]
	if wait.Since.IsZero() {
		wait.Since = s.now
		if st.wait.For != "" && st.wait.Window == wait.Window {
			wait.Since = st.wait.Since
		}
	}
	s.putBack(i)
	st.wait, st.seen = wait, false
	s.set(i, Parked)
	if wait.Window != "" {
		if !wait.Again.IsZero() {
			s.timers.push(timer{wait.Again, i})
		}
	} else {
		st.again = s.now.Add(Between)
		if wait.Again.After(st.again) {
			st.again = wait.Again
		}
		s.group(i)
	}
	s.parkBrackets(i)
}

// parkBrackets has all wait that want a bracket which a step begins, since the step cannot run now. They are not under
// way meanwhile: neither in a lane nor a reason to keep another bracket open.
func (s *Schedule) parkBrackets(i int32) {
	for _, b := range s.steps[i].begins {
		br := &s.brackets[b]
		if br.phase == open || br.parked != none {
			continue
		}
		br.parked = i
		waiter := br.waiter
		br.waiter = nil
		for _, w := range waiter {
			if wt := &s.steps[w]; wt.phase == Wanting && slices.Contains(wt.wanted, b) {
				br.gated = append(br.gated, w)
				s.putBack(w)
				s.hold(w, heldGate, b)
				s.parkBrackets(w)
			}
		}
		s.check(b)
	}
}

// unparkBrackets considers them again.
func (s *Schedule) unparkBrackets(i int32) {
	for _, b := range s.steps[i].begins {
		if br := &s.brackets[b]; br.parked == i {
			br.parked = none
			s.reopen(b)
		}
	}
}

// group puts a step among those of its resource. They are put off together, so that one observation serves them, but no
// more than a minute.
func (s *Schedule) group(i int32) {
	address := s.plan.Steps[i].Address.Resource()
	if s.parksOf == nil {
		s.parksOf = map[providers.Address]*parks{}
	}
	p := s.parksOf[address]
	if p == nil {
		p = &parks{}
		s.parksOf[address] = p
		s.parks = append(s.parks, p)
	}
	due := s.steps[i].again
	switch {
	case len(p.steps) == 0:
		p.next, p.bound = due, due.Add(Between)
	case due.Before(p.next):
		p.next, p.bound = due, due.Add(Between)
	case !due.After(p.bound):
		p.next = due
	}
	p.steps = append(p.steps, i)
}

// wake considers what waited long enough. Steps are looked at again only beside other work: nothing waits under a lock.
func (s *Schedule) wake() {
	for len(s.timers) > 0 && !s.timers[0].at.After(s.now) {
		t := s.timers.pop()
		if st := &s.steps[t.step]; st.phase == Parked && st.wait.Window != "" && st.wait.Again.Equal(t.at) {
			s.unpark(t.step)
		}
	}
	if s.inHand == 0 && s.startable == 0 {
		return
	}
	for _, p := range s.parks {
		if len(p.steps) == 0 || p.next.After(s.now) {
			continue
		}
		var rest []int32
		for _, i := range p.steps {
			st := &s.steps[i]
			switch {
			case st.phase != Parked || st.wait.Window != "":
			case st.again.After(s.now) || !s.stillAllowed(i):
				rest = append(rest, i)
			default:
				s.set(i, Looking)
				s.looks = append(s.looks, i)
			}
		}
		p.steps = nil
		for _, i := range rest {
			if s.stillAllowed(i) {
				s.group(i)
			} else {
				p.steps = append(p.steps, i)
			}
		}
	}
}

// stillAllowed is allowed for a step that waits; of what begins a bracket, it is those that want the bracket that
// count.
func (s *Schedule) stillAllowed(i int32) bool {
	return s.allowed(i) || s.level == NoNewNodes && len(s.steps[i].begins) > 0
}

// unpark has a step considered that waited.
func (s *Schedule) unpark(i int32) {
	s.set(i, Held)
	s.steps[i].because = heldIdle
	s.candidates.push(s, i)
	s.unparkBrackets(i)
}
