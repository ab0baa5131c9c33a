package schedule

import (
	"fmt"
	"slices"

	"upkeep/providers"
)

// lane is a lane's page.
type lane struct {
	def       providers.Lane
	series    []int32 // whose steps name it, in their order
	order     []int32 // the same, where it is kept; see Strict
	head      int     // of order, the first with steps that may still run
	brackets  []int32 // with an end, of steps of these series
	free      bool    // neither its order nor its closing is kept
	unlimited bool    // its width is not kept

	held       map[int32]int32 // by holder, how many of its series are in the lane
	taken      map[int32]bool  // observed to take room
	used       int             // holders that are in either
	repairable int             // holders that are taken, not in the lane, and have a repairing series
	repairing  int             // repairing series in the lane
	soft       int             // series for which room is set aside
	moving     int             // steps of its series that are under way or may start

	failed   map[int32]bool // holders that failed after their first change
	closedBy int32
	closedAs string // why it is closed
	queue    heap
	special  []int32 // in the queue, and perhaps not held by the width or the order
	isDirty  bool
}

// room reports whether a series may enter a lane. What begins a bracket takes the room that is set aside for what it
// guards.
func (s *Schedule) room(l, n int32, begins bool) bool {
	ln, se := &s.lanes[l], &s.series[n]
	h := se.holder
	if ln.unlimited || ln.held[h] > 0 || !ln.def.Strict && s.lifted(RuleUnavailable, s.nameOf(h)) {
		return true
	}
	used := ln.used
	if ln.taken[h] {
		used--
	}
	if se.repairs {
		if ln.repairing > 0 {
			return false
		}
		used -= ln.repairable
		if ln.taken[h] && s.nodes[h].repaired {
			used++ // counted twice
		}
	} else if !ln.taken[h] && !s.inTurn(ln, n) {
		return false
	}
	if !begins {
		used += ln.soft
	}
	return used < ln.def.Width
}

// inTurn reports whether the order of a lane lets a series enter: it is among the first that have not ended, as many as
// the lane is wide.
func (s *Schedule) inTurn(ln *lane, n int32) bool {
	se := &s.series[n]
	if len(ln.order) == 0 || s.lifted(RuleOrder, s.nameOf(se.holder)) || len(s.steps[se.steps[0]].begins) > 0 {
		return true
	}
	for ln.head < len(ln.order) && s.series[ln.order[ln.head]].left == 0 {
		ln.head++
	}
	var nodes []int32
	for _, m := range ln.order[ln.head:] {
		if s.series[m].left == 0 {
			continue
		}
		if h := s.series[m].holder; !slices.Contains(nodes, h) {
			if len(nodes) == ln.def.Width {
				return false
			}
			nodes = append(nodes, h)
		}
		if m == n {
			return true
		}
	}
	return true
}

// crowded reports whether a series that has its places and has changed nothing yet must give them back: since it
// entered, nodes were seen to take the room.
func (s *Schedule) crowded(n int32) bool {
	se := &s.series[n]
	if !se.entered || se.changed || se.holder == none {
		return false
	}
	for _, l := range se.lanes {
		ln, h := &s.lanes[l], se.holder
		if ln.unlimited || !ln.def.Strict && s.lifted(RuleUnavailable, s.nameOf(h)) || s.inProgress(h, l, n) {
			continue
		}
		others := ln.used - 1
		if se.repairs {
			others -= ln.repairable
		}
		if others >= ln.def.Width {
			return true
		}
	}
	return false
}

// inProgress reports whether another series of a holder has changed something and is in a lane: the holder's place is
// taken anyway.
func (s *Schedule) inProgress(h, l, but int32) bool {
	return slices.ContainsFunc(s.nodes[h].series, func(n int32) bool {
		se := &s.series[n]
		return n != but && se.entered && se.changed && slices.Contains(se.lanes, l)
	})
}

// full returns the first lane that has no room for a series; none: it may enter all of them.
func (s *Schedule) full(n int32, begins bool) int32 {
	for _, l := range s.series[n].lanes {
		if !s.room(l, n, begins) {
			return l
		}
	}
	return none
}

// enter takes a place in all lanes of a series.
func (s *Schedule) enter(n int32) {
	se := &s.series[n]
	if se.entered {
		return
	}
	se.entered = true
	for _, l := range se.lanes {
		ln := &s.lanes[l]
		if ln.held[se.holder]++; ln.held[se.holder] == 1 {
			if !ln.taken[se.holder] {
				ln.used++
			} else if s.nodes[se.holder].repaired {
				ln.repairable--
			}
		}
		if se.repairs {
			ln.repairing++
		}
	}
	if len(se.lanes) == 0 {
		return
	}
	for _, m := range s.nodes[se.holder].series { // the others of its node may now come in beside it
		for _, i := range s.series[m].steps {
			if s.steps[i].line == heldLane {
				s.candidates.push(s, i)
			}
		}
	}
}

// leave gives the places of a series back.
func (s *Schedule) leave(n int32) {
	se := &s.series[n]
	if !se.entered {
		return
	}
	se.entered = false
	for _, l := range se.lanes {
		ln := &s.lanes[l]
		if ln.held[se.holder]--; ln.held[se.holder] == 0 {
			delete(ln.held, se.holder)
			if !ln.taken[se.holder] {
				ln.used--
			} else if s.nodes[se.holder].repaired {
				ln.repairable++
			}
		}
		if se.repairs {
			ln.repairing--
		}
		s.dirt(l)
	}
}

// dirt notes that there may be room in a lane.
func (s *Schedule) dirt(l int32) {
	if ln := &s.lanes[l]; !ln.isDirty {
		ln.isDirty = true
		s.dirty = append(s.dirty, l)
	}
}

// setAside keeps room for the series of a step while its brackets begin; it is no place: others see it, what begins a
// bracket does not.
func (s *Schedule) setAside(i int32, on bool) {
	st := &s.steps[i]
	se := &s.series[st.series]
	if st.soft == on || on && se.entered {
		return
	}
	st.soft = on
	for _, l := range se.lanes {
		if on {
			s.lanes[l].soft++
		} else {
			s.lanes[l].soft--
			s.dirt(l)
		}
	}
}

// queueFor puts a step in line for a lane.
func (s *Schedule) queueFor(i, l int32) {
	ln, se := &s.lanes[l], &s.series[s.steps[i].series]
	s.hold(i, heldLane, l)
	ln.queue.push(s, i)
	if se.repairs || ln.taken[se.holder] || len(s.steps[i].begins) > 0 || len(s.plan.Lifted) > 0 {
		ln.special = append(ln.special, i)
	}
}

// drain considers those in line for a lane, as far as there is room.
func (s *Schedule) drain(l int32) {
	ln := &s.lanes[l]
	ln.isDirty = false
	waits := func(i int32) bool {
		st := &s.steps[i]
		return st.phase == Held && st.because == heldLane && st.on == l
	}
	special := ln.special
	ln.special = nil
	for _, i := range special {
		switch {
		case !waits(i):
		case s.room(l, s.steps[i].series, len(s.steps[i].begins) > 0):
			s.consider(i)
		default:
			ln.special = append(ln.special, i)
		}
	}
	for len(ln.queue) > 0 {
		i := ln.queue[0]
		if waits(i) && !s.room(l, s.steps[i].series, len(s.steps[i].begins) > 0) {
			return
		}
		ln.queue.pop(s)
		if waits(i) {
			s.consider(i)
		}
	}
}

// close lets no further node enter a lane; those under way go on to their next rest.
func (s *Schedule) close(l, by int32, why string) {
	ln := &s.lanes[l]
	if ln.closedBy != none {
		return
	}
	ln.closedBy, ln.closedAs = by, why
	for _, n := range ln.series {
		s.shut(n)
	}
}

// shut blocks the rest of a series that is not under way and has a closed lane.
func (s *Schedule) shut(n int32) {
	se := &s.series[n]
	why := s.closed(n)
	if se.changed || why == "" {
		return
	}
	for _, i := range se.steps {
		s.lose(i, why)
	}
}

// closed says why a series may not enter; empty: no lane of it is closed. Repairs enter closed lanes, too.
func (s *Schedule) closed(n int32) string {
	if s.series[n].repairs {
		return ""
	}
	for _, l := range s.series[n].lanes {
		ln := &s.lanes[l]
		if ln.closedBy != none && !(ln.def.Strict && s.lifted(RuleOrder, s.nameOf(s.series[n].holder))) {
			return ln.closedAs
		}
	}
	return ""
}

// judge closes the lanes that must close after a step of theirs did not succeed. A repair that fails closes none: an
// outage that could not be put right is no change that went wrong, and the next node may be the one that can be helped.
func (s *Schedule) judge(i int32, outcome Outcome) {
	n := s.steps[i].series
	se := &s.series[n]
	if s.steps[i].ends != none || se.repairs || outcome.Succeeded() {
		return
	}
	for _, l := range se.lanes {
		ln := &s.lanes[l]
		if ln.def.Strict && !ln.free && !s.lifted(RuleOrder, s.nameOf(se.holder)) {
			s.close(l, i, fmt.Sprintf("lane %q is closed: step %s %s", ln.def.Name, s.id(i), was(outcome)))
			continue
		}
		if ln.def.Strict || se.damage == none || ln.def.Failures == providers.NeverCloses || ln.failed[se.holder] {
			continue
		}
		if ln.failed == nil {
			ln.failed = map[int32]bool{}
		}
		if ln.failed[se.holder] = true; len(ln.failed) > ln.def.Failures {
			s.close(l, i, fmt.Sprintf("lane %q is closed: step %s %s", ln.def.Name, s.id(i), was(outcome)))
		}
	}
}
