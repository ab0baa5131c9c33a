package schedule

import "fmt"

// settle considers all that may have changed, until nothing changes any more.
func (s *Schedule) settle() {
	for {
		switch {
		case len(s.lost) > 0:
			l := s.lost[0]
			s.lost = s.lost[1:]
			s.block(l.step, l.why)
		case len(s.candidates) > 0:
			i := s.candidates.pop(s)
			for len(s.candidates) > 0 && s.candidates[0] == i { // else it would stand in line for each bracket twice, four times, …
				s.candidates.pop(s)
			}
			s.consider(i)
		case len(s.dirty) > 0:
			l := s.dirty[0]
			s.dirty = s.dirty[1:]
			s.drain(l)
		case len(s.checks) > 0:
			b := s.checks[0]
			s.checks = s.checks[1:]
			s.review(b)
		default:
			return
		}
	}
}

// allowed reports whether a stop lets a step start that ends no bracket.
func (s *Schedule) allowed(i int32) bool {
	switch s.level {
	case Running:
		return true
	case NoNewNodes:
		return s.series[s.steps[i].series].changed || s.wanted(i)
	default:
		return false
	}
}

// consider takes a step that is held as far as it gets.
func (s *Schedule) consider(i int32) {
	st := &s.steps[i]
	if st.retired || st.phase != Held && st.phase != Wanting {
		return
	}
	if st.ends != none {
		s.considerEnd(i)
		return
	}
	s.stopWaiting(i)
	s.setAside(i, false)
	se := &s.series[st.series]
	begins := len(st.begins) > 0
	switch {
	case st.unmet > 0:
		s.hold(i, heldBefore, none)
		return
	case begins && !s.wanted(i) && !s.beginsAlone(i):
		s.hold(i, heldIdle, none)
		s.unparkBrackets(i)
		return
	case !s.allowed(i):
		s.hold(i, heldStop, none)
		return
	case st.past:
		// What an earlier run did is looked at wherever it stands: it needs neither room nor a bracket to be found done.
		s.set(i, Looking)
		s.looks = append(s.looks, i)
		return
	case !se.entered && se.outside > 0:
		s.hold(i, heldOutside, none)
		return
	}
	if why := s.closed(st.series); why != "" && !se.changed {
		s.lose(i, why)
		return
	}
	missing := s.missing(i)
	for _, b := range missing {
		br := &s.brackets[b]
		if br.broke != none {
			s.lose(i, fmt.Sprintf("step %s begins the guard %q and %s", s.id(br.broke), s.guard(b), was(s.steps[br.broke].outcome)))
			return
		}
		if br.gate > 0 || br.parked != none {
			br.gated = append(br.gated, i)
			s.putBack(i)
			s.hold(i, heldGate, b)
			s.parkBrackets(i)
			return
		}
	}
	if !se.changed && !s.opensFor(i) {
		return
	}
	if !se.entered {
		if l := s.full(st.series, begins); l != none {
			s.queueFor(i, l)
			return
		}
	}
	if len(missing) > 0 {
		s.setAside(i, true)
		if !st.seen || s.now.Sub(st.looked) >= Between {
			s.set(i, Looking)
			s.looks = append(s.looks, i)
			return
		}
		s.set(i, Wanting)
		for _, b := range missing {
			s.want(b, i)
		}
		return
	}
	if s.occupied(i) {
		return
	}
	s.enter(st.series)
	s.set(i, Startable)
	s.ready.push(s, i)
}

// occupied takes the step's node for it; true: another step has it, and it stands in line.
func (s *Schedule) occupied(i int32) bool {
	st := &s.steps[i]
	if st.holder == none {
		return false
	}
	n := &s.nodes[st.holder]
	if n.busy != none && n.busy != i {
		s.hold(i, heldNode, st.holder)
		n.queue.push(s, i)
		return true
	}
	n.busy = i
	return false
}

// release gives the step's node to the next in line.
func (s *Schedule) release(i int32) {
	st := &s.steps[i]
	if st.holder == none || s.nodes[st.holder].busy != i {
		return
	}
	n := &s.nodes[st.holder]
	n.busy = none
	for len(n.queue) > 0 {
		j := n.queue.pop(s)
		if w := &s.steps[j]; w.phase == Held && w.because == heldNode {
			s.candidates.push(s, j)
		}
	}
}

// putBack takes a step out of the driver's hands, or out of line, without its having started.
func (s *Schedule) putBack(i int32) {
	st := &s.steps[i]
	s.release(i)
	s.stopWaiting(i)
	s.setAside(i, false)
	se := &s.series[st.series]
	others := se.holding
	if st.phase.moving() {
		others--
	}
	if others == 0 && !se.changed {
		s.leave(st.series)
	}
}

// lose has a step blocked.
func (s *Schedule) lose(i int32, why string) { s.lost = append(s.lost, loss{i, why}) }

// block ends a step that may not run. One that the driver has is blocked when the driver reports it.
func (s *Schedule) block(i int32, why string) {
	st := &s.steps[i]
	switch {
	case st.retired || st.ends != none || st.phase == Underway || st.phase == Ended && st.outcome != "":
	case st.phase.inHand():
		if st.barred == "" {
			st.barred = why
		}
	default:
		s.drop(i, why)
	}
}

// drop blocks a step that the driver does not have.
func (s *Schedule) drop(i int32, why string) {
	s.putBack(i)
	s.finish(i, Blocked, why)
	s.through(i)
}

// through passes on how a step ended: to its brackets, and to those that count what is left.
func (s *Schedule) through(i int32) {
	st := &s.steps[i]
	if len(st.begins) > 0 {
		s.begunWith(i, st.outcome)
	}
	if st.ends != none {
		s.endedWith(i)
	}
	if !s.again(i) {
		s.retire(i)
	}
}

// finish ends a step and tells all that hang on it.
func (s *Schedule) finish(i int32, outcome Outcome, why string) {
	st := &s.steps[i]
	se := &s.series[st.series]
	s.release(i)
	s.set(i, Ended)
	st.outcome, st.why, st.barred, st.redo = outcome, why, "", false
	again := s.again(i)
	switch {
	case se.repairs && !outcome.Succeeded():
		se.changed, se.leftOver = false, false // its node is as it was found, and takes no room from the others
	case outcome.Succeeded():
		se.top = max(se.top, i)
		if s.rests(se) {
			se.changed, se.leftOver = false, false
		}
	case outcome == Failed || outcome == Refused && se.changed:
		se.damage = i
	}
	s.tell(i, outcome) // before a lane closes: the nearer reason counts
	s.judge(i, outcome)
	if again {
		if outcome != Failed {
			s.leave(st.series)
		}
	} else if !se.changed {
		s.shut(st.series)
		if se.holding == 0 && (s.level > Running || outcome == Skipped) { // nothing of it is under way
			s.leave(st.series)
		}
	}
}

// rests reports whether a series may be left as it is: nothing of it is under way, nothing failed, and the latest of
// its steps that were started succeeded and is a rest or the last.
func (s *Schedule) rests(se *aSeries) bool {
	if se.going > 0 || se.damage != none || se.top == none {
		return false
	}
	return s.steps[se.top].outcome.Succeeded() && (s.plan.Steps[se.top].Rest || se.top == se.steps[len(se.steps)-1])
}

// tell lets go on what comes after a step, or blocks it. That happens once: a bracket that begins again changes nothing
// for what came after its first beginning.
func (s *Schedule) tell(i int32, outcome Outcome) {
	st := &s.steps[i]
	if st.settled {
		return
	}
	st.settled = true
	why := ""
	if !outcome.Succeeded() {
		why = fmt.Sprintf("step %s must come first, and %s", s.id(i), was(outcome))
	}
	for _, d := range st.next {
		if why != "" && (st.ends == none || s.steps[d].ends != st.ends) {
			s.lose(d, why)
			continue
		}
		if s.steps[d].unmet--; s.steps[d].unmet == 0 {
			s.candidates.push(s, d)
		}
	}
	for _, b := range st.gates {
		br := &s.brackets[b]
		if br.gate--; br.gate == 0 {
			s.reopen(b)
		}
	}
	for _, e := range st.entries {
		se := &s.series[e.series]
		if why != "" && !se.changed {
			for _, j := range se.steps {
				s.lose(j, fmt.Sprintf("step %s comes later on the same node, and step %s, which must come before it, %s", s.id(e.step), s.id(i), was(outcome)))
			}
		}
		if se.outside--; se.outside == 0 {
			for _, j := range se.steps {
				s.candidates.push(s, j)
			}
		}
	}
}

// reopen considers those again that could not want a bracket.
func (s *Schedule) reopen(b int32) {
	br := &s.brackets[b]
	gated := br.gated
	br.gated = nil
	for _, i := range gated {
		s.candidates.push(s, i)
		s.unparkBrackets(i)
	}
}

// retire notes that a step never runs again.
func (s *Schedule) retire(i int32) {
	st := &s.steps[i]
	if st.retired {
		return
	}
	st.retired = true
	for _, b := range st.guards {
		br := &s.brackets[b]
		br.live--
		if !st.outcome.Succeeded() {
			br.failed++
		}
		s.check(b)
	}
	se := &s.series[st.series]
	if se.left--; se.left > 0 {
		return
	}
	if !se.changed {
		s.leave(st.series)
	}
	for _, l := range se.lanes {
		s.dirt(l)
	}
}
