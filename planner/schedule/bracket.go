package schedule

import (
	"fmt"
	"slices"
)

// bracket is a bracket's page.
type bracket struct {
	plan                int // its index in Plan.Brackets
	begin, guarded, end []int32
	inner               []int32 // brackets whose ends it guards
	lanes               []int32 // of what it guards

	phase  bracketPhase
	begun  bool // something must be ended
	round  int
	wants  int // steps that wait for it to begin
	waiter []int32

	did       []bool // of begin: done in this round
	beginLeft int
	endLeft   int
	endHanded bool // a step of its end was handed out in this round
	endRan    bool // and one was started
	broke     int32
	parked    int32 // the step of its beginning that waits; none
	gate      int32 // steps that its beginning comes after, and that have not ended
	gated     []int32

	live      int // guarded steps that may still run
	failed    int // guarded steps that ended without success
	active    int // guarded steps that run, may start or wait for brackets alone
	near      int // steps under way after which, or in whose series, a guarded step comes
	queued    int // guarded steps in line for a lane
	atNode    int // guarded steps in line for their node
	beginning int // steps of its beginning that run, may start or wait for brackets of their own
	checking  bool
}

type bracketPhase int8

const (
	closed bracketPhase = iota
	beginning
	open
	ending
)

// want has a step wait for a bracket, which then begins.
func (s *Schedule) want(b, i int32) {
	br := &s.brackets[b]
	br.wants++
	br.waiter = append(br.waiter, i)
	s.steps[i].wanted = append(s.steps[i].wanted, b)
	switch br.phase {
	case closed:
		s.begin(b)
	case beginning:
		s.offer(b)
	}
}

// stopWaiting has a step wait for no bracket any more.
func (s *Schedule) stopWaiting(i int32) {
	st := &s.steps[i]
	for _, b := range st.wanted {
		s.brackets[b].wants--
		s.check(b)
	}
	st.wanted = nil
}

// begin begins a round of a bracket, or the first again where an earlier run left it begun.
func (s *Schedule) begin(b int32) {
	br := &s.brackets[b]
	br.phase, br.beginLeft = beginning, 0
	if !br.begun {
		br.round++
	}
	for k := range br.begin {
		if len(br.end) > 0 {
			br.did[k] = false
		}
		if !br.did[k] {
			br.beginLeft++
		}
	}
	if br.beginLeft == 0 {
		s.opened(b)
		return
	}
	s.offer(b)
}

// offer has the steps considered that begin a bracket.
func (s *Schedule) offer(b int32) {
	br := &s.brackets[b]
	for k, i := range br.begin {
		if st := &s.steps[i]; !br.did[k] && !st.retired {
			if st.phase == Ended {
				s.set(i, Held)
				st.because = heldIdle
			}
			s.candidates.push(s, i)
		}
	}
}

// opened lets what a bracket guards start.
func (s *Schedule) opened(b int32) {
	br := &s.brackets[b]
	br.phase = open
	for _, i := range br.waiter {
		s.candidates.push(s, i)
	}
	br.waiter = nil
	s.check(b)
}

// wanted reports whether a step that begins brackets must run now for one of them.
func (s *Schedule) wanted(i int32) bool {
	for _, b := range s.steps[i].begins {
		br := &s.brackets[b]
		k := slices.Index(br.begin, i)
		if br.phase != beginning || br.wants == 0 || br.did[k] {
			continue
		}
		ready := true
		for _, a := range s.steps[i].after {
			if j := slices.Index(br.begin, a); j >= 0 && !br.did[j] {
				ready = false
			}
		}
		if ready {
			return true
		}
	}
	return false
}

// beginsAlone reports whether a step that begins brackets may run although none of them is wanted: it is due by itself,
// or its series is under way.
func (s *Schedule) beginsAlone(i int32) bool {
	st := &s.steps[i]
	return st.due || s.series[st.series].changed && !s.again(i)
}

// missing returns the brackets that must begin before a step may start.
func (s *Schedule) missing(i int32) (out []int32) {
	st := &s.steps[i]
	se := &s.series[st.series]
	add := func(list []int32) {
		for _, b := range list {
			if br := &s.brackets[b]; br.phase != open && br.live > 0 && !slices.Contains(out, b) && !slices.Contains(st.begins, b) {
				out = append(out, b)
			}
		}
	}
	add(st.guards)
	if !se.entered {
		add(se.first)
	}
	return out
}

// begunWith takes over how a step ended that begins brackets.
func (s *Schedule) begunWith(i int32, outcome Outcome) {
	for _, b := range s.steps[i].begins {
		br := &s.brackets[b]
		k := slices.Index(br.begin, i)
		if len(br.end) > 0 && (outcome.Succeeded() || outcome == Failed) {
			br.begun = true
		}
		if !outcome.Succeeded() {
			br.broke = i
			why := fmt.Sprintf("step %s begins the guard %q and %s", s.id(i), s.guard(b), was(outcome))
			for _, g := range br.guarded {
				s.lose(g, why)
			}
			for _, w := range br.waiter { // others of the series of what it guards
				if slices.Contains(s.steps[w].wanted, b) {
					s.lose(w, why)
				}
			}
			s.check(b)
			continue
		}
		if br.did[k] {
			continue
		}
		br.did[k] = true
		if br.phase == beginning {
			if br.beginLeft--; br.beginLeft == 0 {
				s.opened(b)
				continue
			}
			s.offer(b)
		} else if len(br.end) == 0 && !slices.Contains(br.did, false) {
			s.opened(b)
		}
		s.check(b)
	}
}

func (s *Schedule) guard(b int32) string { return s.plan.Brackets[s.brackets[b].plan].Guard }

// mayEnd reports whether a bracket has begun and nothing of what it guards goes on.
func (s *Schedule) mayEnd(b int32) bool {
	br := &s.brackets[b]
	if !br.begun || len(br.end) == 0 || br.active > 0 || br.beginning > 0 || br.near > 0 || s.level >= Now {
		return false
	}
	for _, o := range br.inner {
		if s.brackets[o].begun {
			return false
		}
	}
	if br.atNode > 0 {
		return false // a step of that node is under way
	}
	if br.queued > 0 {
		for _, l := range br.lanes {
			if s.lanes[l].moving > 0 {
				return false
			}
		}
	}
	return true
}

// review ends a bracket, takes an end back that was not handed out, or retires the steps of one with nothing left to
// guard.
func (s *Schedule) review(b int32) {
	br := &s.brackets[b]
	br.checking = false
	switch may := s.mayEnd(b); {
	case br.phase == ending && !may && !br.endHanded && s.level < Now:
		br.phase, br.beginLeft = beginning, 0
		for _, did := range br.did {
			if !did {
				br.beginLeft++
			}
		}
		s.offerInner(b)
		if br.broke == none && !slices.Contains(br.did, false) {
			s.opened(b)
		}
		for _, i := range br.end {
			if s.steps[i].phase != Ended {
				s.release(i)
				s.hold(i, heldIdle, b)
			}
		}
		if br.phase == beginning && br.wants > 0 {
			s.offer(b)
		}
	case br.phase != ending && may:
		br.phase, br.endLeft, br.endHanded, br.endRan = ending, len(br.end), false, false
		for _, i := range br.end {
			if s.steps[i].phase == Ended {
				s.set(i, Held)
				s.steps[i].because = heldIdle
			}
			s.candidates.push(s, i)
		}
	}
	if br.live == 0 && !br.begun && br.phase != ending && br.beginning == 0 {
		s.nothingLeft(b)
	}
}

// considerEnd starts a step that ends a bracket, once those are through that it comes after.
func (s *Schedule) considerEnd(i int32) {
	st := &s.steps[i]
	br := &s.brackets[st.ends]
	if br.phase != ending || s.level >= Now {
		s.hold(i, heldIdle, st.ends)
		return
	}
	for _, a := range st.after {
		if s.steps[a].endedIn != br.round {
			s.hold(i, heldBefore, none)
			return
		}
	}
	for _, b := range st.guards { // an end runs beside no other end that is around it
		if o := &s.brackets[b]; o.phase == ending && o.endHanded {
			s.hold(i, heldGate, b)
			return
		}
	}
	if s.occupied(i) {
		return
	}
	s.set(i, Startable)
	s.ends.push(s, i)
}

// endedWith takes over that a step ended that ends a bracket. Whatever came of it, those after it run.
func (s *Schedule) endedWith(i int32) {
	st := &s.steps[i]
	b := st.ends
	br := &s.brackets[b]
	st.endedIn, br.endRan = br.round, true
	for _, d := range br.end {
		if s.steps[d].phase == Held {
			s.candidates.push(s, d)
		}
	}
	if br.endLeft--; br.endLeft > 0 {
		return
	}
	br.begun, br.phase, br.endHanded = false, closed, false
	s.offerInner(b)
	if len(br.begin) == 0 {
		br.phase = open
	}
	if br.wants > 0 {
		s.begin(b)
	}
	s.check(b)
	for o := range s.brackets {
		if slices.Contains(s.brackets[o].inner, b) {
			s.check(int32(o))
		}
	}
}

// offerInner has the ends considered that a bracket held back which is around them.
func (s *Schedule) offerInner(b int32) {
	for _, o := range s.brackets[b].inner {
		if s.brackets[o].phase == ending {
			for _, i := range s.brackets[o].end {
				s.candidates.push(s, i)
			}
		}
	}
}

// nothingLeft retires the steps of a bracket that nothing can need any more.
func (s *Schedule) nothingLeft(b int32) {
	br := &s.brackets[b]
	for _, i := range br.waiter { // they are of a series of which another step was guarded
		s.candidates.push(s, i)
	}
	br.waiter = nil
	s.reopen(b)
	outcome, why := Skipped, fmt.Sprintf("nothing that the guard %q is for had to run", s.guard(b))
	if br.failed > 0 {
		outcome, why = Blocked, fmt.Sprintf("nothing is left to run for the guard %q", s.guard(b))
	}
	for _, i := range slices.Concat(br.begin, br.end) {
		st := &s.steps[i]
		switch {
		case st.retired || st.phase.inHand():
		case st.outcome != "":
			s.set(i, Ended)
			s.retire(i)
		case st.ends == none && (st.due || slices.ContainsFunc(st.begins, func(o int32) bool { return s.brackets[o].live > 0 })):
		default:
			s.putBack(i)
			s.finish(i, outcome, why)
			s.retire(i)
		}
	}
}
