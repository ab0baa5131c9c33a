package schedule

import (
	"fmt"
	"slices"
	"time"
)

// Next hands out what must be done now: all looks, and at most so many starts (0: all). A caller that takes one step at
// a time (most = 1) gets looks alone, so that it goes through a plan in its order. Each decision must be answered.
func (s *Schedule) Next(now time.Time, most int) []Decision {
	s.tick(now)
	s.settle()
	s.wake()
	s.settle()
	s.unstick()
	var out []Decision
	for most != 1 || len(s.looks) == 0 {
		i, ok := s.pick()
		if !ok {
			break
		}
		s.set(i, Handed)
		out = append(out, s.decision(i, Start))
		s.settle()
		if most--; most == 0 {
			break
		}
	}
	for _, i := range s.looks {
		if s.steps[i].phase == Looking {
			out = append(out, s.decision(i, Look))
		}
	}
	s.looks = nil
	return out
}

// unstick has all wait that want a bracket which cannot begin, because there is no room for what begins it and nothing
// goes on that could make some: else a bracket that began in part would not end.
func (s *Schedule) unstick() {
	for b := 0; b < len(s.brackets) && s.inHand == 0 && s.startable == 0; b++ {
		br := &s.brackets[b]
		if br.phase != beginning || br.wants == 0 {
			continue
		}
		for k, i := range br.begin {
			if !br.did[k] && s.steps[i].line != 0 {
				s.parkBrackets(i)
				s.settle()
				break
			}
		}
	}
}

// pick takes the next startable step: the ends of brackets first.
func (s *Schedule) pick() (int32, bool) {
	for len(s.ends) > 0 || len(s.ready) > 0 {
		if len(s.ends) > 0 {
			i := s.ends.pop(s)
			if st := &s.steps[i]; st.phase == Startable && s.brackets[st.ends].phase == ending {
				s.brackets[st.ends].endHanded = true
				return i, true
			}
			continue
		}
		i := s.ready.pop(s)
		if s.steps[i].phase != Startable {
			continue
		}
		if s.stillStartable(i) {
			return i, true
		}
		s.takeBack(i)
		s.settle()
	}
	return 0, false
}

// stillStartable reports whether a step that could start still can.
func (s *Schedule) stillStartable(i int32) bool {
	st := &s.steps[i]
	if st.ends != none {
		return s.level < Now && (s.brackets[st.ends].endRan || s.mayEnd(st.ends))
	}
	return s.allowed(i) && len(s.missing(i)) == 0 && (len(st.begins) == 0 || s.wanted(i) || s.beginsAlone(i))
}

// takeBack has a step considered again that could start.
func (s *Schedule) takeBack(i int32) {
	s.putBack(i)
	s.hold(i, heldStop, none)
	s.candidates.push(s, i)
	for _, b := range s.steps[i].begins {
		s.check(b)
	}
	if b := s.steps[i].ends; b != none {
		br := &s.brackets[b]
		br.endHanded = br.endRan || slices.ContainsFunc(br.end, func(j int32) bool { return s.steps[j].phase == Handed })
		s.check(b)
	}
}

func (s *Schedule) decision(i int32, kind Kind) Decision {
	st := &s.steps[i]
	d := Decision{
		Step: s.id(i), Index: int(i), Kind: kind, Begins: len(st.begins) > 0, Ends: st.ends != none, Round: s.round(i), Again: st.redo,
	}
	edge := s.series[st.series].edge
	if !s.series[st.series].changed {
		edge = s.edgeOf(i)
	}
	if !edge.IsZero() && s.now.After(edge) {
		d.Overrun = s.now.Sub(edge)
	}
	return d
}

// round is how often the bracket has begun that a step begins or ends.
func (s *Schedule) round(i int32) (n int) {
	st := &s.steps[i]
	if st.ends != none {
		return s.brackets[st.ends].round
	}
	for _, b := range st.begins {
		n = max(n, s.brackets[b].round)
	}
	return n
}

func (s *Schedule) tick(now time.Time) {
	if now.After(s.now) {
		s.now = now
	}
}

// report finds a step that the driver has, in one of the phases in which the report makes sense.
func (s *Schedule) report(id, what string, phases ...Phase) (int32, error) {
	i, ok := s.index[id]
	if !ok {
		return none, fmt.Errorf("%s: the plan has no step %q", what, id)
	}
	if have := s.steps[i].phase; !slices.Contains(phases, have) {
		return none, fmt.Errorf("%s: step %s is %s", what, id, have)
	}
	return i, nil
}

// Ready answers a Look: the step's ground holds.
func (s *Schedule) Ready(id string, now time.Time) error {
	i, err := s.report(id, "ready", Looking)
	if err != nil {
		return err
	}
	s.tick(now)
	st := &s.steps[i]
	st.looked, st.seen, st.past = s.now, true, false
	if st.barred != "" {
		s.drop(i, st.barred)
		return nil
	}
	s.unpark(i)
	return nil
}

// Waits answers a Look or a Start: the step's ground holds except for something that passes by itself.
func (s *Schedule) Waits(id string, wait Wait, now time.Time) error {
	i, err := s.report(id, "waits", Looking, Handed)
	if err != nil {
		return err
	}
	s.tick(now)
	st := &s.steps[i]
	switch {
	case st.barred != "":
		s.drop(i, st.barred)
	case st.ends != none:
		return fmt.Errorf("waits: step %s ends a guard, and an end does not wait; report Ended", id)
	default:
		wait.Window = ""
		s.park(i, wait)
	}
	return nil
}

// Closed says, just before a step starts that was handed out, whether the window of its stretch has closed since then,
// or has too little time left: a look can take long, and a machine can sleep. The step then waits for another opening.
func (s *Schedule) Closed(id string, now time.Time) (bool, error) {
	i, err := s.report(id, "closed", Handed)
	if err != nil {
		return false, err
	}
	s.tick(now)
	st := &s.steps[i]
	return st.barred == "" && !s.series[st.series].changed && !s.opensFor(i), nil
}

// Started answers a Start, just before the step's start is recorded. False: it must not start any longer (the run
// stops, something failed at the same time, or others were seen to take the room); the schedule has taken it back.
func (s *Schedule) Started(id string) (bool, error) {
	i, err := s.report(id, "started", Handed)
	if err != nil {
		return false, err
	}
	st := &s.steps[i]
	se := &s.series[st.series]
	switch {
	case st.barred != "":
		s.drop(i, st.barred)
		return false, nil
	case !s.stillStartable(i), s.crowded(st.series):
		s.takeBack(i)
		return false, nil
	}
	if !se.changed {
		s.beginIn(st.windows)
		se.edge = s.edgeOf(i)
	}
	if st.ends != none {
		s.brackets[st.ends].endRan = true
	}
	se.changed, se.top = true, max(se.top, i)
	s.set(i, Underway)
	for _, b := range st.guards {
		if br := &s.brackets[b]; len(br.begin) == 0 && !br.begun {
			br.begun = true
			br.round++
		}
	}
	return true, nil
}

// Ended reports how a step ended that the driver has: Done, Skipped, Refused or Failed.
func (s *Schedule) Ended(id string, outcome Outcome, why string) error {
	i, err := s.report(id, "ended", Looking, Handed, Underway)
	if err != nil {
		return err
	}
	st := &s.steps[i]
	switch outcome {
	case Done, Failed:
		if st.phase != Underway {
			return fmt.Errorf("ended: step %s is %s, though it was not started", id, outcome)
		}
	case Skipped, Refused:
		if st.phase == Underway {
			return fmt.Errorf("ended: step %s is %s, though it was started", id, outcome)
		}
	default:
		return fmt.Errorf("ended: %q is no outcome that a driver reports", outcome)
	}
	if was := st.phase; was == Handed || was == Looking {
		s.unparkBrackets(i)
		if se := &s.series[st.series]; !se.changed && outcome == Refused {
			s.putBack(i)
		} else {
			s.setAside(i, false)
		}
	}
	s.finish(i, outcome, why)
	s.through(i)
	return nil
}

// GuardLost answers the Start of a guarded step: what a step did that began its bracket was undone. The bracket begins
// again, and then the step is handed out again. False: that was so before; the one who undoes it is still at it, so the
// driver must report Ended with Refused.
func (s *Schedule) GuardLost(id, begin string) (bool, error) {
	i, err := s.report(id, "guard lost", Handed)
	if err != nil {
		return false, err
	}
	st := &s.steps[i]
	j, ok := s.index[begin]
	if !ok {
		return false, fmt.Errorf("guard lost: the plan has no step %q", begin)
	}
	at := slices.IndexFunc(st.guards, func(b int32) bool { return slices.Contains(s.steps[j].begins, b) })
	if at < 0 {
		return false, fmt.Errorf("guard lost: step %s does not begin a bracket of step %s", begin, id)
	}
	b := st.guards[at]
	if st.barred != "" {
		s.drop(i, st.barred)
		return true, nil
	}
	if slices.Contains(st.lost, j) {
		return false, nil
	}
	st.lost = append(st.lost, j)
	st.looked, st.seen = s.now, true
	br := &s.brackets[b]
	if k := slices.Index(br.begin, j); br.did[k] && (br.phase == open || br.phase == beginning) && !s.steps[j].phase.inHand() {
		if br.phase == open {
			br.phase, br.beginLeft = beginning, 0
		}
		br.did[k] = false
		br.beginLeft++
		s.steps[j].redo = true
		s.offer(b)
	}
	s.takeBack(i)
	return true, nil
}

// Release gives a decision back that the driver did not follow because the run ends. It is handed out again if the run
// does not.
func (s *Schedule) Release(id string) error {
	i, err := s.report(id, "release", Looking, Handed)
	if err != nil {
		return err
	}
	if st := &s.steps[i]; st.barred != "" {
		s.drop(i, st.barred)
		return nil
	}
	s.unparkBrackets(i)
	s.takeBack(i)
	return nil
}

// Taken replaces the nodes that are observed to take room.
func (s *Schedule) Taken(nodes []Taken) {
	now := map[int32]string{}
	for _, n := range nodes {
		if h, ok := s.holders[n.Node]; ok {
			now[h] = n.Why
		}
	}
	for h := range s.nodes {
		why, is := now[int32(h)]
		n := &s.nodes[h]
		was := n.isTaken
		n.isTaken, n.taken = is, why
		if was == is {
			continue
		}
		for _, l := range n.lanes {
			ln := &s.lanes[l]
			by := 1
			if !is {
				by = -1
				delete(ln.taken, int32(h))
			} else {
				ln.taken[int32(h)] = true
			}
			if ln.held[int32(h)] == 0 {
				ln.used += by
				if n.repaired {
					ln.repairable += by
				}
			}
			for _, i := range ln.queue { // who may enter has changed
				s.candidates.push(s, i)
			}
			ln.queue, ln.special = nil, nil
			s.dirt(l)
		}
	}
}

// Stop stops the run; see Level. A lower level than before changes nothing.
func (s *Schedule) Stop(level Level) {
	if level <= s.level {
		return
	}
	s.level = level
	for n := range s.steps {
		i := int32(n)
		st := &s.steps[i]
		switch {
		case st.ends != none:
			if st.phase == Startable && level >= Now {
				s.putBack(i)
				s.hold(i, heldStop, none)
			}
		case st.phase == Wanting || st.phase == Startable || st.line != 0:
			if !s.allowed(i) {
				s.putBack(i)
				s.hold(i, heldStop, none)
			}
		}
	}
	for n := range s.series {
		if !s.series[n].changed && s.series[n].holding == 0 {
			s.leave(int32(n))
		}
	}
	for b := range s.brackets {
		s.check(int32(b))
	}
}
