package schedule

import (
	"fmt"
	"slices"
)

// makeEntries counts, of each series with lanes, what it must wait for before it enters: the steps outside of it that its
// steps come after, unless those wait for the series themselves, and the brackets without an end that its steps need.
func (s *Schedule) makeEntries() {
	component := s.components()
	for n := range s.series {
		se := &s.series[n]
		if len(se.lanes) == 0 {
			continue
		}
		for _, i := range se.steps {
			for _, a := range s.steps[i].after {
				if s.steps[a].series != int32(n) && component[s.vertex(a)] != component[n] {
					se.outside++
					s.steps[a].entries = append(s.steps[a].entries, entry{int32(n), i})
				}
			}
			for _, b := range s.steps[i].guards {
				br := &s.brackets[b]
				if len(br.end) > 0 || len(br.begin) == 0 || slices.Contains(se.first, b) ||
					slices.ContainsFunc(br.begin, func(i int32) bool { return component[s.vertex(i)] == component[n] }) {
					continue // it begins in the middle of the series
				}
				se.first = append(se.first, b)
			}
		}
	}
}

// vertex is what a step is in the graph of series: its series where that has lanes, else itself.
func (s *Schedule) vertex(i int32) int32 {
	if n := s.steps[i].series; len(s.series[n].lanes) > 0 {
		return n
	}
	return int32(len(s.series)) + i
}

// components returns, by vertex, the strongly connected component of the graph of series that it belongs to (Tarjan, with a
// stack of its own since plans are deep).
func (s *Schedule) components() []int32 {
	// A bracket is a vertex, too, between what begins it and what it guards.
	size := len(s.series) + len(s.steps) + len(s.brackets)
	next := make([][]int32, size)
	for i := range s.steps {
		from := s.vertex(int32(i))
		for _, d := range s.steps[i].next {
			if to := s.vertex(d); to != from {
				next[from] = append(next[from], to)
			}
		}
	}
	for b := range s.brackets {
		v := int32(size - len(s.brackets) + b)
		for _, i := range s.brackets[b].begin {
			next[s.vertex(i)] = append(next[s.vertex(i)], v)
		}
		for _, i := range s.brackets[b].guarded {
			next[v] = append(next[v], s.vertex(i))
		}
	}
	component, low, number := make([]int32, size), make([]int32, size), make([]int32, size)
	for v := range component {
		component[v] = none
	}
	type frame struct {
		v    int32
		edge int
	}
	var stack []int32
	var frames []frame
	count := int32(0)
	enter := func(v int32) {
		count++
		number[v], low[v] = count, count
		stack = append(stack, v)
		frames = append(frames, frame{v, 0})
	}
	for root := range int32(size) {
		if number[root] != 0 {
			continue
		}
		enter(root)
		for len(frames) > 0 {
			f := &frames[len(frames)-1]
			if f.edge < len(next[f.v]) {
				to := next[f.v][f.edge]
				f.edge++
				switch {
				case number[to] == 0:
					enter(to)
				case component[to] == none:
					low[f.v] = min(low[f.v], number[to])
				}
				continue
			}
			v := f.v
			frames = frames[:len(frames)-1]
			if len(frames) > 0 {
				up := frames[len(frames)-1].v
				low[up] = min(low[up], low[v])
			}
			for low[v] == number[v] {
				top := stack[len(stack)-1]
				stack = stack[:len(stack)-1]
				component[top] = v
				if top == v {
					break
				}
			}
		}
	}
	return component
}

// remember takes over what earlier runs left: brackets that are still begun, and nodes that are still under way.
func (s *Schedule) remember(history History) {
	type seen struct{ started, good bool }
	past := make([]seen, len(s.steps))
	ended := make([]map[int32]bool, len(s.brackets)) // of the present round
	for _, p := range history {
		i, ok := s.index[p.Step]
		if !ok {
			continue
		}
		st := &s.steps[i]
		switch p.What {
		case WasStarted:
			past[i].started = true
			past[i].good = false
			for _, b := range st.begins {
				s.wasBegun(b, &ended[b])
			}
			for _, b := range st.guards {
				if len(s.brackets[b].begin) == 0 {
					s.wasBegun(b, &ended[b])
				}
			}
		case WasDone, WasSkipped:
			past[i].good = true
			if p.What == WasSkipped { // as in a run: what was so already is ended, too
				for _, b := range st.begins {
					s.wasBegun(b, &ended[b])
				}
			}
			if b := st.ends; b != none && s.brackets[b].begun {
				if ended[b] == nil {
					ended[b] = map[int32]bool{}
				}
				ended[b][i] = true
				if len(ended[b]) == len(s.brackets[b].end) {
					s.brackets[b].begun, ended[b] = false, nil
				}
			}
		}
	}
	for i := range s.steps {
		s.steps[i].past = past[i].good && !s.again(int32(i))
	}
	for n := range s.series {
		se := &s.series[n]
		if s.again(se.steps[0]) {
			continue
		}
		last := -1
		for k, i := range se.steps {
			if past[i].started {
				last = k
			}
		}
		if last < 0 {
			continue
		}
		i := se.steps[last]
		if past[i].good && (last == len(se.steps)-1 || s.plan.Steps[i].Rest) {
			continue
		}
		se.leftOver, se.changed = true, true
		s.enter(int32(n))
	}
}

func (s *Schedule) wasBegun(b int32, ended *map[int32]bool) {
	br := &s.brackets[b]
	if len(br.end) == 0 {
		return
	}
	if !br.begun {
		br.round++
	}
	br.begun, *ended = true, nil
}

// cycle refuses steps that wait for one another. A bracket stands between its beginning, what it guards and its end.
func (s *Schedule) cycle() error {
	n := len(s.steps)
	size := n + 2*len(s.brackets)
	next := make([][]int32, size)
	waits := make([]int32, size)
	edge := func(from, to int32) { next[from] = append(next[from], to); waits[to]++ }
	for i := range s.steps {
		for _, d := range s.steps[i].next {
			edge(int32(i), d)
		}
	}
	for b := range s.brackets {
		begun, ended := int32(n+2*b), int32(n+2*b+1)
		for _, i := range s.brackets[b].begin {
			edge(i, begun)
		}
		for _, i := range s.brackets[b].guarded {
			edge(begun, i)
			edge(i, ended)
		}
		for _, i := range s.brackets[b].end {
			edge(ended, i)
		}
	}
	var open []int32
	for v := range waits {
		if waits[v] == 0 {
			open = append(open, int32(v))
		}
	}
	for len(open) > 0 {
		v := open[len(open)-1]
		open = open[:len(open)-1]
		for _, d := range next[v] {
			if waits[d]--; waits[d] == 0 {
				open = append(open, d)
			}
		}
	}
	if i := slices.IndexFunc(waits[:n], func(w int32) bool { return w > 0 }); i >= 0 {
		return fmt.Errorf("step %s and others wait for one another in a cycle", s.id(int32(i)))
	}
	return nil
}
