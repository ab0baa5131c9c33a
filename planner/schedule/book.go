package schedule

import (
	"time"

	"upkeep/providers"
)

const none = int32(-1)

// Schedule is the book of one run. Make it with New.
type Schedule struct {
	plan        Plan
	index       map[string]int32
	lanesByName map[string]int32
	holders     map[string]int32 // who can hold a place: nodes by name, series of the cluster by address
	names       []string         // of the holders

	steps    []step
	series   []aSeries
	lanes    []lane
	nodes    []node // by holder
	brackets []bracket

	level Level
	now   time.Time // the latest that was told

	candidates heap     // steps to be considered
	ready      heap     // startable steps
	ends       heap     // startable steps that end a bracket
	looks      []int32  // to be handed out
	lost       []loss   // steps that must be blocked
	dirty      []int32  // lanes in which room may have come
	checks     []int32  // brackets that may end, or have nothing left
	timers     timers   // steps that wait for a window
	parks      []*parks // steps that wait, by resource
	parksOf    map[providers.Address]*parks
	begunIn    map[string]time.Time // of windows in which the plan is one stretch that has begun: when their opening ends

	inHand    int // looking, handed and under way
	startable int
	parked    int
	fullTexts map[int32]string // by lane, while States writes why there is no room
}

type loss struct {
	step int32
	why  string
}

// step is one step's page.
type step struct {
	rank   int32
	series int32
	holder int32 // its node; none: a step of the cluster
	phase  Phase

	after, next []int32
	unmet       int32   // of after
	gates       []int32 // brackets that cannot begin before it
	entries     []entry
	begins      []int32
	ends        int32
	guards      []int32 // brackets that it goes within
	due         bool
	near        []int32
	windows     []string      // of the stretch that would begin with it
	need        time.Duration // what that stretch takes

	past    bool // an earlier run did it, and it was not looked at in this one
	settled bool // what comes after it knows how it ended
	retired bool // it never runs again
	outcome Outcome
	why     string
	barred  string    // it is in the driver's hands, and must not start
	wait    Wait      // while it is parked
	again   time.Time // when it may be looked at again
	looked  time.Time // when it was last found ready, if it was seen so
	seen    bool
	because hold    // with Held
	on      int32   // the lane, holder or bracket that because is about
	line    hold    // what it stands in line for
	soft    bool    // room is set aside while its brackets begin
	wanted  []int32 // brackets that it waits for
	lost    []int32 // brackets that were found undone before it
	redo    bool    // it begins a bracket once more
	endedIn int     // the round in which it last ended its bracket
}

// entry is a step of a series with lanes that comes after a step outside of it.
type entry struct{ series, step int32 }

// hold is why a step is held.
type hold int8

const (
	heldBefore  hold = iota // by steps that come first
	heldOutside             // by what later steps of its series come after
	heldGate                // its bracket cannot begin yet
	heldLane                // no room
	heldNode                // another step of its node is under way
	heldIdle                // it begins or ends a bracket, and that is not wanted now
	heldStop                // the run stops
)

// aSeries is the steps of one address on one node.
type aSeries struct {
	holder   int32
	steps    []int32
	lanes    []int32
	first    []int32 // brackets without an end that must have begun before it enters
	outside  int32   // steps outside of it that it waits for before it enters
	left     int     // steps that are not retired
	entered  bool
	repairs  bool
	leftOver bool      // an earlier run left it under way
	changed  bool      // it is under way: a step of it was started since its last rest
	going    int       // steps of it that are under way
	holding  int       // steps of it that are under way or may start
	top      int32     // the latest of its steps, in plan order, that was started or skipped; none
	damage   int32     // the step that failed after its first change; none
	edge     time.Time // when the opening ends in which its stretch began
}

// node is what is to be known of a holder.
type node struct {
	busy     int32 // the step that has it; none
	queue    heap
	repaired bool    // a repairing series of this plan is for it
	series   []int32 // that it holds places for
	lanes    []int32 // whose selection has it
	isTaken  bool    // it is observed to take room
	taken    string  // why
}

func (s *Schedule) id(i int32) string { return s.plan.Steps[i].ID }

func (s *Schedule) nameOf(holder int32) string { return s.names[holder] }

// inHand reports whether a step is with the driver.
func (p Phase) inHand() bool { return p == Looking || p == Handed || p == Underway }

// moving reports whether a step is under way or can be at once.
func (p Phase) moving() bool { return p == Startable || p == Handed || p == Underway }

// set moves a step to another phase and keeps all counts.
func (s *Schedule) set(i int32, to Phase) {
	st := &s.steps[i]
	from := st.phase
	if from == to {
		return
	}
	st.phase = to
	s.line(i, 0)
	count := func(is func(Phase) bool, n *int) {
		if is(from) {
			*n--
		}
		if is(to) {
			*n++
		}
	}
	count(Phase.inHand, &s.inHand)
	count(func(p Phase) bool { return p == Startable }, &s.startable)
	count(func(p Phase) bool { return p == Parked }, &s.parked)

	was, is := from.moving() || from == Looking || from == Wanting, to.moving() || to == Looking || to == Wanting
	if was != is {
		for _, b := range st.guards {
			s.count(b, &s.brackets[b].active, is)
		}
		for _, b := range st.begins {
			s.count(b, &s.brackets[b].beginning, is)
		}
	}
	if from == Underway {
		s.series[st.series].going--
	}
	if to == Underway {
		s.series[st.series].going++
	}
	if was, is := from.moving(), to.moving(); was != is {
		for _, b := range st.near {
			s.count(b, &s.brackets[b].near, is)
		}
		if is {
			s.series[st.series].holding++
		} else {
			s.series[st.series].holding--
		}
		if st.ends == none {
			for _, l := range s.series[st.series].lanes {
				ln := &s.lanes[l]
				if is {
					ln.moving++
				} else if ln.moving--; ln.moving == 0 {
					for _, b := range ln.brackets {
						s.check(b)
					}
				}
			}
		}
	}
}

// count adds or takes one; the bracket may then have to end, or not to end.
func (s *Schedule) count(b int32, n *int, up bool) {
	if up {
		*n++
	} else {
		*n--
	}
	s.check(b)
}

func (s *Schedule) check(b int32) {
	if br := &s.brackets[b]; !br.checking {
		br.checking = true
		s.checks = append(s.checks, b)
	}
}

// hold leaves a step where it is, for a reason; on is what the reason is about.
func (s *Schedule) hold(i int32, because hold, on int32) {
	s.set(i, Held)
	s.line(i, 0)
	st := &s.steps[i]
	st.because, st.on = because, on
	s.line(i, because)
}

// line notes what a step stands in line for: heldLane, heldNode or nothing.
func (s *Schedule) line(i int32, in hold) {
	st := &s.steps[i]
	count := func(in hold, up bool) {
		for _, b := range st.guards {
			switch br := &s.brackets[b]; in {
			case heldLane:
				s.count(b, &br.queued, up)
			case heldNode:
				s.count(b, &br.atNode, up)
			}
		}
	}
	if st.line != in {
		count(st.line, false)
		count(in, true)
		st.line = in
	}
}
