package schedule

import (
	"fmt"
	"slices"
	"strings"

	"upkeep/providers"
)

// New opens the book of a run. It refuses a plan that cannot be scheduled: two steps with one id, an id that the plan does
// not have, steps that wait for one another in a cycle, a lane with two definitions. It takes n log n.
func New(plan Plan, history History) (*Schedule, error) {
	s := &Schedule{plan: plan, index: make(map[string]int32, len(plan.Steps)), steps: make([]step, len(plan.Steps))}
	for i := range plan.Steps {
		id := plan.Steps[i].ID
		if _, twice := s.index[id]; twice {
			return nil, fmt.Errorf("two steps have the id %q", id)
		}
		s.index[id] = int32(i)
		s.steps[i] = step{ends: none, holder: none, on: none, rank: int32(i), phase: Held}
	}
	if err := s.makeBrackets(); err != nil {
		return nil, err
	}
	if err := s.makeEdges(); err != nil {
		return nil, err
	}
	if err := s.makeSeries(); err != nil {
		return nil, err
	}
	if err := s.cycle(); err != nil {
		return nil, err
	}
	s.makeRanks()
	s.makeEntries()
	s.makeNear()
	s.makeStretches()
	for i := range s.nodes {
		s.nodes[i].busy = none
	}
	s.remember(history)
	for i := range s.steps {
		s.candidates.push(s, int32(i))
	}
	return s, nil
}

func (s *Schedule) at(id, who string) (int32, error) {
	i, ok := s.index[id]
	if !ok {
		return none, fmt.Errorf("%s names step %q, which is not in the plan", who, id)
	}
	return i, nil
}

// makeBrackets makes the brackets that hold something back or have an end. One without steps around it (a condition, or one
// that was not needed) is asked by the driver alone.
func (s *Schedule) makeBrackets() error {
	for n, from := range s.plan.Brackets {
		if len(from.Begin) == 0 && len(from.End) == 0 {
			continue
		}
		b := int32(len(s.brackets))
		br := bracket{plan: n, parked: none, broke: none}
		who := fmt.Sprintf("the bracket of guard %q of %s", from.Guard, from.Of)
		var err error
		list := func(ids []string) (out []int32) {
			for _, id := range ids {
				i, unknown := s.at(id, who)
				if unknown != nil {
					err = unknown
					return nil
				}
				out = append(out, i)
			}
			return out
		}
		br.begin, br.end = list(from.Begin), list(from.End)
		guarded, due := list(from.Guarded), list(from.Due)
		if err != nil {
			return err
		}
		for _, i := range br.begin {
			s.steps[i].begins = append(s.steps[i].begins, b)
		}
		for _, i := range br.end {
			if st := &s.steps[i]; st.ends != none || len(st.begins) > 0 {
				return fmt.Errorf("step %s ends the guard %q, and begins or ends another", s.id(i), from.Guard)
			}
			s.steps[i].ends = b
		}
		for _, i := range due {
			s.steps[i].due = s.steps[i].due || len(br.end) == 0
		}
		for _, i := range guarded {
			st := &s.steps[i]
			// A step does not wait for the bracket that it is itself.
			if st.ends != b && !slices.Contains(st.begins, b) && !slices.Contains(st.guards, b) {
				st.guards = append(st.guards, b)
				br.guarded = append(br.guarded, i)
			}
		}
		br.did = make([]bool, len(br.begin))
		br.live = len(br.guarded)
		if len(br.begin) == 0 {
			br.phase = open // it begins with the first step that it guards
		}
		s.brackets = append(s.brackets, br)
	}
	for b := range s.brackets {
		for _, i := range s.brackets[b].guarded {
			if e := s.steps[i].ends; e != none && !slices.Contains(s.brackets[b].inner, e) {
				s.brackets[b].inner = append(s.brackets[b].inner, e)
			}
		}
	}
	return nil
}

// again reports whether a step belongs to a bracket with an end, so that it may run several times.
func (s *Schedule) again(i int32) bool {
	st := &s.steps[i]
	return st.ends != none || slices.ContainsFunc(st.begins, func(b int32) bool { return len(s.brackets[b].end) > 0 })
}

// makeEdges makes the edges of After. Those that brackets say better are left out: a guarded step waits for its bracket, not
// for the steps that begin it; a step that ends a bracket waits for those alone that end it with it.
func (s *Schedule) makeEdges() error {
	for i := range s.plan.Steps {
		st := &s.steps[i]
		for _, id := range s.plan.Steps[i].After {
			a, err := s.at(id, "step "+s.id(int32(i)))
			if err != nil {
				return err
			}
			before := &s.steps[a]
			switch {
			case int32(i) == a:
				return fmt.Errorf("step %s waits for itself", id)
			case st.ends != none && before.ends != st.ends:
				continue
			case meet(before.begins, st.guards):
				continue
			}
			before.next = append(before.next, int32(i))
			st.after = append(st.after, a)
			st.unmet++
			for _, b := range st.begins {
				if br := &s.brackets[b]; !slices.Contains(before.begins, b) {
					br.gate++
					before.gates = append(before.gates, b)
				}
			}
		}
	}
	return nil
}

func meet(a, b []int32) bool {
	return slices.ContainsFunc(a, func(x int32) bool { return slices.Contains(b, x) })
}

// makeSeries makes the series, the lanes and who holds places in them.
func (s *Schedule) makeSeries() error {
	type key struct {
		address providers.Address
		own     int32 // of a step that is a series of its own
		repairs bool  // repairs are a series beside the rest of their node
	}
	series := map[key]int32{}
	s.lanesByName, s.holders = map[string]int32{}, map[string]int32{}
	for i := range s.plan.Steps {
		from := &s.plan.Steps[i]
		k := key{from.Series(), none, from.Repairs}
		if s.again(int32(i)) {
			k.own = int32(i)
		}
		n, ok := series[k]
		if !ok {
			n = int32(len(s.series))
			series[k] = n
			name := from.Node
			if name == "" {
				name = k.address.String() + " "
			}
			s.series = append(s.series, aSeries{holder: s.holderOf(name), damage: none, top: none})
		}
		se, st := &s.series[n], &s.steps[i]
		st.series = n
		se.steps = append(se.steps, int32(i))
		se.left++
		if from.Node != "" {
			st.holder = se.holder
		}
		if len(se.steps) == 1 {
			se.repairs = from.Repairs
		}
		if st.ends != none {
			continue // an end is held by no lane
		}
		for _, lane := range from.Lanes {
			if strings.HasPrefix(lane.Name, providers.NodeLanePrefix) {
				continue
			}
			l, err := s.laneOf(lane)
			if err != nil {
				return fmt.Errorf("step %s: %w", from.ID, err)
			}
			if !slices.Contains(se.lanes, l) {
				se.lanes = append(se.lanes, l)
				s.lanes[l].series = append(s.lanes[l].series, n)
			}
		}
	}
	s.nodes = make([]node, len(s.holders))
	for l := range s.lanes {
		for _, name := range s.lanes[l].def.Selection {
			n := &s.nodes[s.holders[name]]
			if !slices.Contains(n.lanes, int32(l)) {
				n.lanes = append(n.lanes, int32(l))
			}
		}
	}
	for n := range s.series {
		se := &s.series[n]
		slices.Sort(se.lanes)
		s.nodes[se.holder].series = append(s.nodes[se.holder].series, int32(n))
		if se.repairs {
			s.nodes[se.holder].repaired = true
		}
	}
	for b := range s.brackets {
		br := &s.brackets[b]
		seen := map[int32]bool{}
		for _, i := range br.guarded {
			for _, l := range s.series[s.steps[i].series].lanes {
				if !seen[l] {
					seen[l] = true
					br.lanes = append(br.lanes, l)
					if len(br.end) > 0 {
						s.lanes[l].brackets = append(s.lanes[l].brackets, int32(b))
					}
				}
			}
		}
	}
	return nil
}

func (s *Schedule) holderOf(name string) int32 {
	h, ok := s.holders[name]
	if !ok {
		h = int32(len(s.holders))
		s.holders[name] = h
		s.names = append(s.names, strings.TrimSuffix(name, " "))
	}
	return h
}

func (s *Schedule) laneOf(def providers.Lane) (int32, error) {
	if l, ok := s.lanesByName[def.Name]; ok {
		have := &s.lanes[l].def
		if have.Width != def.Width || have.Failures != def.Failures || have.Strict != def.Strict ||
			!same(have.Selection, def.Selection) {
			return none, fmt.Errorf("the lane %q has two definitions", def.Name)
		}
		return l, nil
	}
	if def.Width < 1 {
		return none, fmt.Errorf("the lane %q is %d wide", def.Name, def.Width)
	}
	l := int32(len(s.lanes))
	s.lanesByName[def.Name] = l
	ln := lane{def: def, held: map[int32]int32{}, taken: map[int32]bool{}, closedBy: none}
	for _, name := range def.Selection {
		s.holderOf(name)
	}
	ln.unlimited = !def.Strict && s.lifted(RuleUnavailable, "")
	ln.free = def.Strict && s.lifted(RuleOrder, "")
	s.lanes = append(s.lanes, ln)
	return l, nil
}

// same compares two lists; lists that are one in memory cost nothing.
func same(a, b []string) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0] || slices.Equal(a, b))
}

// lifted reports whether a rule is lifted for a node; of the empty node: for all.
func (s *Schedule) lifted(rule, node string) bool {
	return slices.ContainsFunc(s.plan.Lifted, func(l Lifted) bool { return l.Rule == rule && (l.Node == "" || l.Node == node) })
}

// makeRanks gives every step its rank: its place in the plan, but that of the series of one lane those of a lower turn have
// the better places.
func (s *Schedule) makeRanks() {
	for l := range s.lanes {
		ln := &s.lanes[l]
		slices.SortStableFunc(ln.series, func(a, b int32) int {
			sa, sb := s.series[a].steps[0], s.series[b].steps[0]
			if d := s.plan.Steps[sa].Turn - s.plan.Steps[sb].Turn; d != 0 {
				return d
			}
			return int(sa - sb)
		})
		var all, ranks []int32
		for _, n := range ln.series {
			all = append(all, s.series[n].steps...)
		}
		for _, i := range all {
			ranks = append(ranks, s.steps[i].rank)
		}
		slices.Sort(ranks)
		if slices.IsSortedFunc(ln.series, func(a, b int32) int { return int(s.series[a].steps[0] - s.series[b].steps[0]) }) {
			continue // the plan has them in turn
		}
		for k, i := range all {
			s.steps[i].rank = ranks[k]
		}
	}
	for l := range s.lanes {
		ln := &s.lanes[l]
		if !ln.def.Strict || ln.free {
			continue
		}
		for _, n := range ln.series {
			// What begins a bracket has its place by what it guards.
			if !slices.ContainsFunc(s.series[n].steps, func(i int32) bool { return len(s.steps[i].begins) > 0 }) {
				ln.order = append(ln.order, n)
			}
		}
	}
}

// makeNear notes, of each step, the brackets that stay open while it is under way although it is not guarded itself: those
// of steps that come after it or are later in its series.
func (s *Schedule) makeNear() {
	add := func(st *step, b int32) {
		if len(s.brackets[b].end) > 0 && !slices.Contains(st.near, b) {
			st.near = append(st.near, b)
		}
	}
	for n := range s.series {
		var later []int32
		for k := len(s.series[n].steps) - 1; k >= 0; k-- {
			st := &s.steps[s.series[n].steps[k]]
			for _, b := range later {
				add(st, b)
			}
			for _, b := range st.guards {
				if !slices.Contains(later, b) {
					later = append(later, b)
				}
			}
		}
	}
	for i := range s.steps {
		st := &s.steps[i]
		for _, d := range st.next {
			for _, b := range s.steps[d].guards {
				if st.ends != b && !slices.Contains(st.begins, b) {
					add(st, b)
				}
			}
		}
	}
}
