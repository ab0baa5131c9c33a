package schedule

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Over reports whether nothing is in the driver's hands and nothing may start, once Next has handed out nothing: the
// run ends, complete or not.
func (s *Schedule) Over() bool { return s.inHand == 0 && s.startable == 0 }

// OnlyWaits reports whether the run is over although it was not stopped, and steps are left that wait.
func (s *Schedule) OnlyWaits() bool {
	if !s.Over() || s.level > Running {
		return false
	}
	for i := range s.steps {
		if st := &s.steps[i]; st.phase != Ended && st.outcome == "" {
			return true
		}
	}
	return false
}

// Wake returns when Next should be called at the latest though nothing was reported; zero: nothing waits for the time.
func (s *Schedule) Wake() time.Time {
	var at time.Time
	if len(s.timers) > 0 {
		at = s.timers[0].at
	}
	if !s.Over() {
		for _, p := range s.parks {
			// What was due by now and is still parked must not be looked at: the run stops.
			if len(p.steps) > 0 && p.next.After(s.now) && (at.IsZero() || p.next.Before(at)) {
				at = p.next
			}
		}
	}
	return at
}

// State says how a step stands; false: the plan does not have it.
func (s *Schedule) State(id string) (State, bool) {
	i, ok := s.index[id]
	if !ok {
		return State{}, false
	}
	return s.state(i), true
}

// States says how all steps stand, in plan order.
func (s *Schedule) States() []State {
	s.fullTexts = map[int32]string{}
	defer func() { s.fullTexts = nil }()
	out := make([]State, 0, len(s.steps))
	for i := range s.steps {
		out = append(out, s.state(int32(i)))
	}
	return out
}

// Waiting returns the steps that wait for something outside the plan, in plan order.
func (s *Schedule) Waiting() []State {
	var out []State
	for i := range s.steps {
		if s.steps[i].phase == Parked {
			out = append(out, s.state(int32(i)))
		}
	}
	return out
}

func (s *Schedule) state(i int32) State {
	st := &s.steps[i]
	out := State{Step: s.id(i), Phase: st.phase, Outcome: st.outcome, Why: st.why, Round: s.round(i)}
	if st.phase == Ended || st.outcome != "" && (st.phase == Held && st.because == heldIdle) {
		out.Phase = Ended // of a bracket that is not in a round
		return out
	}
	out.Outcome = Waiting
	switch {
	case st.phase == Parked:
		out.Wait, out.Why = st.wait, "waits for "+st.wait.For
	case s.level > Running:
		out.Outcome, out.Why = Pending, "not started: the run was stopped"
	default:
		out.Why = s.reason(i)
	}
	return out
}

// reason says why a step is held.
func (s *Schedule) reason(i int32) string {
	st := &s.steps[i]
	switch st.phase {
	case Held:
	case Wanting:
		return fmt.Sprintf("waits until the guard %q has begun", s.guard(st.wanted[0]))
	default:
		return ""
	}
	before := func(list []int32) string {
		for _, a := range list {
			if !s.steps[a].settled {
				return fmt.Sprintf("step %s must come first", s.id(a))
			}
		}
		return ""
	}
	switch st.because {
	case heldBefore:
		return before(st.after)
	case heldOutside:
		for _, j := range s.series[st.series].steps {
			for _, a := range s.steps[j].after {
				if !s.steps[a].settled && s.steps[a].series != st.series {
					return fmt.Sprintf("step %s must come first: step %s, later on the same node, waits for it", s.id(a), s.id(j))
				}
			}
		}
	case heldGate:
		br := &s.brackets[st.on]
		if j := br.parked; j != none && s.steps[j].phase == Parked {
			return fmt.Sprintf("step %s begins the guard %q and waits for %s", s.id(j), s.guard(st.on), s.steps[j].wait.For)
		} else if j != none {
			return fmt.Sprintf("step %s begins the guard %q and cannot start: %s", s.id(j), s.guard(st.on), s.reason(j))
		}
		for _, j := range br.begin {
			if why := before(s.steps[j].after); why != "" {
				return fmt.Sprintf("%s: then the guard %q can begin", why, s.guard(st.on))
			}
		}
	case heldLane:
		return s.noRoom(st.on, st.series)
	case heldNode:
		if busy := s.nodes[st.on].busy; busy != none {
			return fmt.Sprintf("step %s is in progress on %s", s.id(busy), s.nameOf(st.on))
		}
	case heldIdle:
		if b := s.bracketOf(i); b != none {
			return fmt.Sprintf("nothing that the guard %q is for can start yet", s.guard(b))
		}
	}
	return "other steps go first"
}

func (s *Schedule) bracketOf(i int32) int32 {
	st := &s.steps[i]
	if st.ends != none {
		return st.ends
	}
	if len(st.begins) > 0 {
		return st.begins[0]
	}
	return none
}

// noRoom says why a series may not enter a lane: who goes first, or who takes the room.
func (s *Schedule) noRoom(l, n int32) string {
	ln := &s.lanes[l]
	if se := &s.series[n]; !se.repairs && !ln.taken[se.holder] && !s.inTurn(ln, n) {
		for _, m := range ln.order[ln.head:] {
			if s.series[m].left > 0 {
				return fmt.Sprintf("%s goes first in lane %q", s.nameOf(s.series[m].holder), ln.def.Name)
			}
		}
	}
	if text, ok := s.fullTexts[l]; ok {
		return text
	}
	var who []string
	for h := range ln.held {
		who = append(who, fmt.Sprintf("%s (%s)", s.nameOf(h), s.takes(l, h)))
	}
	for h := range ln.taken {
		if ln.held[h] == 0 {
			who = append(who, fmt.Sprintf("%s (%s)", s.nameOf(h), s.nodes[h].taken))
		}
	}
	slices.Sort(who)
	text := fmt.Sprintf("no room in lane %q (%d wide): %s", ln.def.Name, ln.def.Width, strings.Join(who, ", "))
	if len(who) == 0 {
		text = fmt.Sprintf("other nodes go first in lane %q (%d wide)", ln.def.Name, ln.def.Width)
	}
	if s.fullTexts != nil {
		s.fullTexts[l] = text
	}
	return text
}

// takes says why a holder has a place in a lane.
func (s *Schedule) takes(l, h int32) string {
	for _, n := range s.nodes[h].series {
		se := &s.series[n]
		if !se.entered || !slices.Contains(se.lanes, l) {
			continue
		}
		switch {
		case se.damage != none:
			return fmt.Sprintf("step %s %s", s.id(se.damage), was(s.steps[se.damage].outcome))
		case se.leftOver:
			return "left in progress by an earlier run"
		}
	}
	return "in progress"
}

// was puts an outcome into a sentence about a step.
func was(o Outcome) string {
	if o == Failed {
		return "failed"
	}
	return "was " + string(o)
}
